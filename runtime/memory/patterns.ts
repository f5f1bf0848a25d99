import type { RE2JS } from 're2js'
import { readPattern } from '../expressions/pattern-syntax.ts'
import { MillraceError } from '../model/errors.ts'

let engine: typeof RE2JS | undefined

/** Must have resolved before the first call of a function below. Only processes whose jobs have patterns load it. */
export async function loadPatterns(): Promise<void> {
  engine ??= (await import('re2js')).RE2JS
}

/** Compiled patterns by their text as it was written; jobs have few. */
const COMPILED = new Map<string, RE2JS>()
const MOST_COMPILED = 1000

function compiled(source: string, flags: string): RE2JS {
  const key = `${flags}/${source}`
  const before = COMPILED.get(key)
  if (before !== undefined) return before
  if (engine === undefined) throw new MillraceError('PATTERNS_NOT_LOADED', 'regular expressions are not loaded')
  const syntax = readPattern(source, flags)
  if ('problem' in syntax) throw new MillraceError('PATTERN_INVALID', `/${source}/${flags}: ${syntax.problem}`)
  const pattern = engine.compile(
    syntax.re2,
    (flags.includes('i') ? engine.CASE_INSENSITIVE : 0) | (flags.includes('m') ? engine.MULTILINE : 0),
  )
  if (COMPILED.size >= MOST_COMPILED) COMPILED.clear()
  COMPILED.set(key, pattern)
  return pattern
}

/** Whether it matches anywhere in the text. */
export function matchesPattern(text: string, source: string, flags: string): boolean {
  return compiled(source, flags).test(text)
}

/** The text of the group in the first match, null without one. */
export function extractPattern(text: string, source: string, flags: string, group: string | number): string | null {
  const matcher = compiled(source, flags).matcher(text)
  return matcher.find() ? (matcher.group(group) ?? null) : null
}

export function replaceMatch(text: string, source: string, flags: string, by: string): string {
  return replaced(text, compiled(source, flags), by, 1)
}

export function replaceMatches(text: string, source: string, flags: string, by: string): string {
  return replaced(text, compiled(source, flags), by, Infinity)
}

/** In `by`, `$1` and `$<name>` are groups, `$&` the match, `$$` a dollar sign, as in JavaScript. */
function replaced(text: string, pattern: RE2JS, by: string, most: number): string {
  const matcher = pattern.matcher(text)
  let result = ''
  let from = 0
  for (let done = 0; done < most && matcher.find(); done++) {
    result += text.slice(from, matcher.start())
    result += by.includes('$') ? filled(by, matcher, pattern) : by
    from = matcher.end()
  }
  return result + text.slice(from)
}

function filled(by: string, matcher: ReturnType<RE2JS['matcher']>, pattern: RE2JS): string {
  const names = pattern.namedGroups()
  return by.replace(/\$(?:(\$)|(&)|(\d\d?)|<([^>]*)>)/g, (whole, dollar, match, digits, name) => {
    if (dollar !== undefined) return '$'
    if (match !== undefined) return matcher.group() ?? ''
    if (typeof name === 'string') {
      if (Object.hasOwn(names, name)) return matcher.group(name) ?? ''
      return Object.keys(names).length > 0 ? '' : whole
    }
    const isGroup = (group: number): boolean => group >= 1 && group <= pattern.groupCount()
    if (isGroup(Number(digits))) return matcher.group(Number(digits)) ?? ''
    // $10 of a pattern with fewer groups is its first group and a 0
    const [first = '', rest = ''] = digits
    return isGroup(Number(first)) ? (matcher.group(Number(first)) ?? '') + rest : whole
  })
}
