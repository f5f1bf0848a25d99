import type { Expression } from '../../expressions/ast.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import { type Code, js, lines, NOTHING } from '../emitter.ts'
import type { GeneratedColumn } from '../keys/key-columns.ts'
import { valueCheck } from '../expression.ts'
import { isExact } from '../../expressions/typing.ts'
import type { ValueType } from '../../model/schema.ts'
import { storageOf } from '../../model/type-traits.ts'

/**
 * The code of one aggregate over entry e of table t, whose record begins at p of t.v (`declareRecord`); of entries d of t
 * and e of s that are combined the records begin at pd and pe. A row goes through `declare`, `prepare`, `store`; only the
 * first two may throw, and they change nothing: a row is added to all its aggregates or to none.
 */
export interface AggregateCode {
  columns: readonly GeneratedColumn[]
  /** Statements that give entry e its values of no rows. */
  start: Code
  /** Statements that declare the checked arguments; `emit` gives the JavaScript of an expression over the row. */
  declare(emit: (expression: Expression) => Code): Code
  /** Statements that compute what is to be stored. */
  prepare?: Code
  /** `prepare` may throw for the first row of an entry too. */
  refusesFirst?: true
  /** Statements that store it. `time` is in scope: the order of the row. */
  store: Code
  /**
   * The same in two steps, where nothing reads the entry between: `note` notes what is to be stored, `settle` stores
   * all that was noted by then. Cache misses of a batch overlap in `settle`.
   */
  later?: { declare: Code; note: Code; settle: Code }
  /** Statements that add entry e of table s to entry d of table t, whose rows came before. */
  combine: Code
  /** The value of the output field. */
  result: Code
  /** The test that the result is beyond what it may be: a sum over several tables that is no longer exact. */
  refused?: Code
  /** What the code refers to beside AGGREGATE_SCOPE. */
  scope?: Readonly<Record<string, unknown>>
}

/** Gives the next free place in the record of an entry. */
export type NextPlace = () => number

/** The number at a place of entry e of table t. */
export function numberCell(place: number): Code {
  return js`t.v[p + ${place}]`
}

/** Declares where the record of entry e begins. */
export function declareRecord(codes: readonly AggregateCode[]): Code {
  return js`const p = e * ${recordWidth(codes)}`
}

/** Numbers in the record of an entry. */
export function recordWidth(codes: readonly AggregateCode[]): number {
  return codes.flatMap(({ columns }) => columns).filter(({ place }) => place !== undefined).length
}

/** Declares the variable as the checked value; -0 becomes 0, so that equal values give equal results. */
export function declareValue(variable: Code, name: string, value: Code, argument: Expression): Code {
  const { type, nullable } = argument
  const withoutMinusZero = js`${variable} += 0`
  return lines([
    js`let ${variable} = ${value}`,
    argument.kind === 'field' ? NOTHING : valueCheck({ name, type, nullable }, variable, argument),
    storageOf(argument) === 'number' ? whenPresent(argument, variable, withoutMinusZero) : NOTHING,
  ])
}

/** Whether the first row of an entry may be refused when the entry is there already. */
function mayRefuseFirst(codes: readonly AggregateCode[]): boolean {
  return codes.some(({ refusesFirst }) => refusesFirst === true)
}

/**
 * Prepares and stores a row in entry e. `undo`: statements that take back what was made for the row, when it is
 * refused.
 */
export function addToEntry(codes: readonly AggregateCode[], undo: Code | undefined): Code {
  const add = lines([
    declareRecord(codes),
    ...codes.map(({ prepare }) => prepare ?? NOTHING),
    ...codes.map(({ store }) => store),
  ])
  if (undo === undefined) return add
  return js`
    try {
      ${add}
    } catch (error) {
      ${undo}
      throw error
    }`
}

/**
 * As addToEntry, of the entry that a key was found to have. An entry that was made for the row, entry `had`, is taken
 * out again when the row is refused: the table does not keep a key all of whose rows were refused.
 */
export function addToKey(codes: readonly AggregateCode[]): Code {
  return addToEntry(codes, mayRefuseFirst(codes) ? js`if (e === had) t.leave(e)` : undefined)
}

/** Statements that run only for a value: nulls are skipped, as in SQL. */
export function whenPresent(argument: Expression | undefined, variable: Code, body: Code): Code {
  if (argument?.nullable !== true) return body
  return js`
    if (${variable} !== null) {
      ${body}
    }`
}

/** The test that compares two values that are texts in rows: decimals and bigints by their numbers. */
export function textOrder(type: ValueType | undefined, one: Code, order: Code, other: Code): Code {
  return type !== undefined && isExact(type)
    ? js`compareDecimalTexts(${one}, ${other}) ${order} 0`
    : js`${one} ${order} ${other}`
}

export function unsupported(aggregate: Aggregate, type: string | undefined): MillraceError {
  return new MillraceError(
    'AGGREGATE_TYPE_UNSUPPORTED',
    `${aggregate.function} of ${type ?? 'nothing'} is not supported (field '${aggregate.field.name}')`,
    { domain: 'user' },
  )
}
