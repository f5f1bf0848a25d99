import { memberOf } from '../model/fields.ts'
import { compileKeyCodec } from '../codegen/keys/key-codec.ts'
import { isNumberKey } from '../memory/state-key.ts'
import { BlockMemory } from '../memory/headed-block.ts'
import { RecordArena } from '../memory/arena/record-arena.ts'
import type { RecordSpec } from '../codegen/records/record-emitter.ts'
import type { RecordLoop } from '../codegen/records/record-loops.ts'
import { RecordTable } from './record-table.ts'
import { compileRowClass } from '../codegen/rows/row.ts'
import { MillraceError } from '../model/errors.ts'
import type { Field, Schema } from '../model/schema.ts'
import type { FrozenState, SnapshotExtent } from '../model/snapshot.ts'
import { type GroupLog, LogSnapshots } from './log-snapshots.ts'
import { LogMaps } from './map-table.ts'
import { LogSlots } from './slot-table.ts'
import { Lifetime, LogLists, LogValues } from './row-tables.ts'
import { ChangedKeys } from './changed-keys.ts'
import { readBlock, type ReadTable, tableName, writeBlock } from './state-block.ts'
import type {
  ListTable,
  StateMemory,
  StateOptions,
  StateShape,
  StateStore,
  TableChanges,
  TableShape,
  TimerTable,
  ValueTable,
} from './state-store.ts'
import { LogTimers } from './timer-table.ts'

const MEMBERS = '/members'

type LogTable =
  | { kind: 'value'; table: LogValues }
  | { kind: 'list'; table: LogLists }
  | { kind: 'map'; table: LogMaps }
  | { kind: 'slots'; table: LogSlots }
  | { kind: 'timers'; table: LogTimers }

/**
 * Keyed state as logs of records in one arena: rows are bytes, so that the garbage collector never sees them, and a
 * snapshot is stretches of the logs, copied while work goes on.
 */
export class LogStateStore implements StateStore {
  readonly #shape: StateShape
  readonly #options: StateOptions
  readonly #loops: Readonly<Record<string, RecordLoop>>
  readonly #arena: RecordArena
  readonly #tables = new Map<string, LogTable>()
  /** By name in blocks. */
  readonly #logs = new Map<string, RecordTable>()
  readonly #snapshots: LogSnapshots
  /** Groups of which blocks have come. */
  readonly #restored = new Set<number>()
  /** Of tables that are mirrored. */
  readonly #changed = new Map<string, ChangedKeys>()
  /** By table, what was written with other words in its records. */
  readonly #others = new Map<string, LogStateStore>()

  /** `loops`: work generated into tables, by their names. */
  constructor(shape: StateShape, options: StateOptions, loops: Readonly<Record<string, RecordLoop>> = {}) {
    this.#shape = shape
    this.#options = options
    this.#loops = loops
    this.#arena = new RecordArena(options.spill)
    const memory = new BlockMemory()
    this.#snapshots = new LogSnapshots(this.#arena, (name, part) =>
      writeBlock(shape, [{ name, parts: [part] }], memory),
    )
    compileKeyCodec(shape.key)
    for (const [name, table] of Object.entries(shape.tables)) this.#tables.set(name, this.#create(name, table))
  }

  value(name: string): ValueTable {
    return this.#table(name, 'value').table
  }
  list(name: string): ListTable {
    return this.#table(name, 'list').table
  }
  map(name: string): LogMaps {
    return this.#table(name, 'map').table
  }
  slots(name: string): LogSlots {
    return this.#table(name, 'slots').table
  }
  timers(name: string): TimerTable {
    return this.#table(name, 'timers').table
  }

  /** Of a table of values or a map that is mirrored. */
  changes(name: string): TableChanges {
    const found = this.#tables.get(name)
    if ((found?.kind === 'value' || found?.kind === 'map') && this.#changed.has(name)) return found.table
    throw new MillraceError('TABLE_UNKNOWN', `there is no mirrored table ${name} of values, and no such map`)
  }

  /** The records of a table, for a loop over them. */
  records(name: string): RecordTable {
    return this.#log(name)
  }

  memory(): StateMemory {
    const { residentBytes, coldBytes, fileBytes } = this.#arena
    return { residentBytes, onDiskBytes: coldBytes, fileBytes }
  }

  size(): number {
    return [...this.#tables.values()].reduce((sum, { table }) => sum + table.size, 0)
  }

  close(): void {
    this.#arena.closeDisk()
  }

  freeze(extent: SnapshotExtent): FrozenState {
    const logs: GroupLog[] = []
    for (let group = 0; group < this.#options.maxParallelism; group++) {
      // A table that is empty now may hold rows at the next barrier, and the snapshot that is continued names it.
      for (const [name, log] of this.#logs)
        logs.push({
          group,
          name,
          segments: extent === 'appended' ? [...(log.groups[group]?.segs ?? [])] : log.segments(group),
        })
    }
    return this.#snapshots.freeze(logs, extent)
  }

  restore(group: number, bytes: Uint8Array): void {
    this.#restored.add(group)
    for (const table of readBlock(this.#shape, bytes)) {
      const into = this.#liesAsNow(table) ? this : this.#other(table)
      into.#log(table.name).restore(group, table.parts)
      this.#noteMirror(group, table)
    }
  }

  restored(): void {
    for (const [name, other] of this.#others) {
      for (const group of this.#restored)
        takeOver(group, other.#tables.get(name) as LogTable, this.#tables.get(name) as LogTable, this.#log(name))
    }
    for (const other of this.#others.values()) other.close()
    this.#others.clear()
    for (const group of this.#restored) {
      for (const table of this.#tables.values()) if (table.kind === 'timers') table.table.restored(group)
    }
    this.#restored.clear()
  }

  /** What the last block of a group says decides: when it was written, its mirror knew all entries of the group. */
  #noteMirror(group: number, { name, mirror }: ReadTable): void {
    const shape = memberOf(this.#shape.tables, name)
    if (shape === undefined || shape.kind === 'timers') return
    if (shape.mirror === mirror) this.#changed.get(name)?.forgetGroup(group)
    else this.#changed.get(name)?.addGroup(group)
  }

  /**
   * False when a time to live has come or gone since, or the key is kept elsewhere, or it was a map: the records have
   * other words then.
   */
  #liesAsNow({ name, kind, timed, keyIn }: ReadTable): boolean {
    const shape = memberOf(this.#shape.tables, tableName(name))
    return (
      shape === undefined ||
      shape.kind === 'timers' ||
      (kind === shape.kind && timed === (shape.ttlMs !== undefined) && String(keyIn) === String(shape.keyIn))
    )
  }

  /**
   * A store of the shape that the table was written in: its rows are taken over at the end, and their time to live
   * begins again.
   */
  #other(table: ReadTable): LogStateStore {
    const name = tableName(table.name)
    const known = this.#others.get(name)
    if (known !== undefined) return known
    const tables = { [name]: asWritten(this.#shape.tables[name] as TableShape, table) }
    const other = new LogStateStore({ ...this.#shape, tables }, this.#options)
    this.#others.set(name, other)
    return other
  }

  #create(name: string, shape: TableShape): LogTable {
    const { key } = this.#shape
    if (shape.kind === 'timers') {
      const bare = {
        schema: NO_FIELDS,
        rowClass: compileRowClass(NO_FIELDS),
        timed: false,
        sequenced: false,
        chained: false,
        resident: true,
      }
      return { kind: 'timers', table: new LogTimers(this.#createLog(name, { key, user: 'number', ...bare })) }
    }
    const { schema, ttlMs, rowClass = compileRowClass(schema), keyIn } = shape
    const life = new Lifetime(ttlMs, () => this.#options.now())
    const rows = { key, schema, rowClass, timed: life.timed, ...(keyIn === undefined ? {} : { keyIn }) }
    const changed = shape.mirror === undefined ? undefined : new ChangedKeys()
    if (changed !== undefined) this.#changed.set(name, changed)
    switch (shape.kind) {
      case 'value':
        return {
          kind: 'value',
          table: new LogValues(this.#createLog(name, { ...rows, sequenced: false, chained: false }), life, changed),
        }
      case 'list':
        return {
          kind: 'list',
          table: new LogLists(this.#createLog(name, { ...rows, sequenced: false, chained: true }), life),
        }
      case 'slots':
        return {
          kind: 'slots',
          table: new LogSlots(
            this.#createLog(name, { ...rows, user: userKind(shape.userKey), sequenced: false, chained: false }),
          ),
        }
      case 'map': {
        const user = userKind(shape.userKey)
        const member: Schema = {
          fields: [
            { name: 'u', type: user === 'number' ? 'double' : 'string', nullable: false },
            { name: 'seq', type: 'double', nullable: false },
          ],
        }
        const memberClass = compileRowClass(member)
        const entries = this.#createLog(name, { ...rows, user, sequenced: true, chained: false })
        const members = this.#createLog(name + MEMBERS, {
          key,
          schema: member,
          rowClass: memberClass,
          timed: false,
          sequenced: false,
          chained: true,
        })
        return { kind: 'map', table: new LogMaps({ entries, members, member: memberClass }, life, changed) }
      }
    }
  }

  #createLog(name: string, spec: RecordSpec): RecordTable {
    const log = new RecordTable(spec, this.#arena, this.#options.maxParallelism, this.#loops[name])
    this.#logs.set(name, log)
    return log
  }

  #log(name: string): RecordTable {
    const log = this.#logs.get(name)
    if (log === undefined)
      throw new MillraceError(
        'STATE_CORRUPT',
        `a block of state holds a log ${name}, there are ${[...this.#logs.keys()].join(', ')}`,
      )
    return log
  }

  #table<K extends LogTable['kind']>(name: string, kind: K): Extract<LogTable, { kind: K }> {
    const table = this.#tables.get(name)
    if (table?.kind !== kind)
      throw new MillraceError(
        'TABLE_UNKNOWN',
        `there is no ${kind} table ${name} among ${[...this.#tables].map(([known, { kind: of }]) => `${known} (${of})`).join(', ')}`,
      )
    return table as Extract<LogTable, { kind: K }>
  }
}

const NO_FIELDS: Schema = { fields: [] }

function userKind(fields: readonly Field[]): 'number' | 'text' {
  compileKeyCodec(fields)
  return isNumberKey(fields) ? 'number' : 'text'
}

/** The shape of a table whose rows lie as in a block; no time of theirs is over. */
function asWritten(shape: TableShape, read: ReadTable): TableShape {
  if (shape.kind === 'timers') return shape
  const { ttlMs: _ttl, keyIn: _keyIn, mirror: _mirror, ...now } = shape
  const bare = now.kind === 'slots' && read.kind === 'map' ? { ...now, kind: read.kind } : now
  return {
    ...bare,
    ...(read.timed ? { ttlMs: Infinity } : {}),
    ...(read.keyIn === undefined ? {} : { keyIn: read.keyIn }),
  }
}

function takeOver(group: number, from: LogTable, into: LogTable, log: RecordTable): void {
  if (from.kind === 'value' && into.kind === 'value')
    from.table.each(group, (key, row) => {
      into.table.set(group, key, row)
      log.onRestored?.(log.find(group, key))
    })
  if (from.kind === 'list' && into.kind === 'list')
    from.table.each(group, (key, rows) => {
      for (const row of rows) into.table.append(group, key, row)
    })
  if ((from.kind === 'map' || from.kind === 'slots') && (into.kind === 'map' || into.kind === 'slots'))
    from.table.each(group, (key, userKey, row) => {
      into.table.set(group, key, userKey, row)
    })
  if (from.kind === 'timers' && into.kind === 'timers')
    from.table.each(group, (key, time) => {
      into.table.at(group, key, time)
    })
}
