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
import { compile, js, NOTHING, type Code } from './emitter.ts'
import { EXPRESSION_SCOPE, ExpressionEmitter } from './expression.ts'
import { pushPairRow, type PairVariables } from './rows/pair-row.ts'
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
  /** The row of a match that was not completed in time. */
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
    const expressions = new ExpressionEmitter(js`x`, variables)
    const test = expressions.emit(condition)
    return compile<PatternCondition>(
      'pattern condition',
      js`
        return function fits(r, c) {
          ${readsSteps(condition) ? js`const v = viewOf(c)` : NOTHING}
          ${expressions.declarations()}
          return ${test} === true
        }`,
      { ...EXPRESSION_SCOPE, viewOf },
    )
  }
  const rowOf = (fields: readonly SelectedField[], rowClass: RowClass): PatternCode['select'] =>
    compile<PatternCode['select']>(
      'pattern row',
      js`
        return function rowOf(c, time) {
          const v = viewOf(c), k = c.first.row, m = { start: c.first.time, time }, out = []
          ${pushPairRow(fields, variables)}
          return out[0]
        }`,
      { ...EXPRESSION_SCOPE, Row: rowClass, viewOf },
    )
  return {
    where: verb.steps.map(({ where }) => conditionOf(where)),
    until: verb.steps.map(({ until }) => conditionOf(until)),
    select: rowOf(verb.fields, outputRowClass),
    timedOut: rowOf(verb.timedOut, timedOutRowClass),
  }
}

/** What holds each row that an expression can name. */
function variablesOf({ steps }: PatternVerb): PairVariables {
  return Object.fromEntries<Code>([
    [CURRENT_ROW, js`r`],
    [KEY_ROW, js`k`],
    [MATCH_ROW, js`m`],
    ...steps.flatMap(({ name }, step): [string, Code][] => [
      [name, js`v.last[${step}]`],
      [firstRow(name), js`v.first[${step}]`],
      [totalsRow(name), js`v.totals[${step}]`],
    ]),
  ])
}

function readsSteps(condition: Expression): boolean {
  return fieldsIn(condition).some(({ of }) => of !== CURRENT_ROW)
}

/** The fields whose totals over a step's rows any of the expressions reads. */
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
