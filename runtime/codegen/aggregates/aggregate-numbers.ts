import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import { js, lines, NOTHING, type Code } from '../emitter.ts'
import type { GeneratedColumn } from '../keys/key-columns.ts'
import {
  declareValue,
  numberCell,
  textOrder,
  unsupported,
  whenPresent,
  type AggregateCode,
  type NextPlace,
} from './aggregate-code.ts'

/** count, sum, min, max, avg, stddev. Column a holds the value, c how many values there were, m their mean. */
export function numberAggregate(aggregate: Aggregate, index: number, nextPlace: NextPlace): AggregateCode {
  const { variables, prepare, store, ...body } = bodyOf(aggregate, index, nextPlace)
  const { argument } = aggregate
  const value = js`x${index}`
  return {
    ...body,
    declare: (emit) => {
      if (argument === undefined) return NOTHING
      return aggregate.function === 'count'
        ? js`const ${value} = ${emit(argument)}`
        : declareValue(value, aggregate.field.name, emit(argument), argument)
    },
    ...(prepare === undefined || variables === undefined
      ? {}
      : {
          prepare: lines([
            js`let ${variables.map((variable) => js`${variable} = 0`)}`,
            whenPresent(argument, value, prepare),
          ]),
        }),
    store: whenPresent(argument, value, store),
  }
}

/** An AggregateCode of a value that is there. */
interface Body extends Omit<AggregateCode, 'declare'> {
  /** The variables that `prepare` sets. */
  variables?: readonly Code[]
}

function bodyOf(aggregate: Aggregate, index: number, nextPlace: NextPlace): Body {
  if (aggregate.function === 'count') return countBody(index, nextPlace)
  const isExtremum = aggregate.function === 'min' || aggregate.function === 'max'
  const type = aggregate.argument?.type
  if (isExtremum && type === 'string') return textExtremumBody(aggregate, index)
  if (type !== 'long' && type !== 'double' && !(isExtremum && type === 'timestamp')) throw unsupported(aggregate, type)
  switch (aggregate.function) {
    case 'sum':
      return sumBody(aggregate, index, nextPlace)
    case 'avg':
      return averageBody(aggregate, index, nextPlace)
    case 'stddev':
      return deviationBody(aggregate, index, nextPlace)
    default:
      return extremumBody(aggregate, index, nextPlace)
  }
}

function countBody(index: number, nextPlace: NextPlace): Body {
  const [column, cell, mine, other] = cells(`a${index}`, nextPlace)
  return {
    columns: [column],
    start: js`${cell} = 0`,
    store: js`${cell}++`,
    combine: js`${mine} += ${other}`,
    result: cell,
  }
}

/**
 * The sum of a nullable argument starts as NaN, "no value yet". A sum that stops being exact in combining stays
 * Infinity.
 */
function sumBody(aggregate: Aggregate, index: number, nextPlace: NextPlace): Body {
  const maybeEmpty = aggregate.argument?.nullable === true
  const [column, cell, mine, other] = cells(`a${index}`, nextPlace)
  const [value, sum] = [js`x${index}`, js`n${index}`]
  const isBeyond = (variable: Code): Code =>
    aggregate.argument?.type === 'long'
      ? js`(${variable} > 9007199254740991 || ${variable} < -9007199254740991)`
      : js`(${variable} - ${variable} !== 0)`
  const next = maybeEmpty
    ? js`(${sum} = ${cell}, ${sum} !== ${sum} ? ${value} : ${sum} + ${value})`
    : js`${cell} + ${value}`
  return {
    columns: [column],
    start: js`${cell} = ${maybeEmpty ? js`NaN` : 0}`,
    variables: [sum],
    prepare: js`
      ${sum} = ${next}
      if ${isBeyond(sum)} refuseSum(${aggregate.field.name}, ${cell}, ${value})`,
    store: js`${cell} = ${sum}`,
    combine: js`
      if (${other} === ${other}) {
        const sum = ${mine} === ${mine} ? ${mine} + ${other} : ${other}
        ${mine} = ${isBeyond(js`sum`)} ? Infinity : sum
      }`,
    result: maybeEmpty ? js`(${cell} !== ${cell} ? null : ${cell})` : cell,
    refused: js`${cell} === Infinity`,
  }
}

function averageBody(aggregate: Aggregate, index: number, nextPlace: NextPlace): Body {
  const [values, cell, mine, other] = cells(`a${index}`, nextPlace)
  const [counts, count, myCount, otherCount] = cells(`c${index}`, nextPlace)
  const [value, sum] = [js`x${index}`, js`n${index}`]
  return {
    columns: [values, counts],
    start: lines([js`${cell} = 0`, js`${count} = 0`]),
    variables: [sum],
    prepare: js`
      ${sum} = ${cell} + ${value}
      if (${sum} - ${sum} !== 0) refuseSum(${aggregate.field.name}, ${cell}, ${value})`,
    store: lines([js`${cell} = ${sum}`, js`${count}++`]),
    combine: lines([js`${mine} += ${other}`, js`${myCount} += ${otherCount}`]),
    result:
      aggregate.argument?.nullable === true ? js`(${count} === 0 ? null : ${cell} / ${count})` : js`${cell} / ${count}`,
    refused: js`${cell} - ${cell} !== 0`,
  }
}

/**
 * The sample standard deviation, null below two values. Column a holds the sum of squared distances from the mean m:
 * Welford's update, and Chan, Golub and LeVeque's for combining (1983), since sums of squares lose all digits.
 */
function deviationBody(aggregate: Aggregate, index: number, nextPlace: NextPlace): Body {
  const [values, cell, mine, other] = cells(`a${index}`, nextPlace)
  const [counts, count, myCount, otherCount] = cells(`c${index}`, nextPlace)
  const [means, mean, myMean, otherMean] = cells(`m${index}`, nextPlace)
  const [value, newMean, squares] = [js`x${index}`, js`m${index}`, js`n${index}`]
  return {
    columns: [values, counts, means],
    start: lines([js`${cell} = 0`, js`${count} = 0`, js`${mean} = 0`]),
    variables: [newMean, squares],
    prepare: js`
      const off = ${value} - ${mean}
      ${newMean} = ${mean} + off / (${count} + 1)
      ${squares} = ${cell} + off * (${value} - ${newMean})
      if (${squares} - ${squares} !== 0) refuseSum(${aggregate.field.name}, ${cell}, ${value})`,
    store: lines([js`${cell} = ${squares}`, js`${mean} = ${newMean}`, js`${count}++`]),
    combine: js`
      {
        const more = ${otherCount}
        if (more > 0) {
          const had = ${myCount}, all = had + more, off = ${otherMean} - ${myMean}
          ${mine} += ${other} + off * (had * more / all) * off
          ${myMean} += off * more / all
          ${myCount} = all
        }
      }`,
    result: js`(${count} < 2 ? null : Math.sqrt(${cell} / (${count} - 1)))`,
    refused: js`${cell} - ${cell} !== 0`,
  }
}

/** Starts at the infinity no value reaches. */
function extremumBody(aggregate: Aggregate, index: number, nextPlace: NextPlace): Body {
  const [column, cell, mine, other] = cells(`a${index}`, nextPlace)
  const [order, start] = aggregate.function === 'min' ? [js`<`, js`Infinity`] : [js`>`, js`-Infinity`]
  const value = js`x${index}`
  return {
    columns: [column],
    start: js`${cell} = ${start}`,
    store: js`if (${value} ${order} ${cell}) ${cell} = ${value}`,
    combine: js`if (${other} ${order} ${mine}) ${mine} = ${other}`,
    result: aggregate.argument?.nullable === true ? js`(${cell} === ${start} ? null : ${cell})` : cell,
  }
}

function textExtremumBody(aggregate: Aggregate, index: number): Body {
  const [cell, mine, other] = [js`t.a${index}[e]`, js`t.a${index}[d]`, js`s.a${index}[e]`]
  const order = aggregate.function === 'min' ? js`<` : js`>`
  const value = js`x${index}`
  const isBetter = (one: Code, than: Code): Code => textOrder(aggregate.argument, one, order, than)
  return {
    columns: [{ name: `a${index}`, array: 'Array' }],
    start: js`${cell} = null`,
    store: js`if (${cell} === null || ${isBetter(value, cell)}) ${cell} = copyText(${value})`,
    combine: js`if (${other} !== null && (${mine} === null || ${isBetter(other, mine)})) ${mine} = ${other}`,
    result: cell,
  }
}

/** A column and its value of entry e of t; of the entries d of t and e of s that are combined. */
function cells(name: string, nextPlace: NextPlace): [column: GeneratedColumn, cell: Code, mine: Code, other: Code] {
  const place = nextPlace()
  return [{ name, array: 'Float64Array', place }, numberCell(place), js`t.v[pd + ${place}]`, js`s.v[pe + ${place}]`]
}
