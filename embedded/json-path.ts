import type { Json } from './objects.ts'
import { isObject } from './objects.ts'

type Step =
  | { kind: 'member'; name: string }
  | { kind: 'index'; index: number }
  | { kind: 'all' }
  | { kind: 'filter'; path: string[]; wanted: Json }

/**
 * Evaluates the JSONPath of a printer column: members, `['member']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`.
 * Returns all matches; a path it cannot read matches nothing.
 */
export function evaluateJsonPath(value: Json, path: string): Json[] {
  const steps = parse(path)
  if (steps === undefined) return []
  let found: Json[] = [value]
  for (const step of steps) found = found.flatMap((item) => take(item, step))
  return found
}

/** Groups: quoted or plain member (dots in it escaped by a backslash), index, path and literal of a filter. */
const token = new RegExp(
  [
    String.raw`\.((?:[A-Za-z0-9_/-]|\\.)+)`,
    String.raw`\['([^']+)'\]`,
    String.raw`\[(\d+)\]`,
    String.raw`\[\*\]`,
    String.raw`\[\?\(@((?:\.[A-Za-z0-9_-]+)+)\s*==\s*("[^"]*"|'[^']*'|[^)]+)\)\]`,
  ].join('|'),
  'y',
)

function parse(path: string): Step[] | undefined {
  const text = path.replace(/^\{(.*)\}$/, '$1').replace(/^\$/, '')
  const steps: Step[] = []
  token.lastIndex = 0
  while (token.lastIndex < text.length) {
    const part = token.exec(text)
    if (part === null) return undefined
    steps.push(stepOf(part))
  }
  return steps
}

function stepOf([, plain, quoted, index, filterPath, literal = '']: RegExpExecArray): Step {
  if (plain !== undefined) return { kind: 'member', name: plain.replaceAll('\\.', '.') }
  if (quoted !== undefined) return { kind: 'member', name: quoted }
  if (index !== undefined) return { kind: 'index', index: Number(index) }
  if (filterPath === undefined) return { kind: 'all' }
  return { kind: 'filter', path: filterPath.slice(1).split('.'), wanted: literalValue(literal.trim()) }
}

function literalValue(text: string): Json {
  if (/^["']/.test(text)) return text.slice(1, -1)
  return text === 'true' ? true : text === 'false' ? false : Number(text)
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
    case 'all':
      return Array.isArray(value)
        ? value
        : isObject(value)
          ? Object.values(value).filter((member) => member !== undefined)
          : []
    case 'filter':
      return Array.isArray(value) ? value.filter((item) => matchesFilter(item, step.path, step.wanted)) : []
  }
}

function matchesFilter(item: Json, path: string[], wanted: Json): boolean {
  let current: Json | undefined = item
  for (const name of path) current = isObject(current) ? current[name] : undefined
  return current === wanted
}
