import { CollectedValues } from '../../../runtime/memory/accumulators/collected-values.ts'
import { Histogram } from '../../../runtime/memory/accumulators/histogram.ts'
import { HyperLogLog } from '../../../runtime/memory/accumulators/hyper-log-log.ts'
import { QuantileSketch } from '../../../runtime/memory/accumulators/quantile-sketch.ts'
import type { Row } from '../../../runtime/model/schema.ts'
import type { Expression } from '../../../runtime/expressions/ast.ts'
import type { Aggregate } from '../../../runtime/graph/verbs/kit/aggregate-fields.ts'
import { evaluate } from './plain-expression.ts'

type Value = number | string | boolean

/**
 * An aggregate over rows in the order of arrival, as one would write it down: the slow twin of codegen/aggregate-*.ts.
 * `timeOf` orders first and last; without it they go by arrival. Sketches are the real ones, fed once.
 */
export function plainAggregate(aggregate: Aggregate, rows: readonly Row[], timeOf?: (row: Row) => number): unknown {
  const { argument, by, filter, parameters = [] } = aggregate
  if (argument === undefined) return rows.length
  if (by !== undefined)
    return extreme(
      rows.map((row) => [evaluate(argument, row), comparable(by, evaluate(by, row))] as const),
      aggregate.function === 'argMin' ? -1 : 1,
    )
  const kept = rows.filter(
    (row) => evaluate(argument, row) !== null && (filter === undefined || evaluate(filter, row) === true),
  )
  const values = kept.map((row) => evaluate(argument, row) as Value)
  if (argument.logical?.kind === 'decimal' && ['sum', 'avg', 'min', 'max'].includes(aggregate.function))
    return decimalAggregate(aggregate, values as string[], argument.logical.scale)
  const numbers = values as number[]
  const ordered = timeOf === undefined ? kept : kept.toSorted((a, b) => timeOf(a) - timeOf(b))
  const sum = numbers.reduce((total, value) => total + value, 0)
  switch (aggregate.function) {
    case 'count':
      return values.length
    case 'countDistinct':
      return new Set(values).size
    case 'approxCountDistinct': {
      const sketch = new HyperLogLog()
      values.forEach((value) => {
        sketch.add(value)
      })
      return sketch.result()
    }
    case 'percentile': {
      const sketch = new QuantileSketch()
      numbers.forEach((value) => {
        sketch.add(value)
      })
      return sketch.result(parameters[0] ?? 0)
    }
    case 'histogram': {
      const [from = 0, to = 1, buckets = 1] = parameters
      const made = new Histogram(from, to, buckets)
      numbers.forEach((value) => {
        made.add(value)
      })
      return made.result()
    }
    case 'collect': {
      const made = new CollectedValues()
      values.forEach((value) => {
        made.add(value)
      })
      return made.result()
    }
    case 'min':
      return values.length === 0 ? null : values.reduce((least, value) => (value < least ? value : least))
    case 'max':
      return values.length === 0 ? null : values.reduce((most, value) => (value > most ? value : most))
    case 'sum':
      return values.length === 0 ? null : sum
    case 'avg':
      return values.length === 0 ? null : sum / values.length
    case 'stddev':
      return values.length < 2
        ? null
        : Math.sqrt(
            numbers.reduce((total, value) => total + (value - sum / values.length) ** 2, 0) / (values.length - 1),
          )
    case 'variance':
    case 'stddevPop':
    case 'variancePop': {
      const isOfAll = aggregate.function !== 'variance'
      if (values.length < (isOfAll ? 1 : 2)) return null
      const squares = numbers.reduce((total, value) => total + (value - sum / values.length) ** 2, 0)
      const variance = squares / (values.length - (isOfAll ? 0 : 1))
      return aggregate.function === 'stddevPop' ? Math.sqrt(variance) : variance
    }
    case 'every':
      return values.length === 0 ? null : values.every((value) => value === true)
    case 'some':
      return values.length === 0 ? null : values.some((value) => value === true)
    case 'bitAnd':
    case 'bitOr':
    case 'bitXor': {
      const [first, ...others] = numbers.map((value) => BigInt(value))
      if (first === undefined) return null
      const combine = { bitAnd: and, bitOr: or, bitXor: xor }[aggregate.function]
      return Number(others.reduce(combine, first))
    }
    case 'first':
    case 'last': {
      const row = ordered.at(aggregate.function === 'first' ? 0 : -1)
      return row === undefined ? null : evaluate(argument, row)
    }
    default:
      throw new Error(`the plain twin does not know ${aggregate.function}`)
  }
}

const and = (one: bigint, other: bigint): bigint => one & other
const or = (one: bigint, other: bigint): bigint => one | other
const xor = (one: bigint, other: bigint): bigint => one ^ other

/** A value that < orders: decimals as their cents. */
function comparable({ logical }: Expression, value: unknown): unknown {
  return logical?.kind === 'decimal' && value !== null ? BigInt(String(value).replace('.', '')) : value
}

/** Over cents: numbers of the smallest digit of the type. */
function decimalAggregate({ function: name }: Aggregate, values: readonly string[], scale: number): string | null {
  if (values.length === 0) return null
  const cents = values.map((text) => BigInt(text.replace('.', ''))).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const sum = cents.reduce((total, value) => total + value, 0n)
  const digits = Math.max(scale, 6)
  if (name === 'sum') return centsText(sum, scale)
  if (name === 'min') return centsText(cents[0] ?? 0n, scale)
  if (name === 'max') return centsText(cents.at(-1) ?? 0n, scale)
  // twice the average in the last digit, rounded down, is odd or even: half up
  const [size, by] = [(sum < 0n ? -sum : sum) * 10n ** BigInt(digits - scale) * 2n, BigInt(cents.length)]
  const units = (size / by + 1n) / 2n
  return centsText(sum < 0n ? -units : units, digits)
}

function centsText(cents: bigint, scale: number): string {
  const digits = String(cents < 0n ? -cents : cents).padStart(scale + 1, '0')
  return `${cents < 0n ? '-' : ''}${digits.slice(0, digits.length - scale)}.${digits.slice(digits.length - scale)}`
}

function extreme(pairs: readonly (readonly [unknown, unknown])[], sign: number): unknown {
  let best: readonly [unknown, Value] | undefined
  for (const [value, by] of pairs) {
    if (by === null) continue
    if (best === undefined || (sign > 0 ? (by as Value) > best[1] : (by as Value) < best[1]))
      best = [value, by as Value]
  }
  return best === undefined ? null : best[0]
}
