import type { OptionProblem } from '../../graph/connector-declaration.ts'
import { fieldOf, type Schema } from '../../model/schema.ts'
import { wholeText } from '../../model/whole-text.ts'

/** The fields that become parts of a message: its key, headers and time, and whether it has a value. */
export interface MessageFields {
  readonly key?: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly timestamp?: string | undefined
  readonly tombstone?: string | undefined
}

/** Fields that go beside the value of a record and are left out of it. */
export function fieldsBesideValue({ headers, timestamp, tombstone }: MessageFields): ReadonlySet<string> {
  return new Set([...Object.values(headers), timestamp, tombstone].filter((field) => field !== undefined))
}

/** The schema of the values. */
export function writtenSchema({ fields }: Schema, options: MessageFields): Schema {
  const beside = fieldsBesideValue(options)
  return { fields: fields.filter(({ name }) => !beside.has(name)) }
}

/** `words` are the names that the options of the sink have. */
export function messageFieldProblems(
  schema: Schema,
  { key, headers, timestamp, tombstone }: MessageFields,
  words: { readonly headers: string; readonly timestamp: string },
): OptionProblem[] {
  return [
    ...Object.entries(headers).flatMap(([header, field]) =>
      fieldProblems(schema, `${words.headers}.${header}`, field, ['string', 'bytes']),
    ),
    ...(timestamp === undefined ? [] : fieldProblems(schema, words.timestamp, timestamp, ['timestamp'])),
    ...tombstoneFieldProblems(schema, tombstone),
    ...(tombstone !== undefined && key === undefined
      ? [{ path: 'tombstone', message: 'needs a key: a record without key and value says nothing' }]
      : []),
  ]
}

/** What is wrong with the field that says of a row that it deletes its key. */
export function tombstoneFieldProblems(schema: Schema, tombstone: string | undefined): OptionProblem[] {
  return tombstone === undefined ? [] : fieldProblems(schema, 'tombstone', tombstone, ['boolean'])
}

function fieldProblems(schema: Schema, path: string, name: string, kinds: readonly string[]): OptionProblem[] {
  const field = fieldOf(schema, name)
  if (field === undefined) return [{ path, message: `there is no field "${name}"` }]
  const kind = field.logical?.kind ?? field.type
  return kinds.includes(kind) ? [] : [{ path, message: `"${name}" is ${kind}, and must be ${kinds.join(' or ')}` }]
}

/** The bytes of a key: texts as they are, everything else as its JSON; null stays null. Throws as `wholeText`. */
export function keyBytes(value: unknown): Buffer | null {
  if (value === null || value === undefined) return null
  return Buffer.from(typeof value === 'string' ? wholeText(value) : JSON.stringify(value))
}
