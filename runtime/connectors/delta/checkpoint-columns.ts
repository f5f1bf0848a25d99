import type { Shape } from '../../formats/parquet/nested-writer.ts'

type Members = Readonly<Record<string, Exclude<Shape['kind'], 'struct'> | Shape>>

function struct(name: string, members: Members): Shape {
  return {
    kind: 'struct',
    name,
    members: Object.entries(members).map(([member, of]) => (typeof of === 'string' ? { kind: of, name: member } : of)),
  }
}

const deletionVector = struct('deletionVector', {
  storageType: 'text',
  pathOrInlineDv: 'text',
  offset: 'int',
  sizeInBytes: 'int',
  cardinality: 'long',
})

/** The columns of a checkpoint ("Checkpoint Schema", PROTOCOL.md), without those of features that the sink refuses. */
export const CHECKPOINT_COLUMNS: readonly Shape[] = [
  struct('txn', { appId: 'text', version: 'long', lastUpdated: 'long' }),
  struct('add', {
    path: 'text',
    partitionValues: 'map',
    size: 'long',
    modificationTime: 'long',
    dataChange: 'boolean',
    tags: 'map',
    deletionVector,
    stats: 'text',
  }),
  struct('remove', {
    path: 'text',
    deletionTimestamp: 'long',
    dataChange: 'boolean',
    extendedFileMetadata: 'boolean',
    partitionValues: 'map',
    size: 'long',
    deletionVector,
  }),
  struct('metaData', {
    id: 'text',
    name: 'text',
    description: 'text',
    format: struct('format', { provider: 'text', options: 'map' }),
    schemaString: 'text',
    partitionColumns: 'list',
    configuration: 'map',
    createdTime: 'long',
  }),
  struct('protocol', {
    minReaderVersion: 'int',
    minWriterVersion: 'int',
    readerFeatures: 'list',
    writerFeatures: 'list',
  }),
]
