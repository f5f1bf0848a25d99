import type { Aggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import { declareValue, unsupported, whenPresent, type AggregateCode } from './aggregate-code.ts'

/** count, sum, min, max, avg, stddev. Column a holds the value, c how many values there were, m their mean. */
export function numberAggregate(aggregate: Aggregate, index: number): AggregateCode {
  const { prepare, store, combine, ...code } = bodyOf(aggregate, index)
  const { argument } = aggregate
  const x = `x${index}`
  return {
    ...code,
    declare: (out, emit) => {
      if (argument === undefined) return
      if (aggregate.function === 'count') out.line(`const ${x} = ${emit(argument)}`)
      else declareValue(out, x, aggregate.field.name, emit(argument), argument)
    },
    store: (out) => {
      out.line(whenPresent(argument, x, store))
    },
    combine: (out) => {
      out.line(combine)
    },
    ...(prepare === undefined
      ? {}
      : {
          prepare: (out) => {
            out.line(`let ${prepare.variables} = 0`)
            out.line(whenPresent(argument, x, prepare.body))
          },
        }),
  }
}

interface Body extends Pick<AggregateCode, 'columns' | 'start' | 'result' | 'refused'> {
  prepare?: { variables: string; body: string }
  store: string
  combine: string
}

function bodyOf(aggregate: Aggregate, index: number): Body {
  if (aggregate.function === 'count') return countBody(index)
  const isExtremum = aggregate.function === 'min' || aggregate.function === 'max'
  const type = aggregate.argument?.type
  if (isExtremum && type === 'string') return textExtremumBody(aggregate, index)
  if (type !== 'long' && type !== 'double' && !(isExtremum && type === 'timestamp')) throw unsupported(aggregate, type)
  switch (aggregate.function) {
    case 'sum':
      return sumBody(aggregate, index)
    case 'avg':
      return averageBody(aggregate, index)
    case 'stddev':
      return deviationBody(aggregate, index)
    default:
      return extremumBody(aggregate, index)
  }
}

function countBody(index: number): Body {
  return {
    columns: [{ name: `a${index}`, array: 'Float64Array' }],
    start: `t.a${index}[e] = 0`,
    store: `t.a${index}[e]++`,
    combine: `t.a${index}[d] += s.a${index}[e]`,
    result: `t.a${index}[e]`,
  }
}

/**
 * The sum of a nullable argument starts as NaN, "no value yet". One that stops being exact in combining stays
 * Infinity.
 */
function sumBody(aggregate: Aggregate, index: number): Body {
  const maybeEmpty = aggregate.argument?.nullable === true
  const [cell, mine, other] = cells(index)
  const [x, sum] = [`x${index}`, `n${index}`]
  const beyond = (variable: string): string =>
    aggregate.argument?.type === 'long'
      ? `(${variable} > 9007199254740991 || ${variable} < -9007199254740991)`
      : `(${variable} - ${variable} !== 0)`
  const plain = maybeEmpty ? `(${sum} = ${cell}, ${sum} !== ${sum} ? ${x} : ${sum} + ${x})` : `${cell} + ${x}`
  return {
    columns: [{ name: `a${index}`, array: 'Float64Array' }],
    start: `${cell} = ${maybeEmpty ? 'NaN' : '0'}`,
    prepare: {
      variables: sum,
      body: `${sum} = ${plain}; if ${beyond(sum)} refuseSum(${fieldText(aggregate)}, ${cell}, ${x})`,
    },
    store: `${cell} = ${sum}`,
    combine: `if (${other} === ${other}) { const sum = ${mine} === ${mine} ? ${mine} + ${other} : ${other}; ${mine} = ${beyond('sum')} ? Infinity : sum }`,
    result: maybeEmpty ? `(${cell} !== ${cell} ? null : ${cell})` : cell,
    refused: `${cell} === Infinity`,
  }
}

function averageBody(aggregate: Aggregate, index: number): Body {
  const [cell, mine, other] = cells(index)
  const [x, sum, count] = [`x${index}`, `n${index}`, `t.c${index}[e]`]
  return {
    columns: [
      { name: `a${index}`, array: 'Float64Array' },
      { name: `c${index}`, array: 'Float64Array' },
    ],
    start: `${cell} = 0; ${count} = 0`,
    prepare: {
      variables: sum,
      body: `${sum} = ${cell} + ${x}; if (${sum} - ${sum} !== 0) refuseSum(${fieldText(aggregate)}, ${cell}, ${x})`,
    },
    store: `${cell} = ${sum}; ${count}++`,
    combine: `${mine} += ${other}; t.c${index}[d] += s.c${index}[e]`,
    result:
      aggregate.argument?.nullable === true ? `(${count} === 0 ? null : ${cell} / ${count})` : `${cell} / ${count}`,
    refused: `${cell} - ${cell} !== 0`,
  }
}

/**
 * The sample standard deviation, null below two values. Column a holds the sum of squared distances from the mean m:
 * Welford's update, and Chan, Golub and LeVeque's for combining (1983), since sums of squares lose all digits.
 */
function deviationBody(aggregate: Aggregate, index: number): Body {
  const [cell, mine, other] = cells(index)
  const [x, mean, squares] = [`x${index}`, `m${index}`, `n${index}`]
  return {
    columns: ['a', 'c', 'm'].map((name) => ({ name: `${name}${index}`, array: 'Float64Array' as const })),
    start: `${cell} = 0; t.c${index}[e] = 0; t.m${index}[e] = 0`,
    prepare: {
      variables: `${mean} = 0, ${squares}`,
      body: `const off = ${x} - t.m${index}[e]; ${mean} = t.m${index}[e] + off / (t.c${index}[e] + 1); ${squares} = ${cell} + off * (${x} - ${mean}); if (${squares} - ${squares} !== 0) refuseSum(${fieldText(aggregate)}, ${cell}, ${x})`,
    },
    store: `${cell} = ${squares}; t.m${index}[e] = ${mean}; t.c${index}[e]++`,
    combine: `{ const more = s.c${index}[e]; if (more > 0) { const had = t.c${index}[d], all = had + more, off = s.m${index}[e] - t.m${index}[d]
${mine} += ${other} + off * (had * more / all) * off; t.m${index}[d] += off * more / all; t.c${index}[d] = all } }`,
    result: `(t.c${index}[e] < 2 ? null : Math.sqrt(${cell} / (t.c${index}[e] - 1)))`,
    refused: `${cell} - ${cell} !== 0`,
  }
}

/** Starts at the infinity no value reaches. */
function extremumBody(aggregate: Aggregate, index: number): Body {
  const [cell, mine, other] = cells(index)
  const [order, start] = aggregate.function === 'min' ? ['<', 'Infinity'] : ['>', '-Infinity']
  const x = `x${index}`
  return {
    columns: [{ name: `a${index}`, array: 'Float64Array' }],
    start: `${cell} = ${start}`,
    store: `if (${x} ${order} ${cell}) ${cell} = ${x}`,
    combine: `if (${other} ${order} ${mine}) ${mine} = ${other}`,
    result: aggregate.argument?.nullable === true ? `(${cell} === ${start} ? null : ${cell})` : cell,
  }
}

function textExtremumBody(aggregate: Aggregate, index: number): Body {
  const [cell, mine, other] = cells(index)
  const order = aggregate.function === 'min' ? '<' : '>'
  const x = `x${index}`
  return {
    columns: [{ name: `a${index}`, array: 'Array' }],
    start: `${cell} = null`,
    store: `if (${cell} === null || ${x} ${order} ${cell}) ${cell} = copyText(${x})`,
    combine: `if (${other} !== null && (${mine} === null || ${other} ${order} ${mine})) ${mine} = ${other}`,
    result: cell,
  }
}

function cells(index: number): [cell: string, mine: string, other: string] {
  return [`t.a${index}[e]`, `t.a${index}[d]`, `s.a${index}[e]`]
}

/** Field names are identifiers (isFieldName), which the emitter's literal would quote in the same way. */
function fieldText(aggregate: Aggregate): string {
  return JSON.stringify(aggregate.field.name)
}
