import { foreignFunction } from './foreign-words.ts'
import { FUNCTIONS, isGlobalName } from './functions.ts'

/** How JavaScript says what SQL or another place calls a function of that name. */
export function sayingOf(name: string): string | undefined {
  const word = name.toLowerCase()
  const inNamespace = [...FUNCTIONS.keys()].find(
    (known) => isGlobalName(known) && known.toLowerCase().endsWith(`.${word}`),
  )
  return foreignFunction(name) ?? (inNamespace === undefined ? undefined : `write ${inNamespace}(…)`)
}

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
