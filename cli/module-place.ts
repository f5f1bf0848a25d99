import { isFields } from '../runtime/model/fields.ts'
import type { Position } from '../runtime/model/errors.ts'
import type { Problem } from '../runtime/graph/problems.ts'
import { stepsOf } from '../runtime/front/job-file.ts'

type Graph = readonly Readonly<Record<string, unknown>>[]

const START: Position = { line: 1, column: 1 }
const QUOTES = ["'", '"', '`'] as const

/**
 * Where a mistake in the graph list stands in the module that made the list. A module has no places, only what it made:
 * the text that is wrong is looked for as a literal beside the id of its operator, then the name of its field, then the
 * id itself. A text that the module puts together is not found. Pure.
 */
export function placeInModule(
  text: string,
  graph: Graph,
  { path, position }: Pick<Problem, 'path' | 'position'>,
): Position {
  const [, list, index, ...steps] = stepsOf(path)
  const operator = list === 'graph' && typeof index === 'number' ? graph[index] : undefined
  const id = operator?.['id']
  const idAt = typeof id === 'string' ? firstLiteral(text, id, 0) : undefined
  if (operator === undefined || idAt === undefined) return START
  const end = nextId(text, graph, idAt)
  const value = memberAt(operator, steps)
  const literal = typeof value === 'string' ? nearestLiteral(text, value, { idAt, end }) : undefined
  if (literal !== undefined)
    return positionAt(text, literal + (position === undefined ? 0 : 1 + inside(String(value), position)))
  return positionAt(text, nameIn(text.slice(idAt, end), steps.at(-1), idAt) ?? idAt)
}

function memberAt(value: unknown, steps: readonly (string | number)[]): unknown {
  return steps.reduce<unknown>((inner, step) => {
    if (Array.isArray(inner)) return typeof step === 'number' ? inner[step] : undefined
    return isFields(inner) && Object.hasOwn(inner, step) ? inner[step] : undefined
  }, value)
}

/** Where the next operator begins: what is behind belongs to that one. */
function nextId(text: string, graph: Graph, idAt: number): number {
  const others = graph.flatMap(({ id }) => (typeof id === 'string' ? [firstLiteral(text, id, 0) ?? 0] : []))
  return Math.min(...others.filter((at) => at > idAt), text.length)
}

/** Behind the id, where its arguments stand; a key or an input stands before it. */
function nearestLiteral(text: string, value: string, { idAt, end }: { idAt: number; end: number }): number | undefined {
  const behind = firstLiteral(text, value, idAt)
  if (behind !== undefined && behind < end) return behind
  const before = QUOTES.map((quote) => text.lastIndexOf(quote + value + quote, idAt - 1)).filter((at) => at >= 0)
  return before.length > 0 ? Math.max(...before) : behind
}

function firstLiteral(text: string, value: string, from: number): number | undefined {
  const found = QUOTES.map((quote) => text.indexOf(quote + value + quote, from)).filter((at) => at >= 0)
  return found.length > 0 ? Math.min(...found) : undefined
}

function nameIn(text: string, name: string | number | undefined, offset: number): number | undefined {
  if (typeof name !== 'string' || !/^[\w$]+$/.test(name)) return undefined
  const at = text.search(new RegExp(`(?<![\\w$.])${name.replaceAll('$', '\\$')}\\s*:`))
  return at < 0 ? undefined : offset + at
}

function inside(value: string, { line, column }: Position): number {
  const lines = value.split('\n').slice(0, line - 1)
  return lines.reduce((sum, one) => sum + one.length + 1, 0) + column - 1
}

function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}
