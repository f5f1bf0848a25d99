import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import type { Accumulator } from '../../memory/accumulators/accumulator.ts'
import { CollectedValues } from '../../memory/accumulators/collected-values.ts'
import { DistinctNumbers, DistinctTexts } from '../../memory/accumulators/distinct-values.ts'
import { Histogram } from '../../memory/accumulators/histogram.ts'
import { HyperLogLog } from '../../memory/accumulators/hyper-log-log.ts'
import { QuantileSketch } from '../../memory/accumulators/quantile-sketch.ts'
import { declareValue, unsupported, whenPresent, type AggregateCode } from './aggregate-code.ts'

/** Aggregates of one more expression share a set up to as many bits as a typed column holds. */
const MAX_SHARED = 31

/** approxCountDistinct, percentile, collect, histogram: an object in column a. */
export function accumulatorAggregate(aggregate: Aggregate, index: number): AggregateCode {
  const { argument } = aggregate
  if (argument === undefined) throw unsupported(aggregate, undefined)
  const { make, result, read } = kindOf(aggregate)
  const [x, a] = [`x${index}`, `a${index}`]
  const value = argument.type === 'string' && aggregate.function === 'collect' ? `copyText(${x})` : x
  return {
    columns: [{ name: a, array: 'Object', read }],
    start: `t.${a}[e] = ${make}`,
    declare: (code, emit) => {
      declareValue(code, x, aggregate.field.name, emit(argument), argument)
    },
    store: (code) => {
      code.line(whenPresent(argument, x, `t.${a}[e].add(${value})`))
    },
    combine: (code) => {
      code.line(`t.${a}[d].merge(s.${a}[e])`)
    },
    result: `t.${a}[e].result(${result})`,
  }
}

function kindOf(aggregate: Aggregate): { make: string; result: string; read: (bytes: Uint8Array) => Accumulator } {
  const { parameters = [] } = aggregate
  switch (aggregate.function) {
    case 'approxCountDistinct':
      return { make: 'new HyperLogLog()', result: '', read: (bytes) => HyperLogLog.read(bytes) }
    case 'percentile':
      return {
        make: 'new QuantileSketch()',
        result: String(Number(parameters[0])),
        read: (bytes) => QuantileSketch.read(bytes),
      }
    case 'collect':
      return { make: 'new CollectedValues()', result: '', read: (bytes) => CollectedValues.read(bytes) }
    case 'histogram': {
      const [from = 0, to = 1, buckets = 1] = parameters.map(Number)
      return {
        make: `new Histogram(${from}, ${to}, ${buckets})`,
        result: '',
        read: (bytes) => new Histogram(from, to, buckets).fill(bytes),
      }
    }
    default:
      throw unsupported(aggregate, aggregate.argument?.type)
  }
}

/** countDistinct: those over equal expressions share one set; the first of them owns its column. */
export function distinctAggregates(aggregates: readonly Aggregate[]): (index: number) => AggregateCode {
  const groups: { text: string; members: number[] }[] = []
  aggregates.forEach((aggregate, index) => {
    if (aggregate.function !== 'countDistinct') return
    const text = JSON.stringify(aggregate.argument)
    const group = groups.find((known) => known.text === text && known.members.length < MAX_SHARED)
    if (group === undefined) groups.push({ text, members: [index] })
    else group.members.push(index)
  })
  return (index) => {
    const { members = [index] } = groups.find((group) => group.members.includes(index)) ?? {}
    return distinctCode(aggregates, index, members)
  }
}

/** The counts are columns a of each; the values are those of the first, in column d. */
function distinctCode(aggregates: readonly Aggregate[], index: number, members: readonly number[]): AggregateCode {
  const aggregate = aggregates[index] as Aggregate
  const { argument, filter } = aggregate
  if (argument === undefined) throw unsupported(aggregate, undefined)
  const owner = members[0] ?? index
  const [x, d] = [`x${owner}`, `d${owner}`]
  const isOwner = owner === index
  const Values = argument.type === 'string' ? DistinctTexts : DistinctNumbers
  const bits = members
    .map((member, bit) =>
      aggregates[member]?.filter === undefined ? String(2 ** bit) : `(f${member} ? ${2 ** bit} : 0)`,
    )
    .join(' | ')
  const value = argument.type === 'boolean' ? `${x} ? 1 : 0` : x
  const count = (entry: string): string =>
    `if (fresh !== 0) { ${members.map((member, bit) => `if ((fresh & ${2 ** bit}) !== 0) t.a${member}[${entry}]++`).join('; ')} }`
  return {
    columns: [
      { name: `a${index}`, array: 'Float64Array' },
      ...(isOwner
        ? [
            {
              name: d,
              array: 'Whole' as const,
              create: `new ${Values.name}()`,
              read: (bytes: Uint8Array) => new Values().fill(bytes),
            },
          ]
        : []),
    ],
    start: `t.a${index}[e] = 0${isOwner ? `; t.${d}.forget(e)` : ''}`,
    declare: (code, emit) => {
      if (isOwner) declareValue(code, x, aggregate.field.name, emit(argument), argument)
      if (filter !== undefined) code.line(`const f${index} = ${emit(filter)} === true`)
    },
    store: (code) => {
      if (isOwner)
        code.line(whenPresent(argument, x, `{ const fresh = t.${d}.mark(e, ${value}, ${bits}); ${count('e')} }`))
    },
    combine: (code) => {
      if (!isOwner) return
      code.line(
        `{ const pairs = s.${d}.pairs(e); for (let i = 0; i < pairs.length; i += 2) { const fresh = t.${d}.mark(d, pairs[i], pairs[i + 1]); ${count('d')} } }`,
      )
    },
    result: `t.a${index}[e]`,
  }
}
