import { FUNCTIONS, isGlobalName } from './functions.ts'

/** How JavaScript says what SQL or another place calls a function of that name. */
export function sayingOf(name: string): string | undefined {
  const word = name.toLowerCase()
  const inNamespace = [...FUNCTIONS.keys()].find(
    (known) => isGlobalName(known) && known.toLowerCase().endsWith(`.${word}`),
  )
  return inNamespace === undefined ? SAYINGS.get(word) : `write ${inNamespace}(…)`
}

const SAYINGS: ReadonlyMap<string, string> = new Map([
  ...['coalesce', 'ifnull', 'nvl'].map((name) => [name, 'write a ?? b'] as const),
  ...['if', 'iif', 'case'].map((name) => [name, 'write condition ? a : b'] as const),
  ['upper', 'write text.toUpperCase()'],
  ['lower', 'write text.toLowerCase()'],
  ['concat', 'write `${a}${b}`'],
  ['substr', 'write text.slice(from, to)'],
  ...['substring', 'trim'].map((name) => [name, `write text.${name}(…)`] as const),
  ...['length', 'char_length', 'cardinality'].map((name) => [name, 'write text.length'] as const),
  ['cast', 'write Number(…), String(…), Decimal(…, precision, scale) or Date.parse(…)'],
  ['isnan', 'ask Number.isFinite(…)'],
  ...['now', 'current_timestamp'].map(
    (name) =>
      [
        name,
        'the time of day would differ after a restore: take a field of the row, or window: { …, time: processing }',
      ] as const,
  ),
])

/** What stands in SQL where an expression has ended. */
export function sqlHint(rest: string): string | undefined {
  const word = /^[A-Za-z]+/.exec(rest)?.[0].toLowerCase() ?? ''
  return SQL_WORDS.get(word)
}

const SQL_WORDS: ReadonlyMap<string, string> = new Map([
  ['and', 'write &&'],
  ['or', 'write ||'],
  ['is', 'write === null or !== null'],
  ['not', 'write !(…)'],
  ['like', 'write .startsWith(…), .endsWith(…) or .includes(…)'],
  ['between', 'write a <= x && x <= b'],
  ['as', 'the name stands before the expression: name: expression'],
])
