import { writeFired, writeGone } from './group-block.ts'
import type { KeyTables, LiveTable } from './key-tables.ts'
import { RestoredTables } from './restored-tables.ts'
import {
  isAsAt,
  NOTHING,
  takeChanged,
  unchangedSince,
  writeTable,
  type TableBlock,
  type TableExtent,
} from './table-block.ts'
import type { Entries } from '../memory/column-bytes.ts'
import type { FrozenState, GroupState, SnapshotExtent } from '../model/snapshot.ts'
import { IncrementalSnapshots, type GrowingLog, type Stretch } from './incremental-snapshots.ts'

/** How far a table had come at a snapshot. */
interface Mark extends TableExtent {
  readonly snapshot: number
  /** Bytes of its columns of objects, about. */
  readonly objectBytes: number
}

/**
 * How far windows have fired and which tables are gone: written again when it has changed. Its mark counts the
 * changes.
 */
interface Progress extends GrowingLog<Mark> {
  readonly table?: never
  readonly blocks: readonly GroupState[]
}

type FrozenLog = FrozenTable | Progress

interface FrozenTable extends GrowingLog<Mark>, LiveTable {
  /** What the last snapshot that was written holds of it. */
  readonly written: Mark | undefined
  /** What has changed since that one, and how many entries that were. */
  readonly block: Uint8Array | undefined
  readonly changed: number
  /** The last snapshot before this one that found a change. */
  readonly lastChange: number
}

const PROGRESS = -1

/**
 * Snapshots of tables by key. At the barrier the entries that have changed since the last snapshot that was written are
 * copied. When older files are compacted, the entries that have not changed are read between turns; an
 * entry that has changed since the barrier is left out, and the older files stay until the next snapshot, which has it
 * among its changes. Checkpoints of extent `appended` still name what was written of tables that are gone (whose
 * windows have fired, whose keys have expired) and say which those are: a restore makes tables only when everything
 * has come.
 */
export class TableSnapshots {
  readonly #tables: KeyTables
  readonly #snapshots = new IncrementalSnapshots<Mark, FrozenLog>('with the next')
  readonly #restored: RestoredTables
  /** Bytes of a header, or somewhat more. */
  readonly #head: number
  /** Bytes of an entry's keys and numbers. */
  readonly #entryBytes: number
  #count = 0
  #written: { snapshot: number; marks: ReadonlyMap<number, Mark> } = { snapshot: 0, marks: new Map() }
  /** Tables of which the last checkpoint that was written names something: their groups by their serials. */
  #named: ReadonlyMap<number, number> = new Map()
  /** What the files of a restore last declared gone, by group. */
  readonly #gone = new Map<number, readonly number[]>()
  #progress = { text: '', changes: 0 }

  constructor(tables: KeyTables) {
    const {
      shape,
      columns: { keys, values },
    } = tables
    this.#tables = tables
    this.#restored = new RestoredTables(tables)
    this.#head = 512 + 2 * shape.length + 64 * (keys.length + values.length)
    this.#entryBytes =
      4 +
      [...keys, ...values].reduce(
        (sum, { array }) => sum + (array === 'Uint8Array' ? 1 : array === 'Int32Array' ? 4 : 8),
        0,
      )
  }

  size(): number {
    return this.#tables.size()
  }

  freeze(extent: SnapshotExtent): FrozenState {
    const tables = extent === 'whole' ? this.#freezeAll() : this.#freezeChanges(++this.#count)
    const fired = this.#tables.fired()
    const snapshot = this.#count
    return this.#snapshots.freeze(
      {
        // which tables are gone hangs on what is named: an earlier snapshot may still be being written at this barrier
        logs: () => [...tables, this.#progressOf(tables, fired, extent)],
        bytes: (stretch) =>
          isOfTable(stretch)
            ? this.#bytes(stretch)
            : progressIn(stretch).reduce((sum, [, block]) => sum + block.length, 0),
        blocks: (stretch) => (isOfTable(stretch) ? this.#blocks(stretch) : progressIn(stretch)),
        keepsGone: true,
        release: (outcome) => {
          if (outcome === 'stands alone') return
          this.#written = { snapshot, marks: new Map(tables.map(({ serial, end }) => [serial, end])) }
          this.#named = new Map([
            ...(extent === 'appended' ? this.#named : []),
            ...tables.map(({ serial, group }) => [serial, group] as const),
          ])
        },
      },
      extent,
    )
  }

  #progressOf(tables: readonly FrozenTable[], fired: ReturnType<KeyTables['fired']>, extent: SnapshotExtent): Progress {
    const live = new Set(tables.map(({ serial }) => serial))
    for (const group of this.#gone.keys()) this.#gone.set(group, [])
    if (extent === 'appended')
      for (const [serial, group] of this.#named)
        if (!live.has(serial)) this.#gone.set(group, [...(this.#gone.get(group) ?? []), serial])
    const gone = [...this.#gone]
    const text = JSON.stringify([fired, gone])
    if (text !== this.#progress.text) this.#progress = { text, changes: this.#progress.changes + 1 }
    return {
      serial: PROGRESS,
      end: { ...NOTHING, snapshot: this.#progress.changes, objectBytes: 0 },
      blocks: [
        ...fired.map(([group, end]): GroupState => [group, writeFired(end)]),
        ...gone.map(([group, serials]): GroupState => [group, writeGone(serials)]),
      ],
    }
  }

  #freezeChanges(now: number): FrozenTable[] {
    const { snapshot, marks } = this.#written
    return this.#live().map(({ group, start, table }) => {
      const { serial, n, chars, lastChange } = table
      const written = marks.get(serial)
      const entries = takeChanged(table, written === undefined ? 0 : snapshot, now)
      const block =
        entries.length === 0
          ? undefined
          : this.#write({ group, start, table }, written, { n, chars }, entries.length === n ? n : entries)
      const end: Mark = { n, chars, snapshot: now, objectBytes: block?.objectBytes ?? written?.objectBytes ?? 0 }
      return { group, start, table, serial, end, written, block: block?.bytes, changed: entries.length, lastChange }
    })
  }

  /** What has changed stays so for the next. */
  #freezeAll(): FrozenTable[] {
    return this.#live().map(({ group, start, table }) => {
      const { serial, n, chars, lastChange } = table
      const block = this.#write({ group, start, table }, undefined, { n, chars }, n)
      return {
        group,
        start,
        table,
        serial,
        end: { n, chars, snapshot: this.#count, objectBytes: block.objectBytes },
        written: undefined,
        block: block.bytes,
        changed: n,
        lastChange,
      }
    })
  }

  #live(): LiveTable[] {
    return this.#tables.live().filter(({ table }) => table.n > 0)
  }

  #write(
    { start, table }: LiveTable,
    from: Mark | undefined,
    to: TableExtent,
    entries: Entries,
    wholes: 'with wholes' | 'without wholes' = 'with wholes',
  ): TableBlock {
    const { columns, shape } = this.#tables
    return writeTable(
      table,
      columns,
      { start, ...(from === undefined ? { shape } : {}) },
      { from: from ?? NOTHING, to, entries, wholes },
    )
  }

  #bytes({ log, from }: Stretch<Mark, FrozenTable>): number {
    const copied = log.block?.length ?? 0
    const read = readFrom(log, from)
    if (read === undefined) return copied
    const others = Math.max(0, read.n - log.changed)
    return (
      copied +
      this.#head +
      others * this.#entryBytes +
      Math.ceil(read.objectBytes) +
      (read.chars - (from?.chars ?? 0)) * 2
    )
  }

  *#blocks({ log, from }: Stretch<Mark, FrozenTable>): Generator<GroupState> {
    const { group, table, serial, block } = log
    const read = readFrom(log, from)
    if (read !== undefined && table.serial === serial) {
      const same = unchangedSince(table, read.n, [from?.snapshot ?? 0, read.snapshot])
      yield [
        group,
        this.#write(
          log,
          from,
          read,
          same,
          block === undefined && isAsAt(table, read.snapshot) ? 'with wholes' : 'without wholes',
        ).bytes,
      ]
    }
    if (block !== undefined) yield [group, block]
  }

  restore(group: number, bytes: Uint8Array): void {
    this.#restored.add(group, bytes)
  }

  restored(): void {
    this.#restored.finish()
  }
}

function isOfTable(stretch: Stretch<Mark, FrozenLog>): stretch is Stretch<Mark, FrozenTable> {
  return stretch.log.table !== undefined
}

function progressIn({ log, from }: Stretch<Mark, FrozenLog>): readonly GroupState[] {
  return log.table !== undefined || from?.snapshot === log.end.snapshot ? [] : log.blocks
}

/**
 * Up to where the table itself is read, for a stretch that begins before the copy of its changes; undefined when it
 * need not be.
 */
function readFrom({ written, lastChange }: FrozenTable, from: Mark | undefined): Mark | undefined {
  const since = from?.snapshot ?? 0
  return written !== undefined && since < written.snapshot && since < lastChange ? written : undefined
}
