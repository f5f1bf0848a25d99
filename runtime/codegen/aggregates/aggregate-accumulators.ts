import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import type { Accumulator } from '../../memory/accumulators/accumulator.ts'
import { CollectedValues } from '../../memory/accumulators/collected-values.ts'
import { DistinctNumbers, DistinctTexts } from '../../memory/accumulators/distinct-values.ts'
import { Histogram } from '../../memory/accumulators/histogram.ts'
import { HyperLogLog } from '../../memory/accumulators/hyper-log-log.ts'
import { QuantileSketch } from '../../memory/accumulators/quantile-sketch.ts'
import type { Expression } from '../../expressions/ast.ts'
import { type Code, joined, js, lines, NOTHING } from '../emitter.ts'
import type { GeneratedColumn } from '../keys/key-columns.ts'
import {
  type AggregateCode,
  declareValue,
  type NextPlace,
  numberCell,
  unsupported,
  whenPresent,
} from './aggregate-code.ts'
import { storageOf } from '../../model/type-traits.ts'

/** Aggregates of one more expression share a set up to as many bits as a typed column holds. */
const MAX_SHARED = 31

/** approxCountDistinct, percentile, collect, histogram: an object in column a. */
export function accumulatorAggregate(aggregate: Aggregate, index: number): AggregateCode {
  const { argument } = aggregate
  if (argument === undefined) throw unsupported(aggregate, undefined)
  const { make, result, read } = kindOf(aggregate)
  const value = js`x${index}`
  const added = storageOf(argument) === 'text' && aggregate.function === 'collect' ? js`copyText(${value})` : value
  return {
    columns: [{ name: `a${index}`, array: 'Object', read }],
    start: js`t.a${index}[e] = ${make}`,
    declare: (emit) => declareValue(value, aggregate.field.name, emit(argument), argument),
    store: whenPresent(argument, value, js`t.a${index}[e].add(${added})`),
    combine: js`t.a${index}[d].merge(s.a${index}[e])`,
    result: js`t.a${index}[e].result(${result})`,
  }
}

function kindOf(aggregate: Aggregate): { make: Code; result: Code; read: (bytes: Uint8Array) => Accumulator } {
  const { parameters = [] } = aggregate
  switch (aggregate.function) {
    case 'approxCountDistinct':
      return { make: js`new HyperLogLog()`, result: NOTHING, read: (bytes) => HyperLogLog.read(bytes) }
    case 'percentile':
      return {
        make: js`new QuantileSketch()`,
        result: js`${Number(parameters[0])}`,
        read: (bytes) => QuantileSketch.read(bytes),
      }
    case 'collect':
      return { make: js`new CollectedValues()`, result: NOTHING, read: (bytes) => CollectedValues.read(bytes) }
    case 'histogram': {
      const [from = 0, to = 1, buckets = 1] = parameters.map(Number)
      return {
        make: js`new Histogram(${from}, ${to}, ${buckets})`,
        result: NOTHING,
        read: (bytes) => new Histogram(from, to, buckets).fill(bytes),
      }
    }
    default:
      throw unsupported(aggregate, aggregate.argument?.type)
  }
}

/** countDistinct: aggregates over equal expressions share one set; the first of them owns its column. */
export function distinctAggregates(
  aggregates: readonly Aggregate[],
  nextPlace: NextPlace,
): (index: number) => AggregateCode {
  const groups: { text: string; members: number[] }[] = []
  const places = new Map<number, number>()
  aggregates.forEach((aggregate, index) => {
    if (aggregate.function !== 'countDistinct') return
    places.set(index, nextPlace())
    const text = JSON.stringify(aggregate.argument)
    const group = groups.find((known) => known.text === text && known.members.length < MAX_SHARED)
    if (group === undefined) groups.push({ text, members: [index] })
    else group.members.push(index)
  })
  return (index) => {
    const { members = [index] } = groups.find((group) => group.members.includes(index)) ?? {}
    return distinctCode(aggregates, index, members, (member) => places.get(member) ?? 0)
  }
}

/** The counts are columns a of each; the values are those of the first, in column d. */
function distinctCode(
  aggregates: readonly Aggregate[],
  index: number,
  members: readonly number[],
  placeOf: (member: number) => number,
): AggregateCode {
  const aggregate = aggregates[index] as Aggregate
  const { argument, filter } = aggregate
  if (argument === undefined) throw unsupported(aggregate, undefined)
  const owner = members[0] ?? index
  const value = js`x${owner}`
  const isOwner = owner === index
  const Values = storageOf(argument) === 'text' ? DistinctTexts : DistinctNumbers
  const bits = members.map((member, bit) =>
    aggregates[member]?.filter === undefined ? js`${2 ** bit}` : js`(f${member} ? ${2 ** bit} : 0)`,
  )
  const marked = storageOf(argument) === 'bit' ? js`${value} ? 1 : 0` : value
  const count = (record: Code): Code => js`
    if (fresh !== 0) {
      ${members.map((member, bit) => js`if ((fresh & ${2 ** bit}) !== 0) t.v[${record} + ${placeOf(member)}]++`)}
    }`
  const values: GeneratedColumn = {
    name: `d${owner}`,
    array: 'Whole',
    create: Values === DistinctTexts ? js`new DistinctTexts()` : js`new DistinctNumbers()`,
    read: (bytes) => new Values().fill(bytes),
  }
  const mark = js`
    {
      const fresh = t.d${owner}.mark(e, ${marked}, ${joined(bits, ' | ')})
      ${count(js`p`)}
    }`
  return {
    columns: [{ name: `a${index}`, array: 'Float64Array', place: placeOf(index) }, ...(isOwner ? [values] : [])],
    start: lines([js`${numberCell(placeOf(index))} = 0`, isOwner ? js`t.d${owner}.forget(e)` : NOTHING]),
    declare: (emit) =>
      lines([
        isOwner ? declareValue(value, aggregate.field.name, emit(argument), argument) : NOTHING,
        filter === undefined ? NOTHING : js`const f${index} = ${emit(filter)} === true`,
      ]),
    store: isOwner ? whenPresent(argument, value, mark) : NOTHING,
    ...(isOwner && Values === DistinctNumbers
      ? { later: markedLater(owner, { argument, value, marked, bits: joined(bits, ' | ') }, count(js`p`)) }
      : {}),
    combine: !isOwner
      ? NOTHING
      : js`
        {
          const pairs = s.d${owner}.pairs(e)
          for (let i = 0; i < pairs.length; i += 2) {
            const fresh = t.d${owner}.mark(d, pairs[i], pairs[i + 1])
            ${count(js`pd`)}
          }
        }`,
    result: numberCell(placeOf(index)),
  }
}

/** So many values wait at most: as many as a batch has rows. */
const MOST_LATER = 1024

/** Marking in two steps: a batch's values are looked at before the first is marked. */
function markedLater(
  owner: number,
  { argument, value, marked, bits }: { argument: Expression; value: Code; marked: Code; bits: Code },
  count: Code,
): NonNullable<AggregateCode['later']> {
  const settle = js`settle${owner}()`
  return {
    declare: js`
      const tables${owner} = [], entries${owner} = new Int32Array(${MOST_LATER})
      const values${owner} = new Float64Array(${MOST_LATER}), bits${owner} = new Int32Array(${MOST_LATER})
      const hashes${owner} = new Int32Array(${MOST_LATER})
      let noted${owner} = 0, looked${owner} = 0
      function ${settle} {
        let sum = 0
        for (let j = 0; j < noted${owner}; j++) {
          const d = tables${owner}[j].d${owner}
          sum ^= d.look(hashes${owner}[j] = d.hash(entries${owner}[j], values${owner}[j]))
        }
        looked${owner} = sum
        for (let j = 0; j < noted${owner}; j++) {
          const t = tables${owner}[j], e = entries${owner}[j], p = e * t.width
          const fresh = t.d${owner}.markHashed(hashes${owner}[j], e, values${owner}[j], bits${owner}[j])
          ${count}
        }
        noted${owner} = 0
      }`,
    note: whenPresent(
      argument,
      value,
      js`
        if (noted${owner} === ${MOST_LATER}) ${settle}
        tables${owner}[noted${owner}] = t
        entries${owner}[noted${owner}] = e
        values${owner}[noted${owner}] = ${marked}
        bits${owner}[noted${owner}++] = ${bits}`,
    ),
    settle,
  }
}
