import { FIELD_TYPES, isFieldName, namedField, type Field, type LogicalType, type ValueType } from './schema.ts'

/** Deepest nesting of rows and arrays. */
const MAX_DEPTH = 8
const MAX_PRECISION = 38

/** All that can stand in a schema, as a message shows it. */
export const KNOWN_TYPES: readonly string[] = [
  ...FIELD_TYPES,
  'bigint',
  'date',
  'time',
  'bytes',
  'decimal(p,s)',
  'array<type>',
  'map<type>',
  'row{name: type}',
]

/**
 * `long`, `decimal(10,2)?`, `array<string>`, `row{street: string, zip: long?}` → the type; undefined when it is
 * none.
 */
export function parseValueType(text: string): ValueType | undefined {
  const reader = new TypeReader(text)
  const type = reader.type(0)
  return reader.isAtEnd() ? type : undefined
}

/** The inverse of parseValueType. */
export function valueTypeText(type: ValueType): string {
  return `${baseText(type)}${type.nullable ? '?' : ''}`
}

function baseText({ type, logical }: ValueType): string {
  switch (logical?.kind) {
    case undefined:
      return type
    case 'date':
    case 'time':
    case 'bigint':
    case 'bytes':
      return logical.kind
    case 'decimal':
      return `decimal(${logical.precision},${logical.scale})`
    case 'array':
      return `array<${valueTypeText(logical.items)}>`
    case 'map':
      return `map<${valueTypeText(logical.values)}>`
    case 'row':
      return `row{${logical.fields.map((field) => `${field.name}: ${valueTypeText(field)}`).join(', ')}}`
  }
}

class TypeReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  isAtEnd(): boolean {
    return this.#at === this.#text.length
  }

  type(depth: number): ValueType | undefined {
    const base = depth > MAX_DEPTH ? undefined : this.#base(depth)
    if (base === undefined) return undefined
    const nullable = this.#take(/\?/y) !== undefined
    return { ...base, nullable }
  }

  #base(depth: number): { type: ValueType['type']; logical?: LogicalType } | undefined {
    const word = this.#take(/[a-z]+/y)
    switch (word) {
      case 'date':
        return { type: 'long', logical: { kind: 'date' } }
      case 'time':
        return { type: 'long', logical: { kind: 'time' } }
      case 'bigint':
        return { type: 'string', logical: { kind: 'bigint' } }
      case 'bytes':
        return { type: 'string', logical: { kind: 'bytes' } }
      case 'decimal':
        return this.#decimal()
      case 'array': {
        const items = this.#inner(depth)
        return items && { type: 'json', logical: { kind: 'array', items } }
      }
      case 'map': {
        const values = this.#inner(depth)
        return values && { type: 'json', logical: { kind: 'map', values } }
      }
      case 'row':
        return this.#row(depth)
      default: {
        const type = FIELD_TYPES.find((known) => known === word)
        return type === undefined ? undefined : { type }
      }
    }
  }

  /** `<type>`. */
  #inner(depth: number): ValueType | undefined {
    const inner = this.#take(/ *< */y) === undefined ? undefined : this.type(depth + 1)
    return this.#take(/ *>/y) === undefined ? undefined : inner
  }

  #decimal(): { type: 'string'; logical: LogicalType } | undefined {
    const [, precision = '', scale = '0'] = /^\( *(\d+) *(?:, *(\d+) *)?\)$/.exec(this.#take(/\([^)]*\)/y) ?? '') ?? []
    const logical = { kind: 'decimal' as const, precision: Number(precision), scale: Number(scale) }
    return logical.precision >= 1 && logical.precision <= MAX_PRECISION && logical.scale <= logical.precision
      ? { type: 'string', logical }
      : undefined
  }

  #row(depth: number): { type: 'json'; logical: LogicalType } | undefined {
    if (this.#take(/ *\{ */y) === undefined) return undefined
    const fields: Field[] = []
    const names = new Set<string>()
    do {
      const name = this.#take(/[A-Za-z_][A-Za-z0-9_]*/y)
      const type = this.#take(/ *: */y) === undefined ? undefined : this.type(depth + 1)
      if (name === undefined || type === undefined || !isFieldName(name) || names.has(name)) return undefined
      names.add(name)
      fields.push(namedField(name, type))
    } while (this.#take(/ *, */y) !== undefined)
    return this.#take(/ *\}/y) === undefined ? undefined : { type: 'json', logical: { kind: 'row', fields } }
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }
}
