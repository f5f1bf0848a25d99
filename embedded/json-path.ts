import type { Json } from './objects.ts'
import { isObject } from './objects.ts'

type Step = { kind: 'member'; name: string } | { kind: 'index'; index: number } | { kind: 'all' }
  | { kind: 'filter'; path: string[]; wanted: Json }

/**
 * Evaluates the JSONPath of a printer column: members, `['member']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`.
 * Returns all matches; a path it cannot read matches nothing.
 */
export function evaluateJsonPath(value: Json, path: string): Json[] {
  let found: Json[] = [value]
  for (const step of parse(path) ?? [{ kind: 'index', index: -1 } as const]) found = found.flatMap((item) => take(item, step))
  return found
}

const token = /\.([A-Za-z0-9_-]+)|\['([^']+)'\]|\[(\d+)\]|\[\*\]|\[\?\(@((?:\.[A-Za-z0-9_-]+)+)\s*==\s*("[^"]*"|'[^']*'|[^)]+)\)\]/y

function parse(path: string): Step[] | undefined {
  const text = path.replace(/^\{(.*)\}$/, '$1').replace(/^\$/, '').replaceAll(/\\\./g, '\u0001')
  const steps: Step[] = []
  let position = 0
  while (position < text.length) {
    token.lastIndex = position
    const match = (text.includes('\u0001') ? /\.([A-Za-z0-9_\u0001/-]+)|\[(\d+)\]/y : token)
    match.lastIndex = position
    const part = match.exec(text)
    if (part === null) return undefined
    steps.push(stepOf(part))
    position = match.lastIndex
  }
  return steps
}

function stepOf(part: RegExpExecArray): Step {
  const name = part[1] ?? part[2]
  if (name !== undefined && !/^\[\d/.test(part[0])) return { kind: 'member', name: name.replaceAll('\u0001', '.') }
  if (part[4] !== undefined) {
    const literal = part[5] ?? ''
    const wanted: Json = /^["']/.test(literal) ? literal.slice(1, -1) : literal === 'true' ? true : literal === 'false' ? false : Number(literal)
    return { kind: 'filter', path: part[4].slice(1).split('.'), wanted }
  }
  const index = part[3] ?? part[2]
  return index === undefined ? { kind: 'all' } : { kind: 'index', index: Number(index) }
}

function take(value: Json, step: Step): Json[] {
  switch (step.kind) {
    case 'member': {
      const member = isObject(value) && Object.hasOwn(value, step.name) ? value[step.name] : undefined
      return member === undefined ? [] : [member]
    }
    case 'index': {
      const item = Array.isArray(value) ? value[step.index] : undefined
      return item === undefined ? [] : [item]
    }
    case 'all': return Array.isArray(value) ? value : isObject(value) ? Object.values(value).filter((member) => member !== undefined) : []
    case 'filter': return Array.isArray(value) ? value.filter((item) => matchesFilter(item, step.path, step.wanted)) : []
  }
}

function matchesFilter(item: Json, path: string[], wanted: Json): boolean {
  let current: Json | undefined = item
  for (const name of path) current = isObject(current) ? current[name] : undefined
  return current === wanted
}
