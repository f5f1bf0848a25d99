import { compileRowClass, type RowClass } from '../../codegen/rows/row.ts'
import type { OptionProblem } from '../../graph/connector-declaration.ts'
import { MillraceError } from '../../model/errors.ts'
import { latin1 } from '../../model/logical-values.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import type { Metadata } from './record-metadata.ts'

/** Which fields of a row have what a record says beside its value. */
export interface MetadataFields {
  readonly key?: string | undefined
  readonly timestamp?: string | undefined
  readonly topic?: string | undefined
  readonly partition?: string | undefined
  readonly offset?: string | undefined
  /** By the name of the header. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Where a record stands, and what it says beside its value. */
export interface RecordPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly bytes: Buffer
  readonly metadata: Metadata
}

type Part = 'key' | 'timestamp' | 'topic' | 'partition' | 'offset' | 'header'
type ReadPart = (place: RecordPlace) => unknown

const KINDS: Readonly<Record<Part, readonly string[]>> = {
  key: ['string', 'bytes'],
  timestamp: ['timestamp'],
  topic: ['string'],
  partition: ['long'],
  offset: ['long', 'bigint'],
  header: ['string', 'bytes'],
}

interface Wanted {
  readonly part: Part
  readonly field: string
  /** Where in the options it stands. */
  readonly path: string
  readonly header?: string
}

function wantedOf({ headers = {}, ...parts }: MetadataFields): Wanted[] {
  const plain = Object.entries(parts).flatMap(([part, field]) =>
    field === undefined ? [] : [{ part: part as Part, field, path: part }],
  )
  const named = Object.entries(headers).map(([header, field]) => ({
    part: 'header' as const,
    field,
    header,
    path: `headers.${header}`,
  }))
  return [...plain, ...named]
}

/** The fields that come from the value of a record. */
export function valueSchema({ fields }: Schema, metadata: MetadataFields | undefined): Schema {
  const taken = new Set(wantedOf(metadata ?? {}).map(({ field }) => field))
  return { fields: fields.filter(({ name }) => !taken.has(name)) }
}

/** What is wrong with the fields that metadata goes to. Paths are relative to the options of the source. */
export function metadataProblems(
  { fields }: Schema,
  metadata: MetadataFields | undefined,
  tombstones: 'refuse' | 'rows',
): OptionProblem[] {
  const byName = new Map(fields.map((field) => [field.name, field]))
  const wrong = wantedOf(metadata ?? {}).flatMap(({ part, field: name, path }) => {
    const field = byName.get(name)
    const at = `metadata.${path}`
    if (field === undefined) return [{ path: at, message: `there is no field "${name}" in the schema` }]
    const kind = field.logical?.kind ?? field.type
    if (KINDS[part].includes(kind)) return []
    return [{ path: at, message: `"${name}" is ${kind}, and must be ${KINDS[part].join(' or ')}` }]
  })
  if (tombstones === 'refuse') return wrong
  const notNull = valueSchema({ fields }, metadata).fields.filter(({ nullable }) => !nullable)
  return [
    ...wrong,
    ...notNull.map(({ name }) => ({
      path: 'tombstones',
      message: `a tombstone has no ${name}`,
      hint: `let it be null in the schema: ${name}: "type?"`,
    })),
  ]
}

/** Makes the rows of a source whose schema has metadata. */
export class MetadataRows {
  /** The class of rows that the scanner of the values makes. */
  readonly values: RowClass
  readonly #rows: RowClass
  readonly #fields: readonly { readonly field: Field; readonly read: ReadPart | undefined }[]

  constructor(schema: Schema, metadata: MetadataFields, rows: RowClass) {
    const wanted = new Map(wantedOf(metadata).map((one) => [one.field, one]))
    this.values = compileRowClass(valueSchema(schema, metadata))
    this.#rows = rows
    this.#fields = schema.fields.map((field) => {
      const one = wanted.get(field.name)
      return { field, read: one === undefined ? undefined : readerOf(one, field) }
    })
  }

  /** The whole row; `value` is undefined for a tombstone. Throws RECORD_INVALID for a null that its field cannot hold. */
  row(value: Row | undefined, place: RecordPlace): Row {
    return new this.#rows(
      ...this.#fields.map(({ field, read }) => {
        if (read === undefined) return value?.[field.name] ?? null
        const found = read(place)
        if (found !== null || field.nullable) return found
        throw new MillraceError('RECORD_INVALID', `the record has no ${field.name}, and it may not be null`, {
          domain: 'user',
        })
      }),
    )
  }
}

function readerOf({ part, header }: Wanted, { logical }: Field): ReadPart {
  const isBytes = logical?.kind === 'bytes'
  const textOf = (bytes: Buffer, start: number, end: number): string | null =>
    end < start ? null : isBytes ? latin1(bytes.subarray(start, end)) : bytes.toString('utf8', start, end)
  switch (part) {
    case 'key':
      return ({ bytes, metadata: { keyStart, keyEnd } }) => textOf(bytes, keyStart, keyEnd)
    case 'timestamp':
      return ({ metadata }) => metadata.timestamp
    case 'topic':
      return ({ topic }) => topic
    case 'partition':
      return ({ partition }) => partition
    case 'offset':
      return ({ offset }) => (logical?.kind === 'bigint' ? String(offset) : offset)
    case 'header':
      // of headers of one name the last counts, as in Kafka's own clients
      return ({ bytes, metadata: { headers } }) => {
        const found = headers.findLast(({ name }) => name === header)
        return found === undefined ? null : textOf(bytes, found.start, found.end)
      }
  }
}
