/** Where a cursor stands in a cell in YAML. */
export interface CursorContext {
  /** The names of the mappings around the cursor, the outermost first. */
  readonly path: readonly string[]
  /** The word that the cursor is in or behind, as far as the cursor. */
  readonly begun: string
  /** That word, whole. */
  readonly word: string
  /** Where the word begins, in UTF-16 units. */
  readonly start: number
}

interface Frame {
  readonly kind: 'block' | 'flow'
  readonly indent: number
  key: string | undefined
}

/** A text in quotes, a comment, a key, a brace, a bracket or a comma; the rest of a line is of no interest. */
const TOKEN = /"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:^|\s)#.*$|([A-Za-z_][\w-]*)[ \t]*:(?=[\s{["']|$)|[{}[\],]/g
/** Deeper is no job. */
const DEEPEST = 100
/** The rest of a longer line is not looked at: TOKEN may read what is behind an open quote once for each quote. */
const LONGEST_LINE = 500

/** Reads a text that may be half written up to the cursor, by its indentation and braces. Pure; linear in the text. */
export function cursorContext(text: string, cursor: number): CursorContext {
  const before = text.slice(0, cursor)
  const begun = /[\w-]*$/.exec(before.slice(-100))?.[0] ?? ''
  const rest = /^[\w-]*/.exec(text.slice(cursor, cursor + 100))?.[0] ?? ''
  const start = before.length - begun.length
  let frames: Frame[] = []
  for (const line of text.slice(0, start).split('\n')) frames = withLine(frames, line.slice(0, LONGEST_LINE))
  const path = frames.flatMap(({ key }) => (key === undefined ? [] : [key]))
  return { path, begun, word: begun + rest, start }
}

function withLine(frames: Frame[], line: string): Frame[] {
  const [lead = ''] = /^(?:\s|-\s)*/.exec(line) ?? []
  const isFlow = frames.some(({ kind }) => kind === 'flow')
  const isBlank = line.trim() === ''
  // the last line, in which the cursor stands, may be blank and its indentation counts
  const next = isFlow || (isBlank && lead === '') ? [...frames] : frames.filter(({ indent }) => indent < lead.length)
  for (const { 0: token, 1: key } of line.matchAll(TOKEN)) {
    const last = next.at(-1)
    if (last?.kind === 'flow' && (key !== undefined || token === ',')) last.key = key
    else if (key !== undefined) next.push({ kind: 'block', indent: lead.length, key })
    else if (token === '{' || token === '[') next.push({ kind: 'flow', indent: lead.length, key: undefined })
    else if ((token === '}' || token === ']') && last?.kind === 'flow') next.pop()
    if (next.length > DEEPEST) return next.slice(0, DEEPEST)
  }
  return next
}
