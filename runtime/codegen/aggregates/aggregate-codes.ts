import { isExact } from '../../expressions/typing.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import { compareDecimalTexts } from '../../model/decimal-units.ts'
import { CollectedValues } from '../../memory/accumulators/collected-values.ts'
import { DecimalSum } from '../../memory/accumulators/decimal-sum.ts'
import { DistinctNumbers, DistinctTexts } from '../../memory/accumulators/distinct-values.ts'
import { Histogram } from '../../memory/accumulators/histogram.ts'
import { HyperLogLog } from '../../memory/accumulators/hyper-log-log.ts'
import { bitAnd, bitOr, bitXor } from '../../memory/accumulators/long-bits.ts'
import { QuantileSketch } from '../../memory/accumulators/quantile-sketch.ts'
import { accumulatorAggregate, distinctAggregates } from './aggregate-accumulators.ts'
import type { AggregateCode } from './aggregate-code.ts'
import { decimalAggregate } from './aggregate-decimals.ts'
import { numberAggregate } from './aggregate-numbers.ts'
import { rowAggregate } from './aggregate-rows.ts'
import { userAggregate } from './user-aggregate.ts'

/** The code of the aggregates of one operator, in their order. */
export function aggregateCodes(aggregates: readonly Aggregate[]): AggregateCode[] {
  let places = 0
  const nextPlace = (): number => places++
  const distinct = distinctAggregates(aggregates, nextPlace)
  return aggregates.map((aggregate, index) => {
    const isDecimal = aggregate.argument !== undefined && isExact(aggregate.argument)
    switch (aggregate.function) {
      case 'sum':
      case 'avg':
        return isDecimal ? decimalAggregate(aggregate, index) : numberAggregate(aggregate, index, nextPlace)
      case 'count':
      case 'min':
      case 'max':
      case 'stddev':
      case 'stddevPop':
      case 'variance':
      case 'variancePop':
      case 'every':
      case 'some':
      case 'bitAnd':
      case 'bitOr':
      case 'bitXor':
        return numberAggregate(aggregate, index, nextPlace)
      case 'first':
      case 'last':
      case 'argMin':
      case 'argMax':
        return rowAggregate(aggregate, index)
      case 'approxCountDistinct':
      case 'percentile':
      case 'collect':
      case 'histogram':
        return accumulatorAggregate(aggregate, index)
      case 'countDistinct':
        return distinct(index)
      case 'user':
        return userAggregate(aggregate, index)
    }
  })
}

/** What the code refers to: spread it into the scope of `compile`. */
export function aggregateScope(codes: readonly AggregateCode[]): Readonly<Record<string, unknown>> {
  return { ...AGGREGATE_SCOPE, ...(Object.assign({}, ...codes.map(({ scope }) => scope ?? {})) as object) }
}

const AGGREGATE_SCOPE: Readonly<Record<string, unknown>> = {
  bitAnd,
  bitOr,
  bitXor,
  copyText,
  refuseSum,
  compareDecimalTexts,
  CollectedValues,
  DecimalSum,
  DistinctNumbers,
  DistinctTexts,
  Histogram,
  HyperLogLog,
  QuantileSketch,
}

function refuseSum(field: string, sum: number, value: number): never {
  throw new MillraceError('VALUE_INVALID', `'${field}' would leave the exact range (sum ${sum}, value ${value})`, {
    domain: 'user',
    hint: 'sum doubles, or smaller numbers',
  })
}

/** A copy that holds nothing else alive: a string of a batch is a slice of the whole batch's text. */
function copyText(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string
}
