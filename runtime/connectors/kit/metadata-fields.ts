import type { OptionProblem } from '../../graph/connector-declaration.ts'
import type { Schema } from '../../model/schema.ts'

/** One part of what a record says beside its value, and the field of the rows that has it. */
export interface MetadataField<Part extends string> {
  readonly part: Part | 'header'
  readonly field: string
  /** Where in the option `metadata` it stands. */
  readonly path: string
  readonly header?: string
}

/** The option `metadata` as it is written: a field for each part, and those of headers by the name of the header. */
export type MetadataOption<Part extends string> = Readonly<Partial<Record<Part, string | undefined>>> & HeaderFields

interface HeaderFields {
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export function metadataFieldsOf<Option extends object>(
  option: Option | undefined,
): MetadataField<Exclude<keyof Option & string, 'headers'>>[] {
  const { headers = {}, ...parts }: HeaderFields = option ?? {}
  const plain = Object.entries(parts).flatMap(([part, field]) =>
    typeof field === 'string' ? [{ part: part as Exclude<keyof Option & string, 'headers'>, field, path: part }] : [],
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
export function valueSchema({ fields }: Schema, metadata: readonly MetadataField<string>[]): Schema {
  const taken = new Set(metadata.map(({ field }) => field))
  return { fields: fields.filter(({ name }) => !taken.has(name)) }
}

/**
 * Returns the mistakes in the fields that metadata goes to; `kinds` has the types that each part may have. Paths are
 * relative to the options of the source.
 */
export function metadataProblems<Part extends string>(
  { fields }: Schema,
  metadata: readonly MetadataField<Part>[],
  kinds: Readonly<Record<Part | 'header', readonly string[]>>,
): OptionProblem[] {
  const byName = new Map(fields.map((field) => [field.name, field]))
  return metadata.flatMap(({ part, field: name, path }) => {
    const field = byName.get(name)
    const at = `metadata.${path}`
    if (field === undefined) return [{ path: at, message: `there is no field "${name}" in the schema` }]
    const kind = field.logical?.kind ?? field.type
    if (kinds[part].includes(kind)) return []
    return [{ path: at, message: `"${name}" is ${kind}, and must be ${kinds[part].join(' or ')}` }]
  })
}
