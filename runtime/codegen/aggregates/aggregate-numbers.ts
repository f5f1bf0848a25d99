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

/** Aggregates whose state is numbers. Column a holds the value, c how many values there were, m their mean. */
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
  if (aggregate.function === 'every' || aggregate.function === 'some') return conditionBody(aggregate, index, nextPlace)
  if (isExtremum && type === 'string') return textExtremumBody(aggregate, index)
  if (type !== 'long' && type !== 'double' && !(isExtremum && type === 'timestamp')) throw unsupported(aggregate, type)
  switch (aggregate.function) {
    case 'sum':
      return sumBody(aggregate, index, nextPlace)
    case 'avg':
      return averageBody(aggregate, index, nextPlace)
    case 'stddev':
    case 'stddevPop':
    case 'variance':
    case 'variancePop':
      return deviationBody(aggregate, index, nextPlace)
    case 'bitAnd':
    case 'bitOr':
    case 'bitXor':
      return bitsBody(aggregate, index, nextPlace)
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
 * Standard deviation and variance, of a sample (null below two values) or of all. Column a holds the sum of squared distances from the mean m:
 * Welford's update, and Chan, Golub and LeVeque's for combining (1983), since sums of squares lose all digits.
 */
function deviationBody(aggregate: Aggregate, index: number, nextPlace: NextPlace): Body {
  const [values, cell, mine, other] = cells(`a${index}`, nextPlace)
  const [counts, count, myCount, otherCount] = cells(`c${index}`, nextPlace)
  const [means, mean, myMean, otherMean] = cells(`m${index}`, nextPlace)
  const [value, newMean, squares, distance] = [js`x${index}`, js`m${index}`, js`n${index}`, js`o${index}`]
  return {
    columns: [values, counts, means],
    start: lines([js`${cell} = 0`, js`${count} = 0`, js`${mean} = 0`]),
    variables: [newMean, squares],
    prepare: js`
      const ${distance} = ${value} - ${mean}
      ${newMean} = ${mean} + ${distance} / (${count} + 1)
      ${squares} = ${cell} + ${distance} * (${value} - ${newMean})
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
    result: deviation(aggregate, cell, count),
    refused: js`${cell} - ${cell} !== 0`,
  }
}

function deviation({ function: name, argument }: Aggregate, squares: Code, count: Code): Code {
  const isOfAll = name === 'stddevPop' || name === 'variancePop'
  const variance = isOfAll ? js`${squares} / ${count}` : js`${squares} / (${count} - 1)`
  const result = name === 'stddev' || name === 'stddevPop' ? js`Math.sqrt(${variance})` : variance
  if (isOfAll) return argument?.nullable === true ? js`(${count} === 0 ? null : ${result})` : js`(${result})`
  return js`(${count} < 2 ? null : ${result})`
}

/** 1 is true, 0 false; that of a nullable condition starts as NaN, "no value yet". */
function conditionBody({ function: name, argument }: Aggregate, index: number, nextPlace: NextPlace): Body {
  const maybeEmpty = argument?.nullable === true
  const [column, cell, mine, other] = cells(`a${index}`, nextPlace)
  const value = js`x${index}`
  const [decides, decided] = name === 'every' ? [js`!${value}`, 0] : [value, 1]
  const undecided = 1 - decided
  return {
    columns: [column],
    start: js`${cell} = ${maybeEmpty ? js`NaN` : undecided}`,
    store: maybeEmpty
      ? js`if (${decides}) ${cell} = ${decided}; else if (${cell} !== ${cell}) ${cell} = ${undecided}`
      : js`if (${decides}) ${cell} = ${decided}`,
    combine: js`if (${other} === ${decided} || ${mine} !== ${mine}) ${mine} = ${other}`,
    result: maybeEmpty ? js`(${cell} !== ${cell} ? null : ${cell} === 1)` : js`(${cell} === 1)`,
  }
}

/** That of a nullable argument starts as NaN, "no value yet". */
function bitsBody({ function: name, argument }: Aggregate, index: number, nextPlace: NextPlace): Body {
  const maybeEmpty = argument?.nullable === true
  const [column, cell, mine, other] = cells(`a${index}`, nextPlace)
  const combined = (one: Code, more: Code): Code =>
    name === 'bitAnd'
      ? js`bitAnd(${one}, ${more})`
      : name === 'bitOr'
        ? js`bitOr(${one}, ${more})`
        : js`bitXor(${one}, ${more})`
  const value = js`x${index}`
  const next = combined(cell, value)
  const none = maybeEmpty ? js`NaN` : name === 'bitAnd' ? -1 : 0
  return {
    columns: [column],
    start: js`${cell} = ${none}`,
    store: js`${cell} = ${maybeEmpty ? js`(${cell} !== ${cell} ? ${value} : ${next})` : next}`,
    combine: maybeEmpty
      ? js`if (${other} === ${other}) ${mine} = ${mine} !== ${mine} ? ${other} : ${combined(mine, other)}`
      : js`${mine} = ${combined(mine, other)}`,
    result: maybeEmpty ? js`(${cell} !== ${cell} ? null : ${cell})` : cell,
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
