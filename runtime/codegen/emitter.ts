import { MillraceError } from '../model/errors.ts'
import { isFieldName } from '../model/schema.ts'

/** Makes code of lines. For this file alone: everywhere else a text is a value, which js`…` quotes. */
let codeOf: (lines: readonly CodeLine[]) => Code

/** Further lines of a piece get the indentation of the line that they are in. */
interface CodeLine {
  readonly indent: string
  readonly pieces: readonly (string | Code)[]
}

/**
 * A piece of generated JavaScript. Only js`…`, `joined`, `property`, `identifier` and `path` make one, so that no
 * text of a user ever becomes code.
 */
export class Code {
  readonly #lines: readonly CodeLine[]

  private constructor(lines: readonly CodeLine[]) {
    this.#lines = lines
  }

  static {
    codeOf = (lines) => new Code(lines)
  }

  get text(): string {
    return this.#textAt('')
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0
  }

  #textAt(indent: string): string {
    let text = ''
    for (const line of this.#lines) {
      const inner = indent + line.indent
      text += text === '' ? line.indent : `\n${inner}`
      for (const piece of line.pieces) text += typeof piece === 'string' ? piece : piece.#textAt(inner)
    }
    return text
  }
}

const templates = new WeakMap<TemplateStringsArray, readonly TemplateLine[]>()

/** Stands for a part while a template is taken apart; no source text holds it. */
const HOLE = '\0'

/** What may stand in a js`…`: code goes in as it is, a value as its literal. */
export type Part = Code | readonly Code[] | string | number | boolean | null

/**
 * Generated JavaScript, with the parts in their places:
 * - Code is inserted. Further lines of it get the indentation of the line they begin in.
 * - A list of Code becomes one statement per line where it stands alone in its line; elsewhere commas separate it.
 * - A string is quoted; a number, a boolean or null becomes its literal, so js`v${2}` is the name v2.
 * - A line that holds nothing but empty code is left out.
 * The indentation that all lines share is taken away. Backslashes stand for themselves.
 */
export function js(strings: TemplateStringsArray, ...parts: readonly Part[]): Code {
  const lines: CodeLine[] = []
  let next = 0
  for (const { indent, pieces: texts, isAlone } of templateOf(strings)) {
    const first = parts[next]
    if (isAlone && isList(first)) {
      next++
      for (const code of first) if (!code.isEmpty) lines.push({ indent, pieces: [code] })
      continue
    }
    const pieces: (string | Code)[] = []
    texts.forEach((text, index) => {
      if (index > 0) insert(parts[next++] as Part, pieces)
      if (text !== '') pieces.push(text)
    })
    if (pieces.length > 0) lines.push({ indent, pieces })
  }
  return codeOf(lines)
}

/** Code of nothing. */
export const NOTHING = js``

/** The parts with an operator between them. */
export function joined(parts: readonly Code[], separator: ' + ' | ' && ' | ' || ' | ' | '): Code {
  const pieces: (string | Code)[] = []
  insertAll(parts, separator, pieces)
  return pieces.length === 0 ? NOTHING : codeOf([{ indent: '', pieces }])
}

/** Statements under each other. */
export function lines(parts: readonly Code[]): Code {
  return js`${parts}`
}

/** `.price`: access to a field. Throws FIELD_NAME_INVALID for a name that is not an identifier. */
export function property(name: string): Code {
  return word(`.${checkedName(name)}`)
}

/**
 * `o.price`: a member of an object that comes from outside, undefined where it has none. What every object inherits,
 * such as `toString`, is not a member.
 */
export function member(object: Code, name: string): Code {
  const value = js`${object}${property(name)}`
  return name in Object.prototype ? js`(${value} === Object.prototype${property(name)} ? undefined : ${value})` : value
}

/** `price`: the name of a getter. A class may have one called `constructor` only when the name is computed. */
export function getter(name: string): Code {
  return name === 'constructor' ? js`[${name}]` : identifier(name)
}

/** `price`: the name of a field as a key or a variable. Throws FIELD_NAME_INVALID as `property` does. */
export function identifier(name: string): Code {
  return word(checkedName(name))
}

/** `Math.max`: something of the language or of the code's scope, by a path that the source of Millrace says. */
export function path(name: string): Code {
  if (!/^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$/.test(name))
    throw new MillraceError('CODE_PATH_INVALID', `${JSON.stringify(name)} is not a path of identifiers`)
  return word(name)
}

/** `-12n`: the literal of a bigint. */
export function bigint(value: bigint): Code {
  return word(value < 0n ? `(${value}n)` : `${value}n`)
}

function word(text: string): Code {
  return codeOf([{ indent: '', pieces: [text] }])
}

function checkedName(name: string): string {
  if (!isFieldName(name))
    throw new MillraceError('FIELD_NAME_INVALID', `field name ${JSON.stringify(name)} is not an identifier`)
  return name
}

function insert(part: Part, pieces: (string | Code)[]): void {
  if (isList(part)) insertAll(part, ', ', pieces)
  else if (!(part instanceof Code)) pieces.push(literal(part))
  else if (!part.isEmpty) pieces.push(part)
}

function insertAll(parts: readonly Code[], separator: string, pieces: (string | Code)[]): void {
  let isFirst = true
  for (const part of parts) {
    if (part.isEmpty) continue
    if (!isFirst) pieces.push(separator)
    pieces.push(part)
    isFirst = false
  }
}

function isList(part: Part | undefined): part is readonly Code[] {
  return Array.isArray(part)
}

/** A JavaScript literal; strings are quoted, also U+2028 and U+2029. */
function literal(value: string | number | boolean | null): string {
  if (typeof value === 'string')
    return JSON.stringify(value)
      .replace(/\u2028/g, '\\u2028')
      .replace(/\u2029/g, '\\u2029')
  if (Object.is(value, -0)) return '(-0)'
  if (typeof value === 'number' && value < 0) return `(${value})`
  return String(value)
}

/** A line of a template: its texts, between which parts go. */
interface TemplateLine {
  readonly indent: string
  readonly pieces: readonly string[]
  /** It holds nothing but one part. */
  readonly isAlone: boolean
}

function templateOf(strings: TemplateStringsArray): readonly TemplateLine[] {
  let template = templates.get(strings)
  if (template === undefined) templates.set(strings, (template = parsedTemplate(strings)))
  return template
}

function parsedTemplate({ raw }: TemplateStringsArray): TemplateLine[] {
  const all = raw.join(HOLE).replace(/^ *\n/, '').replace(/\n *$/, '').split('\n')
  const shared = Math.min(...all.filter((line) => line.trim() !== '').map((line) => line.search(/[^ ]/)))
  return all.map((line) => {
    const own = line.slice(Math.min(shared, line.length))
    const text = own.trimStart()
    return { indent: own.slice(0, own.length - text.length), pieces: text.split(HOLE), isAlone: text === HOLE }
  })
}

/** For whom code is generated: it names the code in stack traces and CPU profiles. */
export interface CodeOwner {
  readonly job?: string | undefined
  readonly operator?: string | undefined
}

/** A unit of code as it was compiled. */
export interface GeneratedSource {
  readonly owner: CodeOwner
  /** What it is: `chain`, `window`, `join`, … */
  readonly shape: string
  readonly text: string
}

let currentOwner: CodeOwner = {}
let listener: ((source: GeneratedSource) => void) | undefined

/** Names the owner of all code that `generate` compiles; what it does not name stays as it was. */
export function generatedFor<T>(owner: CodeOwner, generate: () => T): T {
  const before = currentOwner
  currentOwner = { ...before, ...owner }
  try {
    return generate()
  } finally {
    currentOwner = before
  }
}

/** The units that are compiled while `generate` runs, in their order. */
export async function recordGenerated(generate: () => Promise<void>): Promise<GeneratedSource[]> {
  const sources: GeneratedSource[] = []
  const before = listener
  listener = (source) => sources.push(source)
  try {
    await generate()
  } finally {
    listener = before
  }
  return sources
}

/**
 * Compiles the code as a function body with `scope`'s names as parameters and returns its result. Each call gives
 * functions with type feedback of their own (never shared between streams).
 */
export function compile<T>(shape: string, code: Code, scope: Readonly<Record<string, unknown>> = {}): T {
  listener?.({ owner: currentOwner, shape, text: code.text })
  const make = new Function(...Object.keys(scope), `'use strict'\n${code.text}\n//# sourceURL=${urlOf(shape)}`)
  return make(...Object.values(scope)) as T
}

/** `millrace:///job/operator/shape`, without what is not known. */
function urlOf(shape: string): string {
  const { job, operator } = currentOwner
  return `millrace:///${[job, operator, shape]
    .flatMap((part) => part ?? [])
    .map(encodeURIComponent)
    .join('/')}`
}
