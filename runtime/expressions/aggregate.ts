import type { CallExpression, Expression as Syntax } from 'acorn'
import type { Expression, ExpressionType } from './ast.ts'
import { checkExpression } from './check.ts'
import { expressionError } from './expression-error.ts'
import { parseSyntax } from './parse.ts'
import { foreignFunction } from './foreign-words.ts'
import { suggestion } from './suggest.ts'
import { decimalAverage, decimalSum, type DecimalType } from '../model/decimal-type.ts'
import { asDecimal, describeType, isExact } from './typing.ts'
import type { FieldType, Schema } from '../model/schema.ts'

/** What is computed; countIf and countDistinctIf are forms of writing count and countDistinct with a filter. */
export type AggregateFunction =
  | 'count'
  | 'sum'
  | 'min'
  | 'max'
  | 'avg'
  | 'stddev'
  | 'stddevPop'
  | 'variance'
  | 'variancePop'
  | 'every'
  | 'some'
  | 'bitAnd'
  | 'bitOr'
  | 'bitXor'
  | 'countDistinct'
  | 'approxCountDistinct'
  | 'first'
  | 'last'
  | 'argMin'
  | 'argMax'
  | 'percentile'
  | 'collect'
  | 'histogram'

/** How each is written: the usage, and how many arguments. */
const FORMS = {
  count: ['count() or count(x)', 0, 1],
  countIf: ['countIf(condition)', 1, 1],
  sum: ['sum(x)', 1, 1],
  min: ['min(x)', 1, 1],
  max: ['max(x)', 1, 1],
  avg: ['avg(x)', 1, 1],
  stddev: ['stddev(x)', 1, 1],
  stddevPop: ['stddevPop(x)', 1, 1],
  variance: ['variance(x)', 1, 1],
  variancePop: ['variancePop(x)', 1, 1],
  every: ['every(condition)', 1, 1],
  some: ['some(condition)', 1, 1],
  bitAnd: ['bitAnd(x)', 1, 1],
  bitOr: ['bitOr(x)', 1, 1],
  bitXor: ['bitXor(x)', 1, 1],
  countDistinct: ['countDistinct(x)', 1, 1],
  countDistinctIf: ['countDistinctIf(x, condition)', 2, 2],
  approxCountDistinct: ['approxCountDistinct(x)', 1, 1],
  first: ['first(x)', 1, 1],
  last: ['last(x)', 1, 1],
  argMin: ['argMin(value, by)', 2, 2],
  argMax: ['argMax(value, by)', 2, 2],
  percentile: ['percentile(x, 0.99)', 2, 2],
  collect: ['collect(x)', 1, 1],
  histogram: ['histogram(x, from, to, buckets)', 4, 4],
} as const satisfies Record<string, readonly [usage: string, least: number, most: number]>

type AggregateName = keyof typeof FORMS

const AGGREGATES = Object.keys(FORMS) as readonly AggregateName[]

const MAX_BUCKETS = 1000

export interface ParsedAggregate {
  function: AggregateFunction
  /** Absent for count(), which counts rows. Rows where it is null are skipped. */
  argument?: Expression
  /** For argMin and argMax: the value that is compared. */
  by?: Expression
  /** countDistinct only: counts rows for which it is true. */
  filter?: Expression
  /** The share for percentile; from, to and buckets for histogram. */
  parameters?: readonly number[]
  result: ExpressionType
}

/**
 * `sum(expression)` and its like → checked. sum keeps long or double, averages and deviations are double, min and max
 * keep the argument's type; over a nullable argument the result is null when every value was null, as in SQL.
 * Errors as parseExpression, with AGGREGATE_INVALID where the form is wrong.
 */
export function parseAggregate(text: string, schema: Schema): ParsedAggregate {
  const call = parseSyntax(text)
  if (call.type !== 'CallExpression' || call.callee.type !== 'Identifier') {
    throw expressionError(
      text,
      call.start,
      'AGGREGATE_INVALID',
      'this is not an aggregate',
      'write count(), sum(x), min(x), max(x), avg(x) or another of docs/verbs/aggregate.md',
    )
  }
  const { name } = call.callee
  const known = AGGREGATES.find((aggregate) => aggregate === name)
  if (known === undefined)
    throw expressionError(
      text,
      call.start,
      'AGGREGATE_INVALID',
      `there is no aggregate ${name}`,
      foreignFunction(name) ?? suggestion(name, AGGREGATES),
    )
  return new AggregateReader(text, schema, call, known).read()
}

class AggregateReader {
  readonly #text: string
  readonly #schema: Schema
  readonly #name: AggregateName
  readonly #arguments: readonly Syntax[]

  constructor(text: string, schema: Schema, call: CallExpression, name: AggregateName) {
    this.#text = text
    this.#schema = schema
    this.#name = name
    const [usage, least, most] = FORMS[name]
    const given = call.arguments.flatMap((argument) => (argument.type === 'SpreadElement' ? [] : [argument]))
    if (given.length < call.arguments.length || given.length < least || given.length > most) {
      throw expressionError(
        text,
        call.start,
        'AGGREGATE_INVALID',
        `${name} takes ${takes(least, most)}, not ${call.arguments.length}`,
        `write ${usage}`,
      )
    }
    this.#arguments = given
  }

  read(): ParsedAggregate {
    const name = this.#name
    switch (name) {
      case 'count':
        return this.#arguments.length === 0
          ? { function: name, result: LONG }
          : { function: name, argument: this.#argument(0), result: LONG }
      case 'countIf':
        return { function: 'count', argument: oneWhere(this.#condition(0)), result: LONG }
      case 'countDistinct':
      case 'approxCountDistinct':
        return { function: name, argument: this.#typed(0, HASHED), result: LONG }
      case 'countDistinctIf':
        return { function: 'countDistinct', argument: this.#typed(0, HASHED), filter: this.#condition(1), result: LONG }
      case 'sum':
        return this.#sum()
      case 'min':
      case 'max':
        return this.#keeping(name, ORDERED)
      case 'first':
      case 'last':
        return this.#keeping(name, undefined)
      case 'avg': {
        const argument = this.#added(0)
        const { logical, nullable } = argument
        const type = isExact({ logical }) ? asDecimal(argument) : undefined
        if (type === undefined) return { function: name, argument, result: { type: 'double', nullable } }
        return { function: name, argument, result: decimalType(decimalAverage(type), nullable) }
      }
      case 'stddev':
      case 'variance':
        return { function: name, argument: this.#typed(0, NUMBERS), result: { type: 'double', nullable: true } }
      case 'stddevPop':
      case 'variancePop': {
        const argument = this.#typed(0, NUMBERS)
        return { function: name, argument, result: { type: 'double', nullable: argument.nullable } }
      }
      case 'every':
      case 'some': {
        const argument = this.#condition(0)
        return { function: name, argument, result: { type: 'boolean', nullable: argument.nullable } }
      }
      case 'bitAnd':
      case 'bitOr':
      case 'bitXor':
        return this.#keeping(name, ['long'])
      case 'argMin':
      case 'argMax':
        return this.#extremeRow(name)
      case 'collect':
        return { function: name, argument: this.#argument(0), result: { type: 'json', nullable: false } }
      case 'percentile':
        return this.#percentile()
      case 'histogram':
        return this.#histogram()
    }
  }

  /** The sum of decimals has all 38 digits: it outgrows the type of its values after a few of them. */
  #sum(): ParsedAggregate {
    const argument = this.#added(0)
    const { logical, nullable } = argument
    const result =
      logical?.kind === 'decimal' ? decimalType(decimalSum(logical), nullable) : resultOf(argument, nullable)
    return { function: 'sum', argument, result }
  }

  /** An argument that is added up: a number or a decimal. */
  #added(index: number): Expression {
    const argument = this.#argument(index)
    return isExact(argument) ? argument : this.#typed(index, NUMBERS)
  }

  #keeping(
    name: 'min' | 'max' | 'first' | 'last' | 'bitAnd' | 'bitOr' | 'bitXor',
    types: readonly FieldType[] | undefined,
  ): ParsedAggregate {
    const argument = types === undefined ? this.#argument(0) : this.#typed(0, types)
    return { function: name, argument, result: resultOf(argument, argument.nullable) }
  }

  #extremeRow(name: 'argMin' | 'argMax'): ParsedAggregate {
    const argument = this.#argument(0)
    const by = this.#typed(1, ORDERED)
    return { function: name, argument, by, result: resultOf(argument, argument.nullable || by.nullable) }
  }

  #percentile(): ParsedAggregate {
    const argument = this.#typed(0, NUMBERS)
    const share = this.#number(1)
    if (share < 0 || share > 1)
      throw this.#wrong(1, `the share ${share} is not between 0 and 1`, 'percentile(x, 0.99) is the 99th percentile')
    return {
      function: 'percentile',
      argument,
      parameters: [share],
      result: { type: 'double', nullable: argument.nullable },
    }
  }

  #histogram(): ParsedAggregate {
    const argument = this.#typed(0, NUMBERS)
    const [from, to, buckets] = [this.#number(1), this.#number(2), this.#number(3)]
    if (to <= from) throw this.#wrong(2, `the histogram ends at ${to} and begins at ${from}`)
    if (!Number.isInteger(buckets) || buckets < 1 || buckets > MAX_BUCKETS)
      throw this.#wrong(3, `${buckets} buckets: a whole number from 1 to ${MAX_BUCKETS} is taken`)
    return {
      function: 'histogram',
      argument,
      parameters: [from, to, buckets],
      result: { type: 'json', nullable: false },
    }
  }

  #argument(index: number): Expression {
    return checkExpression(this.#arguments[index] as Syntax, this.#text, this.#schema)
  }

  #typed(index: number, types: readonly FieldType[]): Expression {
    const argument = this.#argument(index)
    if (types.includes(argument.type) && !isUnfit(argument, types)) return argument
    const hint = conversion(argument, types)
    throw expressionError(
      this.#text,
      this.#arguments[index]?.start ?? 0,
      'EXPRESSION_TYPE',
      `${this.#name} does not take ${describeType(argument)}`,
      hint === undefined ? undefined : `convert it: ${hint}(…)`,
    )
  }

  #condition(index: number): Expression {
    const condition = this.#argument(index)
    if (condition.type === 'boolean') return condition
    throw expressionError(
      this.#text,
      this.#arguments[index]?.start ?? 0,
      'EXPRESSION_TYPE',
      `a condition must be boolean, this is ${describeType(condition)}`,
      'compare it with something',
    )
  }

  #number(index: number): number {
    const argument = this.#argument(index)
    const isNegative = argument.kind === 'unary' && argument.operator === '-'
    const literal = isNegative ? argument.operand : argument
    if (literal.kind !== 'literal' || typeof literal.value !== 'number')
      throw this.#wrong(index, 'here a number must be written out: it is part of the shape of the state')
    return isNegative ? -literal.value : literal.value
  }

  #wrong(index: number, message: string, hint = `write ${FORMS[this.#name][0]}`): Error {
    return expressionError(this.#text, this.#arguments[index]?.start ?? 0, 'AGGREGATE_INVALID', message, hint)
  }
}

const LONG: ExpressionType = { type: 'long', nullable: false }
const NUMBERS: readonly FieldType[] = ['long', 'double']
const ORDERED: readonly FieldType[] = ['long', 'double', 'timestamp', 'string']
const HASHED: readonly FieldType[] = [...ORDERED, 'boolean']

/** Values whose JavaScript type could be taken and would be misread: dates are not added. */
function isUnfit({ logical }: Expression, types: readonly FieldType[]): boolean {
  return logical !== undefined && logical.kind !== 'bytes' && types === NUMBERS
}

function decimalType(type: DecimalType, nullable: boolean): ExpressionType {
  return { type: 'string', logical: { kind: 'decimal', ...type }, nullable }
}

/** The function that makes of such a value one of the types. */
function conversion({ type, logical }: Expression, types: readonly FieldType[]): string | undefined {
  if (isExact({ logical })) return 'Number'
  if (type === 'json' && types.includes('string')) return logical === undefined ? 'String' : 'JSON.stringify'
  return type === 'string' || type === 'json' ? 'Number' : undefined
}

/** `condition ? 1 : null`: what is null is not counted. */
function oneWhere(condition: Expression): Expression {
  const one: Expression = { kind: 'literal', value: 1, ...LONG }
  const none: Expression = { kind: 'literal', value: null, type: 'long', nullable: true }
  return { kind: 'conditional', test: condition, then: one, otherwise: none, type: 'long', nullable: true }
}

function takes(least: number, most: number): string {
  if (most === 0) return 'nothing'
  return least === most ? `${most} argument${most === 1 ? '' : 's'}` : `${least} or ${most} arguments`
}

/** One of the argument's values: of all it says about them. */
function resultOf({ type, logical }: ExpressionType, nullable: boolean): ExpressionType {
  return { type, nullable, ...(logical === undefined ? {} : { logical }) }
}
