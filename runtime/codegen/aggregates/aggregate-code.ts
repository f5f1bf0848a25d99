import type { Expression } from '../../expressions/ast.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import type { Column } from '../../memory/columns.ts'
import type { Emitter } from '../emitter.ts'
import { valueCheck } from '../expression.ts'

/**
 * The code of one aggregate over entry e of table t. A row goes through `declare`, `prepare`, `store`; only the
 * first two may throw, and they change nothing: a row is added to all its aggregates or to none.
 */
export interface AggregateCode {
  columns: readonly Column[]
  /** Statements that give entry e its values of no rows. */
  start: string
  /** Declares the checked arguments; `emit` gives the JavaScript of an expression over the row. */
  declare(code: Emitter, emit: (expression: Expression) => string): void
  /** Statements that compute what is to be stored. */
  prepare?(code: Emitter): void
  /** `prepare` may throw for the first row of an entry too. */
  refusesFirst?: true
  /** Statements that store it. `time` is in scope: the order of the row. */
  store(code: Emitter): void
  /** Adds entry e of table s to entry d of table t, whose rows came before. */
  combine(code: Emitter): void
  /** The value of the output field. */
  result: string
  /** The test that the result is beyond what it may be: a sum over several tables that is no longer exact. */
  refused?: string
  /** What the code refers to beside AGGREGATE_SCOPE. */
  scope?: Readonly<Record<string, unknown>>
}

/** Declares the variable as the checked value; -0 becomes 0, so that equal values give equal results. */
export function declareValue(code: Emitter, variable: string, name: string, value: string, argument: Expression): void {
  code.line(`let ${variable} = ${value}`)
  if (argument.kind !== 'field') {
    const check = valueCheck(code, { name, type: argument.type, nullable: argument.nullable }, variable, argument)
    if (check !== '') code.line(check)
  }
  if (isNumeric(argument))
    code.line(argument.nullable ? `if (${variable} !== null) ${variable} += 0` : `${variable} += 0`)
}

/** Whether the first row of an entry may be refused when the entry is there already. */
function mayRefuseFirst(codes: readonly AggregateCode[]): boolean {
  return codes.some(({ refusesFirst }) => refusesFirst === true)
}

/**
 * Prepares and stores a row in entry e. `undo`: statements that take back what was made for the row, when it is
 * refused.
 */
export function emitAddTo(code: Emitter, codes: readonly AggregateCode[], undo: string | undefined): void {
  if (undo !== undefined) code.line(`try {`)
  for (const { prepare } of codes) prepare?.(code)
  for (const { store } of codes) store(code)
  if (undo !== undefined) code.line(`} catch (error) { ${undo}; throw error }`)
}

/**
 * As emitAddTo, of the entry that a key was found to have. One that was made for the row, the t.n before, goes with
 * it: a key whose rows were all refused is none.
 */
export function emitAddToKey(code: Emitter, codes: readonly AggregateCode[]): void {
  emitAddTo(code, codes, mayRefuseFirst(codes) ? `if (e === had) t.leave(e)` : undefined)
}

export function isNumeric({ type }: Expression): boolean {
  return type === 'long' || type === 'double' || type === 'timestamp'
}

/** Statements that run only for a value: nulls are skipped, as in SQL. */
export function whenPresent(argument: Expression | undefined, variable: string, body: string): string {
  return argument?.nullable === true ? `if (${variable} !== null) { ${body} }` : body
}

export function unsupported(aggregate: Aggregate, type: string | undefined): MillraceError {
  return new MillraceError(
    'AGGREGATE_TYPE_UNSUPPORTED',
    `${aggregate.function} of ${type ?? 'nothing'} is not supported (field '${aggregate.field.name}')`,
    { domain: 'user' },
  )
}
