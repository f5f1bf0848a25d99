import { MillraceError } from '../../model/errors.ts'
import { membersOf } from '../../model/fields.ts'
import type { Protocol, TableMetadata } from './log-actions.ts'
import { writtenColumns } from './table-schema.ts'

/** Features that change nothing for who reads the files that the log names ("Table Features", PROTOCOL.md). */
const READABLE: ReadonlySet<string> = new Set(['timestampNtz', 'vacuumProtocolCheck'])
/** Reading them is refused file by file, and column mapping by its mode: a table may only allow them. */
const CHECKED_WHEN_READ: ReadonlySet<string> = new Set(['deletionVectors', 'columnMapping'])
/** Features that ask nothing of who only appends, as long as no column or setting makes use of them. */
const APPENDABLE: ReadonlySet<string> = new Set([
  ...READABLE,
  ...CHECKED_WHEN_READ,
  'appendOnly',
  'invariants',
  'checkConstraints',
  'changeDataFeed',
  'generatedColumns',
  'identityColumns',
])
/** Keys in the metadata of a column whose values the writer would have to check or make. */
const COLUMN_RULES = ['delta.invariants', 'delta.generationExpression', 'delta.identity.start']
const NEWEST_READER = 3
const NEWEST_WRITER = 7
const FEATURES_READER = 3
const FEATURES_WRITER = 7
/** Before features had names, from this version on a reader had to know column mapping. */
const MAPPING_READER = 2

/** A new table asks for the oldest protocol, which every reader and writer knows. */
export const NEW_PROTOCOL = { minReaderVersion: 1, minWriterVersion: 2 } as const

/** Throws DELTA_FEATURE_UNKNOWN for a table that this source would read wrongly. */
export function checkReadable(name: string, protocol: Protocol, metadata: TableMetadata): void {
  const { minReaderVersion, readerFeatures } = protocol
  if (minReaderVersion > NEWEST_READER) throw unknown(name, `reader version ${minReaderVersion}`)
  if (minReaderVersion >= FEATURES_READER)
    for (const feature of readerFeatures)
      if (!READABLE.has(feature) && !CHECKED_WHEN_READ.has(feature))
        throw unknown(name, `the reader feature ${feature}`)
  if (minReaderVersion >= MAPPING_READER) checkMapping(name, metadata)
}

/** Throws DELTA_FEATURE_UNKNOWN for a table whose rules this sink would break by appending. */
export function checkAppendable(name: string, protocol: Protocol, metadata: TableMetadata): void {
  const { minWriterVersion, writerFeatures } = protocol
  if (minWriterVersion > NEWEST_WRITER) throw unknown(name, `writer version ${minWriterVersion}`)
  if (minWriterVersion >= FEATURES_WRITER)
    for (const feature of writerFeatures)
      if (!APPENDABLE.has(feature)) throw unknown(name, `the writer feature ${feature}`)
  checkMapping(name, metadata)
  for (const setting of metadata.configuration.keys())
    if (setting.startsWith('delta.constraints.')) throw unknown(name, `the constraint ${setting}`)
  for (const { column, rule } of columnRules(name, metadata)) throw unknown(name, `${rule} of the column ${column}`)
}

/** Throws for a table whose files this sink must not remove, or not without more than it writes. */
export function checkReplaceable(
  name: string,
  { minWriterVersion, writerFeatures }: Protocol,
  metadata: TableMetadata,
): void {
  const isTrue = (setting: string): boolean => metadata.configuration.get(setting)?.toLowerCase() === 'true'
  // a setting means nothing to writers of a table with named features that does not name it
  const isOn = (setting: string, feature: string): boolean =>
    isTrue(setting) && (minWriterVersion < FEATURES_WRITER || writerFeatures.includes(feature))
  if (isOn('delta.appendOnly', 'appendOnly'))
    throw new MillraceError(
      'DELTA_APPEND_ONLY',
      `rows of the Delta table ${name} may not be replaced: delta.appendOnly is true`,
      { domain: 'user', hint: 'write it with mode: append, or set delta.appendOnly to false' },
    )
  if (isOn('delta.enableChangeDataFeed', 'changeDataFeed'))
    throw new MillraceError(
      'DELTA_FEATURE_UNKNOWN',
      `the Delta table ${name} keeps a change data feed (delta.enableChangeDataFeed), for which mode: upsert writes no files`,
      { domain: 'user', hint: 'write it with mode: append, or set delta.enableChangeDataFeed to false' },
    )
}

function checkMapping(name: string, { configuration }: TableMetadata): void {
  const mode = configuration.get('delta.columnMapping.mode') ?? 'none'
  if (mode !== 'none') throw unknown(name, `column mapping (delta.columnMapping.mode = ${mode})`)
}

function columnRules(name: string, { schemaString }: TableMetadata): { column: string; rule: string }[] {
  return writtenColumns(name, schemaString).flatMap((column) => {
    const field = membersOf(column)
    return Object.keys(membersOf(field['metadata']))
      .filter((key) => COLUMN_RULES.includes(key))
      .map((rule) => ({ column: String(field['name']), rule }))
  })
}

function unknown(name: string, what: string): MillraceError {
  return new MillraceError('DELTA_FEATURE_UNKNOWN', `the Delta table ${name} uses ${what}, which is not supported`, {
    domain: 'user',
    hint: 'remove the feature from the table (ALTER TABLE … DROP FEATURE), or use another table',
  })
}
