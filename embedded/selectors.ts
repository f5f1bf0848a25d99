import type { Json, KubeObject } from './objects.ts'
import { valueAt } from './objects.ts'
import { badRequest } from './status-error.ts'

export type ObjectFilter = (object: KubeObject) => boolean

const everything: ObjectFilter = () => true

/**
 * Parses a label selector in the text form of the API (`a=b,c!=d,e in (f,g),h,!i`).
 * Throws a 400 ApiStatusError for what it cannot read. Semantics: apimachinery `labels.Parse`.
 */
export function parseLabelSelector(text: string | null | undefined): ObjectFilter {
  if (text === null || text === undefined || text.trim() === '') return everything
  const requirements = splitOutsideParentheses(text).map(parseRequirement)
  return (object) => {
    const labels = object.metadata.labels ?? {}
    return requirements.every((matches) => matches(labels))
  }
}

type LabelRequirement = (labels: Readonly<Record<string, string>>) => boolean

function parseRequirement(text: string): LabelRequirement {
  const set = /^\s*([^\s=!,()]+)\s+(in|notin)\s+\(([^()]*)\)\s*$/.exec(text)
  if (set !== null) {
    const key = set[1] ?? ''
    const values = new Set((set[3] ?? '').split(',').map((value) => value.trim()))
    const isIn = set[2] === 'in'
    return (labels) => {
      const value = ownLabel(labels, key)
      return isIn ? value !== undefined && values.has(value) : value === undefined || !values.has(value)
    }
  }
  const equality = /^\s*([^\s=!,()]+)\s*(==|=|!=)\s*([^\s=!,()]*)\s*$/.exec(text)
  if (equality !== null) {
    const key = equality[1] ?? ''
    const wanted = equality[3] ?? ''
    return equality[2] === '!='
      ? (labels) => ownLabel(labels, key) !== wanted
      : (labels) => ownLabel(labels, key) === wanted
  }
  const existence = /^\s*(!?)\s*([^\s=!,()]+)\s*$/.exec(text)
  if (existence !== null) {
    const key = existence[2] ?? ''
    const wanted = existence[1] === ''
    return (labels) => (ownLabel(labels, key) !== undefined) === wanted
  }
  throw badRequest(`unable to parse requirement: found '${text.trim()}', expected: '=', '!=', '==', 'in', 'notin'`)
}

function ownLabel(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++
    else if (text[i] === ')') depth--
    else if (text[i] === ',' && depth === 0) {
      parts.push(text.slice(start, i))
      start = i + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

/**
 * Parses a field selector (`metadata.name=x,status.phase!=Failed`). Any path of plain members is allowed,
 * which is more than a real server allows; a missing field compares as the empty string, as there.
 */
export function parseFieldSelector(text: string | null | undefined): ObjectFilter {
  if (text === null || text === undefined || text.trim() === '') return everything
  const terms = text
    .split(',')
    .filter((term) => term !== '')
    .map((term) => {
      const match = /^\s*([\w.]+)\s*(==|=|!=)(.*)$/.exec(term)
      if (match === null) throw badRequest(`invalid field selector "${term}": expected path=value`)
      return { path: (match[1] ?? '').split('.'), wanted: (match[3] ?? '').trim(), negated: match[2] === '!=' }
    })
  return (object) => terms.every(({ path, wanted, negated }) => (fieldText(object, path) === wanted) !== negated)
}

function fieldText(object: KubeObject, path: string[]): string {
  const value: Json | undefined = valueAt(object, ...path)
  return value === undefined || value === null ? '' : String(value)
}

/** The filter of a request: both selectors. */
export function selectionOf(query: URLSearchParams): ObjectFilter {
  const byLabel = parseLabelSelector(query.get('labelSelector'))
  const byField = parseFieldSelector(query.get('fieldSelector'))
  return (object) => byLabel(object) && byField(object)
}
