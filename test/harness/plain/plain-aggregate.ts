import { CollectedValues } from '../../../runtime/memory/accumulators/collected-values.ts'
import { Histogram } from '../../../runtime/memory/accumulators/histogram.ts'
import { HyperLogLog } from '../../../runtime/memory/accumulators/hyper-log-log.ts'
import { QuantileSketch } from '../../../runtime/memory/accumulators/quantile-sketch.ts'
import type { Row } from '../../../runtime/model/schema.ts'
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
      rows.map((row) => [evaluate(argument, row), evaluate(by, row)] as const),
      aggregate.function === 'argMin' ? -1 : 1,
    )
  const kept = rows.filter(
    (row) => evaluate(argument, row) !== null && (filter === undefined || evaluate(filter, row) === true),
  )
  const values = kept.map((row) => evaluate(argument, row) as Value)
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
    case 'first':
    case 'last': {
      const row = ordered.at(aggregate.function === 'first' ? 0 : -1)
      return row === undefined ? null : evaluate(argument, row)
    }
    default:
      throw new Error(`the plain twin does not know ${aggregate.function}`)
  }
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
