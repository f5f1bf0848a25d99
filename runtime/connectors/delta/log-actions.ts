import { MillraceError } from '../../model/errors.ts'
import { isFields, memberOf, membersOf, type Fields } from '../../model/fields.ts'
import type { Json } from '../../model/snapshot.ts'
import { utf8Text } from '../../model/utf8-text.ts'

/** A data file of the table ("Add File and Remove File" of Delta's PROTOCOL.md). */
export interface DataFile {
  /** Relative to the table, decoded. */
  readonly path: string
  /** As the log has it. */
  readonly encodedPath: string
  readonly partitionValues: ReadonlyMap<string, string | null>
  readonly sizeBytes: number
  readonly modificationTime: number
  /** False where rows were only moved, as by OPTIMIZE. */
  readonly dataChange: boolean
  /** JSON: number of records, and bounds by column. */
  readonly stats: string | undefined
  /** A file of which rows are deleted is another one than the same file without, or with another vector. */
  readonly deletionVector: string | undefined
}

export interface Protocol {
  readonly minReaderVersion: number
  readonly minWriterVersion: number
  readonly readerFeatures: readonly string[]
  readonly writerFeatures: readonly string[]
}

export interface TableMetadata {
  readonly id: string
  readonly schemaString: string
  readonly partitionColumns: readonly string[]
  readonly configuration: ReadonlyMap<string, string>
  /** As it was read, for a change that keeps the rest. */
  readonly written: Fields
}

export type LogAction =
  | { readonly kind: 'add'; readonly file: DataFile }
  | {
      readonly kind: 'remove'
      readonly path: string
      readonly deletionVector: string | undefined
      readonly dataChange: boolean
    }
  | { readonly kind: 'metaData'; readonly metadata: TableMetadata }
  | { readonly kind: 'protocol'; readonly protocol: Protocol }
  | { readonly kind: 'txn'; readonly appId: string; readonly version: number }

/** An action as it is written: one JSON object with one member. */
export type WrittenAction = { readonly [kind: string]: Json }

export function invalidLog(where: string, why: string, cause?: unknown): MillraceError {
  return new MillraceError('DELTA_LOG_INVALID', `${where} is no log entry of a Delta table: ${why}`, {
    domain: 'user',
    ...(cause === undefined ? {} : { cause }),
  })
}

/** The actions of a commit; those that say nothing of rows or schema are left out. */
export function parseActions(bytes: Uint8Array, where: string): LogAction[] {
  return writtenActions(bytes, where).flatMap(({ action, place }) => actionsOf(action, place))
}

/** The actions of a commit as they are written, a JSON object per line, and the line of each. */
export function writtenActions(
  bytes: Uint8Array,
  where: string,
): { readonly action: Fields; readonly place: string }[] {
  const text = utf8Text(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length)
  if (text === undefined) throw invalidLog(where, 'it is not UTF-8')
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return []
    const place = `line ${index + 1} of ${where}`
    try {
      return [{ action: membersOf(JSON.parse(line) as unknown), place }]
    } catch (cause) {
      throw invalidLog(place, 'it is not JSON', cause)
    }
  })
}

/** The actions that the members of an object stand for: at most one in a commit, one in a row of a checkpoint. */
export function actionsOf(members: Fields, where: string): LogAction[] {
  const actions: LogAction[] = []
  for (const [kind, value] of Object.entries(members)) {
    if (!isFields(value)) continue
    const action = actionOf(kind, value, where)
    if (action !== undefined) actions.push(action)
  }
  return actions
}

function actionOf(kind: string, value: Fields, where: string): LogAction | undefined {
  switch (kind) {
    case 'add':
      return { kind, file: fileOf(value, where) }
    case 'remove':
      return {
        kind,
        path: pathOf(value, where),
        deletionVector: vectorOf(value),
        dataChange: value['dataChange'] !== false,
      }
    case 'metaData':
      return { kind, metadata: metadataOf(value, where) }
    case 'protocol':
      return {
        kind,
        protocol: {
          minReaderVersion: wholeNumber(value, 'minReaderVersion', where),
          minWriterVersion: wholeNumber(value, 'minWriterVersion', where),
          readerFeatures: texts(value['readerFeatures']),
          writerFeatures: texts(value['writerFeatures']),
        },
      }
    case 'txn':
      return { kind, appId: text(value, 'appId', where), version: wholeNumber(value, 'version', where) }
    default:
      return undefined
  }
}

function fileOf(value: Fields, where: string): DataFile {
  const { stats } = value
  return {
    path: pathOf(value, where),
    encodedPath: text(value, 'path', where),
    partitionValues: new Map(
      Object.entries(membersOf(value['partitionValues'])).map(([name, part]) => [
        name,
        // an empty text stands for null (PROTOCOL.md, "Partition Value Serialization")
        typeof part === 'string' && part !== '' ? part : null,
      ]),
    ),
    sizeBytes: wholeNumber(value, 'size', where),
    modificationTime: Number(value['modificationTime'] ?? 0),
    dataChange: value['dataChange'] !== false,
    stats: typeof stats === 'string' ? stats : undefined,
    deletionVector: vectorOf(value),
  }
}

/** Its unique id ("Derived Fields", PROTOCOL.md); undefined without one. */
function vectorOf({ deletionVector }: Fields): string | undefined {
  if (!isFields(deletionVector)) return undefined
  const { storageType, pathOrInlineDv, offset } = deletionVector
  const place = typeof offset === 'number' ? `@${offset}` : ''
  return `${String(storageType)}${String(pathOrInlineDv)}${place}`
}

function metadataOf(value: Fields, where: string): TableMetadata {
  return {
    id: text(value, 'id', where),
    schemaString: text(value, 'schemaString', where),
    partitionColumns: texts(value['partitionColumns']),
    configuration: new Map(
      Object.entries(membersOf(value['configuration'])).map(([name, setting]) => [name, String(setting)]),
    ),
    written: value,
  }
}

/** Paths are URIs, percent-encoded; those of shallow clones lead out of the table and are refused. */
function pathOf(value: Fields, where: string): string {
  const encoded = text(value, 'path', where)
  let path: string
  try {
    path = decodeURIComponent(encoded)
  } catch (cause) {
    throw invalidLog(where, `the path ${JSON.stringify(encoded)} is not percent-encoded`, cause)
  }
  const isOutside = path.startsWith('/') || /^[a-z][a-z0-9+.-]*:/i.test(path) || path.split('/').includes('..')
  if (path === '' || isOutside || path.includes('\0'))
    throw invalidLog(where, `the path ${JSON.stringify(path)} leads out of the table, which is not followed`)
  return path
}

function text(value: Fields, name: string, where: string): string {
  const found = memberOf(value, name)
  if (typeof found === 'string') return found
  throw invalidLog(where, `${name} is ${JSON.stringify(found) ?? 'missing'}, not a text`)
}

function wholeNumber(value: Fields, name: string, where: string): number {
  const found = memberOf(value, name)
  if (typeof found === 'number' && Number.isSafeInteger(found) && found >= 0) return found
  throw invalidLog(where, `${name} is ${JSON.stringify(found) ?? 'missing'}, not a whole number`)
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
