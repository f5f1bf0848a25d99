import type { OptionProblem } from '../../graph/connector-declaration.ts'
import type { Schema } from '../../model/schema.ts'
import { valueSchema, type MetadataField } from './metadata-fields.ts'
import { choice } from './option-types.ts'

/** The ways to treat messages without a value. */
export type Tombstones = 'refuse' | 'rows'

export const tombstones = {
  type: choice('refuse', 'rows'),
  default: 'refuse',
  doc: 'What becomes of records without a value: bad records, or rows whose fields are null but for those of `metadata`.',
} as const

/** Returns the fields that a tombstone does not have. Paths are relative to the options of the source. */
export function tombstoneProblems(
  schema: Schema,
  metadata: readonly MetadataField<string>[],
  wanted: Tombstones,
): OptionProblem[] {
  if (wanted === 'refuse') return []
  const notNull = valueSchema(schema, metadata).fields.filter(({ nullable }) => !nullable)
  return notNull.map(({ name }) => ({
    path: 'tombstones',
    message: `a tombstone has no ${name}`,
    hint: `let it be null in the schema: ${name}: "type?"`,
  }))
}
