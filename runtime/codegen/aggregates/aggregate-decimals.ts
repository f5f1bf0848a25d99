import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import { DecimalSum } from '../../memory/accumulators/decimal-sum.ts'
import { decimalAverage, type DecimalType } from '../../model/decimal-type.ts'
import { asDecimal } from '../../expressions/typing.ts'
import { js, lines, type Code } from '../emitter.ts'
import { declareValue, unsupported, whenPresent, type AggregateCode } from './aggregate-code.ts'

/** sum and avg of a decimal or bigint: a DecimalSum in column a. min and max are those of texts, in the order of numbers. */
export function decimalAggregate(aggregate: Aggregate, index: number): AggregateCode {
  const { argument } = aggregate
  const type = argument && asDecimal(argument)
  if (argument === undefined || type === undefined) throw unsupported(aggregate, argument?.type)
  const is64Bits = aggregate.function === 'sum' && argument.logical?.kind === 'bigint'
  const make = is64Bits ? js`new DecimalSum(0, 'bigint')` : js`new DecimalSum(${type.scale}, 'decimal')`
  const [value, sum, cell] = [js`x${index}`, js`n${index}`, js`t.a${index}[e]`]
  const result = resultOf(aggregate, type, cell)
  return {
    columns: [
      {
        name: `a${index}`,
        array: 'Object',
        read: (bytes) => new DecimalSum(type.scale, is64Bits ? 'bigint' : 'decimal').fill(bytes),
      },
    ],
    start: js`${cell} = ${make}`,
    declare: (emit) => declareValue(value, aggregate.field.name, emit(argument), argument),
    prepare: lines([
      js`let ${sum}`,
      whenPresent(argument, value, js`${sum} = ${cell}.with(${value}, ${aggregate.field.name})`),
    ]),
    store: whenPresent(argument, value, js`${cell}.set(${sum})`),
    combine: js`t.a${index}[d].merge(s.a${index}[e])`,
    result: argument.nullable ? js`(${cell}.isEmpty ? null : ${result})` : result,
    refused: js`${cell}.isBeyond`,
  }
}

function resultOf(aggregate: Aggregate, type: DecimalType, cell: Code): Code {
  if (aggregate.function === 'sum') return js`${cell}.sum()`
  return js`${cell}.average({ scale: ${decimalAverage(type).scale} })`
}
