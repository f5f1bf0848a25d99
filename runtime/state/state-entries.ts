import { compileKeyCodec } from '../codegen/keys/key-codec.ts'
import type { StateKey } from '../memory/state-key.ts'
import type { Field, Row } from '../model/schema.ts'
import type { Timestamp } from '../model/time.ts'
import { LogStateStore } from './log-state-store.ts'
import { shapeOfBlock } from './state-block.ts'
import type { StateShape, TableShape } from './state-store.ts'

/** Fields and the row that has them: what a value means is in the fields. */
export interface TypedRow {
  fields: readonly Field[]
  row: Row
}

/** One entry of keyed state. */
export interface StateEntry {
  table: string
  key?: TypedRow
  /** The second key of a map. */
  member?: TypedRow
  value?: TypedRow
  /** When a timer is due, or the time an entry counts by. */
  time?: Timestamp
  /** What else is to be said of it. */
  note?: string
}

/**
 * The entries of one key group from its blocks, in the order in which they are to be restored; tables in their order,
 * elements of a list and of a map in theirs. The blocks say themselves what they hold, so the job is not needed. Throws
 * STATE_CORRUPT. Entries whose time to live is over may be among them.
 */
export function tableEntries(group: number, blocks: readonly Uint8Array[]): StateEntry[] {
  const shapes = blocks.map(shapeOfBlock)
  const shape: StateShape = {
    key: shapes[0]?.key ?? [],
    tables: Object.assign({}, ...shapes.map(({ tables }) => tables)) as StateShape['tables'],
  }
  const store = new LogStateStore(shape, { maxParallelism: group + 1, now: () => 0 })
  for (const block of blocks) store.restore(group, block)
  store.restored()
  const keyOf = rowOf(shape.key)
  const entries: StateEntry[] = []
  for (const [table, of] of Object.entries(shape.tables)) {
    const add = (key: StateKey, more: Omit<StateEntry, 'table' | 'key'>): void => {
      entries.push({ table, key: keyOf(key), ...more })
    }
    if (of.kind === 'timers')
      store.timers(table).due(Infinity, Infinity, (_, key, time) => {
        add(key, { time })
      })
    else visitRows(store, table, group, of, add)
  }
  return entries
}

function visitRows(
  store: LogStateStore,
  table: string,
  group: number,
  shape: Exclude<TableShape, { kind: 'timers' }>,
  add: (key: StateKey, more: Omit<StateEntry, 'table' | 'key'>) => void,
): void {
  const { fields } = shape.schema
  switch (shape.kind) {
    case 'value':
      store.value(table).each(group, (key, row) => {
        add(key, { value: { fields, row } })
      })
      break
    case 'list':
      store.list(table).each(group, (key, rows) => {
        for (const row of rows) add(key, { value: { fields, row } })
      })
      break
    case 'map':
    case 'slots': {
      const memberOf = rowOf(shape.userKey)
      const rows = shape.kind === 'map' ? store.map(table) : store.slots(table)
      rows.each(group, (key, userKey, row) => {
        add(key, { member: memberOf(userKey), value: { fields, row } })
      })
    }
  }
}

function rowOf(fields: readonly Field[]): (key: StateKey) => TypedRow {
  const codec = compileKeyCodec(fields)
  return (key) => {
    const values = codec.values(key)
    return { fields, row: Object.fromEntries(fields.map(({ name }, index) => [name, values[index]])) as Row }
  }
}
