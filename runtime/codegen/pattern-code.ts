import type { Expression } from '../expressions/ast.ts'
import { fieldsIn } from '../expressions/fields-in.ts'
import type { Row, Schema } from '../model/schema.ts'
import type { Timestamp } from '../model/time.ts'
import {
  CURRENT_ROW,
  firstRow,
  KEY_ROW,
  MATCH_ROW,
  TOTAL_FUNCTIONS,
  totalField,
  totalsRow,
} from '../graph/verbs/pattern/pattern-scope.ts'
import type { PatternVerb, SelectedField } from '../graph/verbs/pattern/pattern.ts'
import { Emitter } from './emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter } from './expression.ts'
import { emitPairRow } from './rows/pair-row.ts'
import { PatternViews, type AskedTotal, type Cell } from '../memory/pattern-view.ts'
import { compileRowClass, type RowClass } from './rows/row.ts'

/** Whether a row fits a match that has come as far as the cell; null: it has not begun. */
export type PatternCondition = (row: Row, cell: Cell | null) => boolean

/** The expressions of one pattern as code. Conditions by the place of their step; absent: true. */
export interface PatternCode {
  where: readonly (PatternCondition | undefined)[]
  until: readonly (PatternCondition | undefined)[]
  /** The row of a match whose last row is in the cell, known at `time`. */
  select(cell: Cell, time: Timestamp): Row
  /** The row of one that was not completed. */
  timedOut(cell: Cell, time: Timestamp): Row
}

export interface PatternStreams {
  schema: Schema
  outputRowClass: RowClass
  timedOutRowClass: RowClass
}

export function compilePattern(
  verb: PatternVerb,
  { schema, outputRowClass, timedOutRowClass }: PatternStreams,
): PatternCode {
  const expressions = [
    ...verb.steps.flatMap(({ where, until }) => [where, until]),
    ...[...verb.fields, ...verb.timedOut].map(({ value }) => value),
  ].filter((value) => value !== undefined)
  const nothing = new (compileRowClass(schema))(...schema.fields.map(() => null))
  const views = new PatternViews(
    verb.steps.map(({ name }) => askedOf(totalsRow(name), schema, expressions)),
    nothing,
  )
  const viewOf = (cell: Cell | null): unknown => views.of(cell)
  const variables = variablesOf(verb)
  const conditionOf = (condition: Expression | undefined): PatternCondition | undefined => {
    if (condition === undefined) return undefined
    const code = new Emitter()
    const emitter = new ExpressionEmitter(code, 'x', variables)
    const test = emitter.emit(condition)
    code.line(
      `return function fits(r, c) { ${readsSteps(condition) ? 'const v = viewOf(c);' : ''} ${emitter.declarations()}`,
    )
    code.line(`return ${test} === true }`)
    return code.compile<PatternCondition>({ ...EXPRESSION_SCOPE, viewOf })
  }
  const rowOf = (fields: readonly SelectedField[], rowClass: RowClass): PatternCode['select'] => {
    const code = new Emitter()
    code.line(
      `return function rowOf(c, time) { const v = viewOf(c), k = c.first.row, m = { start: c.first.time, time }, out = []`,
    )
    emitPairRow(code, fields, variables)
    code.line(`return out[0] }`)
    return code.compile<PatternCode['select']>({ ...EXPRESSION_SCOPE, Row: rowClass, viewOf })
  }
  return {
    where: verb.steps.map(({ where }) => conditionOf(where)),
    until: verb.steps.map(({ until }) => conditionOf(until)),
    select: rowOf(verb.fields, outputRowClass),
    timedOut: rowOf(verb.timedOut, timedOutRowClass),
  }
}

/** What holds each row that an expression can name. */
function variablesOf({ steps }: PatternVerb): Record<string, string> {
  return Object.fromEntries([
    [CURRENT_ROW, 'r'],
    [KEY_ROW, 'k'],
    [MATCH_ROW, 'm'],
    ...steps.flatMap(({ name }, step) => [
      [name, `v.last[${step}]`],
      [firstRow(name), `v.first[${step}]`],
      [totalsRow(name), `v.totals[${step}]`],
    ]),
  ])
}

function readsSteps(condition: Expression): boolean {
  return fieldsIn(condition).some(({ of }) => of !== CURRENT_ROW)
}

/** The fields of which a step's totals are asked for by any of the expressions. */
function askedOf(row: string, schema: Schema, expressions: readonly Expression[]): AskedTotal[] {
  const names = new Set(
    expressions
      .flatMap(fieldsIn)
      .filter(({ of }) => of === row)
      .map(({ name }) => name),
  )
  return schema.fields
    .filter(({ name }) => TOTAL_FUNCTIONS.some((fn) => names.has(totalField(fn, name))))
    .map(
      (field): AskedTotal => ({
        field,
        sum: totalField('sum', field.name),
        min: totalField('min', field.name),
        max: totalField('max', field.name),
        avg: totalField('avg', field.name),
      }),
    )
}
