import { MillraceError } from '../../../model/errors.ts'
import type { KuduTable, Tablet } from '../client.ts'
import { isKuduType, KUDU_TYPE, type KuduColumn } from '../columns.ts'
import type { Partitioning } from '../partition-key.ts'
import type { columnSchema, partitionSchema, scanAnswer, tableLocations, tableSchema } from '../protocol/messages.ts'
import type { Values } from '../../kit/protobuf.ts'
import { columnarBlock, type ScanBlock } from '../scan-block.ts'
import type { KuduAnswer } from './connection.ts'

/** RaftPeerPB.Role, and that of masters. */
export const LEADER = 1

export interface Location extends Tablet {
  /** host:port; undefined while no replica leads. */
  readonly leader: string | undefined
}

export function openTableOf(name: string, values: Values<typeof tableSchema>): KuduTable {
  const written = values.schema?.columns ?? []
  if ((values.partition?.customRanges ?? []).length > 0)
    throw new MillraceError(
      'KUDU_TABLE_UNSUPPORTED',
      `the Kudu table ${name} has ranges with hash schemas of their own`,
      {
        domain: 'user',
        hint: 'Tables whose ranges all have the hash schema of the table are supported.',
      },
    )
  const places = new Map(written.map(({ id }, index) => [id, index]))
  return {
    name,
    id: Buffer.from(values.id ?? []).toString('latin1'),
    columns: written.map((column) => columnOf(name, column)),
    partitioning: partitioningOf(values.partition ?? {}, places),
  }
}

function partitioningOf(
  { hash = [], range }: Values<typeof partitionSchema>,
  places: ReadonlyMap<number | undefined, number>,
): Partitioning {
  const placeOf = ({ id }: { readonly id?: number | undefined }): number => places.get(id) ?? 0
  return {
    hash: hash.map(({ columns = [], buckets = 1, seed = 0 }) => ({ columns: columns.map(placeOf), buckets, seed })),
    range: (range?.columns ?? []).map(placeOf),
  }
}

function columnOf(table: string, column: Values<typeof columnSchema>): KuduColumn {
  const { name = '', type, isKey = false, isNullable = false, attributes } = column
  if (!isKuduType(type))
    throw new MillraceError(
      'KUDU_TABLE_UNSUPPORTED',
      `column ${name} of the Kudu table ${table} has the unknown type ${type}`,
      {
        domain: 'user',
      },
    )
  return {
    name,
    type,
    isKey,
    isNullable,
    precision: attributes?.precision ?? 0,
    scale: attributes?.scale ?? 0,
    length: attributes?.length ?? 0,
  }
}

/** As a write names it: without its id. */
export function wireColumn({
  name,
  type,
  isKey,
  isNullable,
  precision,
  scale,
  length,
}: KuduColumn): Values<typeof columnSchema> {
  const isDecimal = type === KUDU_TYPE.decimal32 || type === KUDU_TYPE.decimal64 || type === KUDU_TYPE.decimal128
  const attributes = isDecimal ? { precision, scale } : type === KUDU_TYPE.varchar ? { length } : undefined
  return { name, type, isKey, isNullable, attributes }
}

/** As a scan names it: no column is a key there. */
export function projectedColumn(column: KuduColumn): Values<typeof columnSchema> {
  const readDefault = column.type === KUDU_TYPE.isDeleted ? { readDefault: Buffer.from([0]) } : {}
  return { ...wireColumn(column), isKey: false, ...readDefault }
}

export function locationsOf({ tablets = [], servers = [] }: Values<typeof tableLocations>): Location[] {
  return tablets.map(({ id, partition, replicas = [] }) => {
    const leader = replicas.find(({ role }) => role === LEADER)
    const address = leader === undefined ? undefined : servers[leader.server ?? 0]?.addresses?.[0]
    return {
      id: Buffer.from(id ?? []).toString('latin1'),
      start: Buffer.from(partition?.keyStart ?? []),
      end: Buffer.from(partition?.keyEnd ?? []),
      leader: address === undefined ? undefined : `${address.host}:${address.port}`,
    }
  })
}

export function blockOf(
  columns: readonly KuduColumn[],
  { values, sidecars }: KuduAnswer<typeof scanAnswer>,
): ScanBlock {
  const { columnar, lastKey, rowwise } = values
  if ((rowwise?.rows ?? 0) > 0)
    throw new MillraceError('KUDU_TOO_OLD', 'a tablet server gives no columns: Millrace needs Kudu 1.12 or newer', {
      domain: 'user',
    })
  const bytes = (columnar?.columns ?? []).map(({ data, varlen, nonNull }) => ({
    data: sidecarAt(sidecars, data) ?? Buffer.alloc(0),
    varlen: sidecarAt(sidecars, varlen),
    nonNull: sidecarAt(sidecars, nonNull),
  }))
  return columnarBlock(columns, bytes, columnar?.rows ?? 0, Buffer.from(lastKey ?? []))
}

function sidecarAt(sidecars: readonly Buffer[], index: number | undefined): Buffer | undefined {
  return index === undefined ? undefined : sidecars[index]
}
