import { MillraceError } from '../../../model/errors.ts'
import type { KuduClient, KuduTable, Scanner, SnapshotTime, Tablet, TabletScan } from '../client.ts'
import { KUDU_TYPE, type Cell, type KuduColumn } from '../columns.ts'
import { KuduServerError, TABLET_SERVER, tableUnknown } from '../errors.ts'
import { partitionKeyer } from '../partition-key.ts'
import type { ScanBlock } from '../scan-block.ts'

/** A row as it was from `time` on; deleted ones have no cells. */
interface Version {
  readonly time: SnapshotTime
  readonly cells: readonly (Cell | null)[] | undefined
}

/** One tablet: rows by their key, each with all its versions. */
interface VirtualTablet extends Tablet {
  readonly rows: Map<string, Version[]>
}

/** A mishap of the next call in place of its answer. */
export type Mishap = 'unreachable' | 'notTheLeader' | 'scannerExpired' | 'throttled'

/** One table of a cluster in memory, with time that only writes move on. */
export class VirtualKudu {
  table: KuduTable
  readonly tablets: VirtualTablet[]
  readonly mishaps: Mishap[] = []
  /** Rows of a block; small, so that scans have many. */
  rowsABlock = 7
  #now: SnapshotTime = 1000n

  constructor(columns: readonly KuduColumn[], tablets: number) {
    const keys = columns.flatMap(({ isKey }, index) => (isKey ? [index] : []))
    this.table = {
      name: 'table',
      id: 'id',
      columns,
      partitioning: { hash: [{ columns: keys, buckets: tablets, seed: 0 }], range: keys },
    }
    this.tablets = Array.from({ length: tablets }, (_, bucket) => {
      const bound = (at: number): Buffer => {
        const bytes = Buffer.alloc(4)
        bytes.writeUInt32BE(at)
        return bytes
      }
      return {
        id: `tablet-${bucket}`,
        start: bound(bucket),
        end: bucket === tablets - 1 ? Buffer.alloc(0) : bound(bucket + 1),
        rows: new Map(),
      }
    })
  }

  upsert(cells: readonly (Cell | null)[]): void {
    this.#put(cells, cells)
  }

  delete(cells: readonly (Cell | null)[]): void {
    this.#put(cells, undefined)
  }

  connect(): KuduClient {
    return {
      masters: 'virtual:7051',
      openTable: async (name) => {
        this.#meet()
        if (name !== this.table.name) throw tableUnknown(name, 'virtual:7051')
        return this.table
      },
      tablets: async ({ id, name }) => {
        if (id !== this.table.id) throw tableUnknown(name, 'virtual:7051')
        return this.tablets
      },
      now: async () => {
        this.#meet()
        return this.#now
      },
      openScan: async (_table, scan) => {
        this.#meet()
        if (!this.tablets.some(({ id }) => id === scan.tabletId))
          throw new KuduServerError('tablet server', TABLET_SERVER.tabletNotFound, undefined, 'tablet not found')
        return this.#scanner(scan)
      },
      newWrite: (tablet, operations) => ({ tablet, operations, seqNo: 0, tries: 0 }),
      write: () => Promise.reject(new Error('the real ring writes')),
      close: async () => undefined,
    }
  }

  #placeOf(name: string): number {
    return this.table.columns.findIndex((column) => column.name === name)
  }

  #put(key: readonly (Cell | null)[], cells: readonly (Cell | null)[] | undefined): void {
    const bytes = partitionKeyer(this.table.columns, this.table.partitioning)(key)
    const tablet = this.tablets.find(({ id }) => id === `tablet-${bytes.readUInt32BE(0)}`)
    const text = bytes.toString('hex')
    const versions = tablet?.rows.get(text) ?? []
    versions.push({ time: this.#now++, cells })
    tablet?.rows.set(text, versions)
  }

  #meet(): void {
    const mishap = this.mishaps.shift()
    switch (mishap) {
      case undefined:
        return
      case 'unreachable':
        throw new MillraceError('KUDU_UNREACHABLE', 'unreachable', { domain: 'dependency', retriable: true })
      default:
        throw new KuduServerError('tablet server', TABLET_SERVER[mishap], undefined, mishap)
    }
  }

  #scanner({ tabletId, snapshot, since, afterKey, columns, equals = [], most }: TabletScan): Scanner {
    const places = columns.map(({ name }) => this.#placeOf(name))
    const isAsked = (cells: readonly (Cell | null)[] | undefined): boolean =>
      equals.every(({ column, cell }) => String(cells?.[this.#placeOf(column.name)]) === String(cell))
    const found = [...(this.tablets.find(({ id }) => id === tabletId)?.rows ?? [])]
      .map(([key, versions]) => ({
        key,
        version: versions.findLast(({ time }) => typeof snapshot !== 'bigint' || time < snapshot),
      }))
      .filter(({ version }) => isAsked(version?.cells))
      .filter(({ key, version }) => {
        if (version === undefined || key <= (afterKey?.toString('hex') ?? '')) return false
        return since === undefined ? version.cells !== undefined : version.time >= since
      })
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .slice(0, most)
    let next = 0
    return {
      next: async () => {
        this.#meet()
        const rows = found.slice(next, next + this.rowsABlock)
        const last = rows.at(-1)
        if (last === undefined) return undefined
        next += rows.length
        return blockOf(
          rows.map(({ version }) => version?.cells),
          { places, columns, lastKey: Buffer.from(last.key, 'hex') },
        )
      },
      close: async () => undefined,
    }
  }
}

function blockOf(
  rows: readonly (readonly (Cell | null)[] | undefined)[],
  { places, columns, lastKey }: { places: readonly number[]; columns: readonly KuduColumn[]; lastKey: Buffer },
): ScanBlock {
  return {
    count: rows.length,
    lastKey,
    cell: (column, row) =>
      columns[column]?.type === KUDU_TYPE.isDeleted
        ? rows[row] === undefined
        : (rows[row]?.[places[column] ?? -1] ?? undefined),
  }
}
