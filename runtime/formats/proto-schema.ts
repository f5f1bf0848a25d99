import { MAX_DEPTH } from '../model/decoding-limits.ts'
import { clipped } from '../model/clipped.ts'
import { MillraceError } from '../model/errors.ts'

const SCALARS = [
  'double',
  'float',
  'int32',
  'int64',
  'uint32',
  'uint64',
  'sint32',
  'sint64',
  'fixed32',
  'fixed64',
  'sfixed32',
  'sfixed64',
  'bool',
  'string',
  'bytes',
] as const
export type ProtoScalar = (typeof SCALARS)[number]

export type ProtoType =
  | { kind: 'scalar'; scalar: ProtoScalar }
  | { kind: 'enum'; names: ReadonlyMap<number, string> }
  | { kind: 'message'; message: ProtoMessage }
  /** google.protobuf.Timestamp. */
  | { kind: 'timestamp' }

export interface ProtoField {
  name: string
  number: number
  type: ProtoType
  isRepeated: boolean
  /** Presence is tracked: `optional`, messages, members of a oneof. */
  hasPresence: boolean
  isMap: boolean
}

export interface ProtoMessage {
  name: string
  fields: ProtoField[]
  nested: ProtoMessage[]
}

/** What is known of a .proto text: its messages in order, nested ones inside. */
export interface ProtoFile {
  messages: readonly ProtoMessage[]
}

function invalid(why: string): MillraceError {
  return new MillraceError('PROTO_INVALID', `a .proto text cannot be used: ${why}`, { domain: 'user' })
}

/**
 * Reads a .proto text of syntax proto2 or proto3 (the language's grammar at protobuf.dev; services, options and
 * extensions are passed over, groups refused). It must be whole: of other files only google.protobuf.Timestamp is
 * known. Throws PROTO_INVALID.
 */
export function parseProto(text: string): ProtoFile {
  return new ProtoReader(text).file()
}

/** The message of that name, with or without its package; the first one when none is named. Throws PROTO_INVALID. */
export function messageNamed({ messages }: ProtoFile, name: string | undefined): ProtoMessage {
  const all = messages.flatMap(withNested)
  const found =
    name === undefined
      ? messages[0]
      : (all.find((message) => message.name === name) ?? all.find((message) => message.name.endsWith(`.${name}`)))
  if (found === undefined)
    throw invalid(
      name === undefined
        ? 'it has no message'
        : `there is no message ${name} among ${clipped(all.map(({ name: known }) => known).join(', '), 500)}`,
    )
  return found
}

/** The message at these indexes, as the wire format of registries names it: of the file, then of its nested ones. */
export function messageAt({ messages }: ProtoFile, indexes: readonly number[]): ProtoMessage {
  let level = messages
  let found: ProtoMessage | undefined
  for (const index of indexes) {
    found = level[index]
    level = found?.nested ?? []
  }
  if (found === undefined) throw invalid(`there is no message at ${indexes.join('.')}`)
  return found
}

function withNested(message: ProtoMessage): ProtoMessage[] {
  return [message, ...message.nested.flatMap(withNested)]
}

const TOKENS =
  /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|([A-Za-z_.][\w.]*|-?\d[\w.+-]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{}[\]()<>=;,:+\-/&])/y

/** The characters of a .proto text: each of its fields is looked for in every scope. */
const MAX_TEXT_LENGTH = 256 * 1024
/** The characters of a message's name, with its package and the messages that it stands in. */
const MAX_NAME_LENGTH = 256
const MAX_NAME_PARTS = 32

/** Names are resolved when all of them are known. */
interface Pending {
  field: ProtoField
  typeName: string
  scope: string
}

class ProtoReader {
  readonly #tokens: readonly string[]
  #at = 0
  /** How deep messages and oneofs stand in each other. */
  #depth = 0
  #isProto3 = false
  #package = ''
  readonly #messages = new Map<string, ProtoMessage>()
  readonly #enums = new Map<string, Map<number, string>>()
  readonly #takenOf = new Map<ProtoMessage, Set<string | number>>()
  readonly #pending: Pending[] = []
  /** What `map` stands for, written out: so says a registry that was given a compiled schema. */
  readonly #entries = new Set<ProtoMessage>()

  constructor(text: string) {
    if (text.length > MAX_TEXT_LENGTH)
      throw invalid(`it has ${text.length} characters, at most ${MAX_TEXT_LENGTH} are taken`)
    this.#tokens = tokensOf(text)
  }

  file(): ProtoFile {
    const messages: ProtoMessage[] = []
    while (this.#at < this.#tokens.length) {
      const word = this.#next()
      if (word === 'syntax') {
        this.#expect('=')
        this.#isProto3 = this.#next().slice(1, -1) === 'proto3'
        this.#expect(';')
      } else if (word === 'package') {
        this.#package = this.#next()
        this.#expect(';')
      } else if (word === 'message') messages.push(this.#message(this.#package))
      else if (word === 'enum') this.#enum(this.#package)
      else if (word !== ';') this.#skipStatement()
    }
    for (const pending of this.#pending) this.#resolve(pending)
    for (const { field } of this.#pending) {
      const { type } = field
      if (!field.isRepeated || type.kind !== 'message' || !this.#entries.has(type.message)) continue
      field.isMap = true
      for (const part of type.message.fields)
        part.hasPresence = part.type.kind === 'message' || part.type.kind === 'timestamp'
    }
    return { messages }
  }

  #message(scope: string): ProtoMessage {
    const name = joined(scope, this.#next())
    if (name.length > MAX_NAME_LENGTH || name.split('.').length > MAX_NAME_PARTS)
      throw invalid(
        `the name of message ${clipped(name)} is longer than ${MAX_NAME_PARTS} parts or ${MAX_NAME_LENGTH} characters`,
      )
    const message: ProtoMessage = { name, fields: [], nested: [] }
    this.#messages.set(name, message)
    this.#expect('{')
    this.#members(message, false)
    return message
  }

  /** Up to the closing brace of the message, or of a oneof in it. */
  #members(message: ProtoMessage, isOneof: boolean): void {
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) throw invalid(`it is nested more than ${MAX_DEPTH} deep`)
    for (let word = this.#next(); word !== '}'; word = this.#next()) {
      switch (word) {
        case ';':
          break
        case 'message':
          message.nested.push(this.#message(message.name))
          break
        case 'enum':
          this.#enum(message.name)
          break
        case 'oneof':
          this.#next()
          this.#expect('{')
          this.#members(message, true)
          break
        case 'option':
          if (this.#tokens[this.#at] === 'map_entry') this.#entries.add(message)
          this.#skipStatement()
          break
        case 'reserved':
        case 'extensions':
        case 'extend':
          this.#skipStatement()
          break
        case 'group':
          throw invalid(`${message.name} has a group`)
        default:
          this.#field(message, word, isOneof)
      }
    }
    this.#depth -= 1
  }

  /** Numbers and names of its fields. A look at each of them for each field would take minutes for a long text. */
  #taken(message: ProtoMessage): Set<string | number> {
    const known = this.#takenOf.get(message)
    if (known !== undefined) return known
    const taken = new Set<string | number>()
    this.#takenOf.set(message, taken)
    return taken
  }

  #field(message: ProtoMessage, first: string, isOneof: boolean): void {
    const label = first === 'optional' || first === 'required' || first === 'repeated' ? first : undefined
    let typeName = label === undefined ? first : this.#next()
    const field: ProtoField = {
      name: '',
      number: 0,
      type: { kind: 'timestamp' },
      isRepeated: label === 'repeated',
      hasPresence: isOneof || label === 'optional' || !this.#isProto3,
      isMap: false,
    }
    if (typeName === 'map') {
      typeName = this.#mapEntry(message)
      field.isRepeated = field.isMap = true
    }
    field.name = this.#next()
    this.#expect('=')
    field.number = Number(this.#next())
    if (!Number.isInteger(field.number) || field.number < 1 || field.number > 536_870_911)
      throw invalid(`field ${message.name}.${field.name} has the number ${field.number}`)
    const taken = this.#taken(message)
    if (taken.has(field.number) || taken.has(field.name))
      throw invalid(`${message.name} has two fields ${field.name} or numbered ${field.number}`)
    taken.add(field.number).add(field.name)
    message.fields.push(field)
    this.#pending.push({ field, typeName, scope: message.name })
    this.#skipOptions()
  }

  /** `map<K, V>` is a repeated message of key and value; returns the name of that. */
  #mapEntry(message: ProtoMessage): string {
    this.#expect('<')
    const key = this.#next()
    this.#expect(',')
    const value = this.#next()
    this.#expect('>')
    const name = `${message.name}.#${message.fields.length}`
    const entry: ProtoMessage = { name, nested: [], fields: [] }
    for (const [fieldName, typeName, number] of [
      ['key', key, 1],
      ['value', value, 2],
    ] as const) {
      const field: ProtoField = {
        name: fieldName,
        number,
        type: { kind: 'timestamp' },
        isRepeated: false,
        hasPresence: false,
        isMap: false,
      }
      entry.fields.push(field)
      this.#pending.push({ field, typeName, scope: message.name })
    }
    this.#messages.set(name, entry)
    return `.${name}`
  }

  #enum(scope: string): void {
    const names = new Map<number, string>()
    this.#enums.set(joined(scope, this.#next()), names)
    this.#expect('{')
    for (let word = this.#next(); word !== '}'; word = this.#next()) {
      if (word === ';') continue
      if (word === 'option' || word === 'reserved') {
        this.#skipStatement()
        continue
      }
      this.#expect('=')
      const number = Number(this.#next())
      if (!names.has(number)) names.set(number, word)
      this.#skipOptions()
    }
  }

  #resolve({ field, typeName, scope }: Pending): void {
    const scalar = SCALARS.find((known) => known === typeName)
    field.type = scalar === undefined ? this.#named(typeName, scope) : { kind: 'scalar', scalar }
    if (field.type.kind === 'message' || field.type.kind === 'timestamp') field.hasPresence = true
  }

  /** The innermost scope that knows the name wins. */
  #named(typeName: string, scope: string): ProtoType {
    if (typeName.replace(/^\./, '') === 'google.protobuf.Timestamp') return { kind: 'timestamp' }
    const scopes = typeName.startsWith('.')
      ? ['']
      : scope
          .split('.')
          .map((_, index, parts) => parts.slice(0, parts.length - index).join('.'))
          .concat('')
    for (const outer of scopes) {
      const name = joined(outer, typeName.replace(/^\./, ''))
      const message = this.#messages.get(name)
      if (message !== undefined) return { kind: 'message', message }
      const names = this.#enums.get(name)
      if (names !== undefined) return { kind: 'enum', names }
    }
    throw invalid(`there is no type ${typeName}; imports are not followed`)
  }

  /** To the end of what has begun: a semicolon, or a block in braces. */
  #skipStatement(): void {
    for (let depth = 0; ; ) {
      const token = this.#next()
      if (token === '{') depth++
      else if (token === '}' && --depth === 0) return
      else if (token === ';' && depth === 0) return
    }
  }

  /** To the semicolon behind a field; its options may hold braces. */
  #skipOptions(): void {
    for (let token = this.#next(); token !== ';'; token = this.#next());
  }

  #next(): string {
    const token = this.#tokens[this.#at++]
    if (token === undefined) throw invalid('it ends too early')
    return token
  }

  #expect(token: string): void {
    const found = this.#next()
    if (found !== token) throw invalid(`${JSON.stringify(token)} was expected, found ${JSON.stringify(found)}`)
  }
}

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  TOKENS.lastIndex = 0
  while (TOKENS.lastIndex < text.length) {
    const at = TOKENS.lastIndex
    const match = TOKENS.exec(text)
    if (match === null) throw invalid(`${JSON.stringify(text.slice(at, at + 20))} cannot stand there`)
    if (match[1] !== undefined) tokens.push(match[1])
  }
  return tokens
}

function joined(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`
}
