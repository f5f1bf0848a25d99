import type { OptionProblem } from '../../../graph/connector-declaration.ts'
import type { Schema } from '../../../model/schema.ts'

/** The fields of a row that hold the key, time, place and headers of its record. */
export interface MetadataFields {
  readonly key?: string | undefined
  readonly timestamp?: string | undefined
  readonly topic?: string | undefined
  readonly partition?: string | undefined
  readonly offset?: string | undefined
  /** By the name of the header. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

type Part = 'key' | 'timestamp' | 'topic' | 'partition' | 'offset' | 'header'

const KINDS: Readonly<Record<Part, readonly string[]>> = {
  key: ['string', 'bytes'],
  timestamp: ['timestamp'],
  topic: ['string'],
  partition: ['long'],
  offset: ['long', 'bigint'],
  header: ['string', 'bytes'],
}

/** One part of what a record says, and the field that has it. */
export interface MetadataField {
  readonly part: Part
  readonly field: string
  /** Where in the options it stands. */
  readonly path: string
  readonly header?: string
}

export function metadataFieldsOf({ headers = {}, ...parts }: MetadataFields): MetadataField[] {
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
  const taken = new Set(metadataFieldsOf(metadata ?? {}).map(({ field }) => field))
  return { fields: fields.filter(({ name }) => !taken.has(name)) }
}

/** Returns the mistakes in the fields that metadata goes to. Paths are relative to the options of the source. */
export function metadataProblems(
  { fields }: Schema,
  metadata: MetadataFields | undefined,
  tombstones: 'refuse' | 'rows',
): OptionProblem[] {
  const byName = new Map(fields.map((field) => [field.name, field]))
  const wrong = metadataFieldsOf(metadata ?? {}).flatMap(({ part, field: name, path }) => {
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
