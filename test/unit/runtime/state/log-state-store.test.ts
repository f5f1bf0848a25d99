import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SpillSettings } from '../../../../runtime/memory/arena/cold-segments.ts'
import { compileKeyCodec } from '../../../../runtime/codegen/keys/key-codec.ts'
import type { StateKey } from '../../../../runtime/memory/state-key.ts'
import { fieldsOf, type Field, type FieldType, type Row, type Schema } from '../../../../runtime/model/schema.ts'
import { slotOfKeyGroup } from '../../../../runtime/plan/key-groups.ts'
import { VirtualScratch } from '../../../../runtime/ports/virtual/scratch.ts'
import { LogStateStore } from '../../../../runtime/state/log-state-store.ts'
import { createStateStore, type StateShape, type StateStore } from '../../../../runtime/state/state-store.ts'
import { MapStateStore } from '../../../harness/plain/map-state-store.ts'
import { arbitraryFieldValue, arbitrarySchema } from '../../../harness/plain/random-rows.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const GROUPS = 6
const field = (name: string, type: FieldType, nullable = false): Field => ({ name, type, nullable })

const KEYS: readonly (readonly Field[])[] = [
  [field('k1', 'long')],
  [field('k1', 'string')],
  [field('k1', 'double', true)],
  [field('k1', 'string', true), field('k2', 'long')],
  [field('k1', 'boolean'), field('k2', 'timestamp', true)],
]
const USERS: readonly (readonly Field[])[] = [
  [field('u', 'long')],
  [field('u', 'string')],
  [field('u', 'long'), field('v', 'string')],
]
/** In rows: text that is short, long, over a length word, over a segment, and no UTF-8. */
const LENGTHS = [0, 3, 50, 500, 70_000, 300_000]

interface World {
  limitBytes: number | undefined
  key: readonly Field[]
  user: readonly Field[]
  schema: Schema
  keyInRows: boolean
  ttlMs: number | undefined
  keys: unknown[][]
  users: unknown[][]
  rows: unknown[][]
}

const arbitraryWorld: fc.Arbitrary<World> = fc
  .record({
    limitBytes: fc.constantFrom(undefined, 0, 20_000),
    key: fc.constantFrom(...KEYS),
    user: fc.constantFrom(...USERS),
    keyInRows: fc.boolean(),
    ttlMs: fc.option(fc.constantFrom(40, 400), { nil: undefined }),
    schema: arbitrarySchema.map(({ fields }) => ({ fields: fields.map((one) => ({ ...one, name: `f_${one.name}` })) })),
  })
  .chain((base) => {
    const schema = base.keyInRows ? { fields: [...base.schema.fields, ...base.key] } : base.schema
    const tuples = (fields: readonly Field[], count: number): fc.Arbitrary<unknown[][]> =>
      fc.array(fc.tuple(...fields.map(arbitraryFieldValue)) as fc.Arbitrary<unknown[]>, {
        minLength: 1,
        maxLength: count,
      })
    return fc.record({
      limitBytes: fc.constant(base.limitBytes),
      key: fc.constant(base.key),
      user: fc.constant(base.user),
      schema: fc.constant(schema),
      keyInRows: fc.constant(base.keyInRows),
      ttlMs: fc.constant(base.ttlMs),
      keys: tuples(base.key, 8),
      users: tuples(base.user, 6),
      rows: tuples(schema.fields, 20),
    })
  })

function shapeOf(world: World): StateShape {
  const age = world.ttlMs === undefined ? {} : { ttlMs: world.ttlMs }
  const rows = { schema: world.schema, ...age, ...(world.keyInRows ? { keyIn: world.key.map((one) => one.name) } : {}) }
  return {
    key: world.key,
    tables: {
      value: { kind: 'value', ...rows },
      list: { kind: 'list', ...rows },
      map: { kind: 'map', userKey: world.user, ...rows },
      timers: { kind: 'timers' },
    },
  }
}

/** The stores of one kind that own all groups between them. */
class Slots<S extends StateStore = StateStore> {
  stores: S[]
  readonly #create: () => S

  constructor(create: () => S) {
    this.#create = create
    this.stores = [create()]
  }

  of(group: number): S {
    return this.stores[slotOfKeyGroup(group, GROUPS, this.stores.length)] as S
  }

  restoreTo(parallelism: number): void {
    const states = this.stores.flatMap((store) => wholeBlocks(store))
    this.stores = Array.from({ length: parallelism }, () => this.#create())
    for (const [group, bytes] of states) this.of(group).restore(group, bytes)
    for (const store of this.stores) store.restored()
  }
}

function randomOf(seed: number): (below: number) => number {
  let state = seed | 0
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    return ((state ^ (state >>> 13)) >>> 0) % below
  }
}

const spillOf = ({ limitBytes }: World): { spill?: SpillSettings } =>
  limitBytes === undefined ? {} : { spill: { limitBytes, open: () => new VirtualScratch().open() } }

const bare = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value ?? null, (_, inner: unknown) => (Object.is(inner, -0) ? 0 : inner)))

/** Runs the same random operations on both kinds and compares all that comes out. */
function runBoth(world: World, seed: number, operations: number): void {
  const shape = shapeOf(world)
  let now = 1000
  const options = { maxParallelism: GROUPS, now: () => now }
  const slots: Slots[] = [
    new Slots(() => createStateStore(shape, { ...options, ...spillOf(world) })),
    new Slots(() => new MapStateStore(shape, options)),
  ]
  const random = randomOf(seed)
  const codec = compileKeyCodec(world.key)
  const users = compileKeyCodec(world.user)
  const keyFields = fieldsOf(
    { fields: world.key },
    world.key.map((one) => one.name),
  )
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T
  const asRow = (fields: readonly Field[], values: readonly unknown[]): Row =>
    Object.fromEntries(fields.map((one, i) => [one.name, values[i]]))
  const long = world.schema.fields.find((one) => one.type === 'string' && one.name.startsWith('f_'))
  const makeRow = (keyValues: readonly unknown[]): Row => {
    const row: Record<string, unknown> = {
      ...asRow(world.schema.fields, pick(world.rows)),
      ...(world.keyInRows ? asRow(keyFields, keyValues) : {}),
    }
    if (long !== undefined && random(30) === 0) row[long.name] = pick(['x', 'ž', '\ud83d']).repeat(pick(LENGTHS))
    return row
  }
  for (let n = 0; n < operations; n++) {
    const group = random(GROUPS)
    const keyValues = pick(world.keys)
    const key = codec.of(asRow(world.key, keyValues))
    const user = users.of(asRow(world.user, pick(world.users)))
    const row = makeRow(keyValues)
    const time = random(60)
    const choice = random(40)
    const results = slots.map((slot) =>
      operate(choice, slot.of(group), { group, key, user, row, time, limit: Infinity }),
    )
    expect(bare(results[0])).toEqual(bare(results[1]))
    if (random(8) === 0) now += random(50)
    if (random(150) === 0) {
      const parallelism = 1 + random(4)
      for (const slot of slots) slot.restoreTo(parallelism)
    }
    if (random(40) === 0) expect(contents(slots[0] as Slots)).toEqual(contents(slots[1] as Slots))
  }
}

interface Operands {
  group: number
  key: StateKey
  user: StateKey
  row: Row
  time: number
  limit: number
}

function operate(choice: number, store: StateStore, { group, key, user, row, time, limit }: Operands): unknown {
  const [value, list, map, timers] = [
    store.value('value'),
    store.list('list'),
    store.map('map'),
    store.timers('timers'),
  ]
  const due = (): unknown => {
    const fired: number[] = []
    const more = timers.due(time, limit, (_, __, at) => {
      fired.push(at)
    })
    return [more, fired]
  }
  switch (choice) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
      return value.set(group, key, row)
    case 8:
    case 9:
    case 10:
      return value.get(group, key)
    case 11:
      return value.delete(group, key)
    case 12:
    case 13:
    case 14:
    case 15:
    case 16:
      return list.append(group, key, row)
    case 17:
    case 18:
      return list.rows(group, key)
    case 19:
      return list.retain(group, key, (one) => JSON.stringify(one).length % 3 !== 0)
    case 20:
      return list.delete(group, key)
    case 21:
    case 22:
    case 23:
    case 24:
    case 25:
    case 26:
      return map.set(group, key, user, row)
    case 27:
    case 28:
      return map.get(group, key, user)
    case 29:
    case 30:
      return map.delete(group, key, user)
    case 31:
      return map.entries(group, key)
    case 32:
      return map.clear(group, key)
    case 33:
    case 34:
    case 35:
    case 36:
      return timers.at(group, key, time)
    case 37:
      return timers.cancel(group, key, time)
    default:
      return due()
  }
}

function contents(slots: Slots): unknown {
  const all: string[] = []
  for (let group = 0; group < GROUPS; group++) {
    slots
      .of(group)
      .value('value')
      .each(group, (key, row) => {
        all.push(JSON.stringify([group, key, bare(row)]))
      })
    slots
      .of(group)
      .list('list')
      .each(group, (key, rows) => {
        all.push(JSON.stringify([group, key, bare(rows)]))
      })
  }
  return [all.sort(), slots.stores.reduce((sum, store) => sum + store.timers('timers').size, 0)]
}

describe('the log-structured state store', () => {
  test('does what plain Maps do under random work, over snapshots restored to any number of slots', () => {
    fc.assert(
      fc.property(arbitraryWorld, fc.nat(), (world, seed) => {
        runBoth(world, seed, 400)
      }),
      { numRuns: 24 },
    )
  })
})

/** A mirror that is told the changes of all slots, as a plain Map. */
class PlainMirror {
  readonly rows = new Map<string, unknown>()

  hear(slots: Slots<LogStateStore>): void {
    for (const store of slots.stores)
      for (const table of ['value', 'map'])
        for (const { key, userKey, row } of store.changes(table).take()) {
          const entry = JSON.stringify([table, key, userKey ?? null])
          if (row === undefined) this.rows.delete(entry)
          else this.rows.set(entry, bare(row))
        }
  }
}

function mirrored(world: World, mirror: string | undefined): StateShape {
  const { key, tables } = shapeOf(world)
  const by = mirror === undefined ? {} : { mirror }
  const [value, map] = [tables['value'], tables['map']]
  if (value?.kind !== 'value' || map?.kind !== 'map') throw new Error('no tables to mirror')
  return { key, tables: { ...tables, value: { ...value, ...by }, map: { ...map, ...by } } }
}

function liveEntries(slots: Slots<LogStateStore>): Map<string, unknown> {
  const live = new Map<string, unknown>()
  for (let group = 0; group < GROUPS; group++) {
    const store = slots.of(group)
    store.value('value').each(group, (key, row) => {
      live.set(JSON.stringify(['value', key, null]), bare(row))
    })
    store.map('map').each(group, (key, userKey, row) => {
      live.set(JSON.stringify(['map', key, userKey]), bare(row))
    })
  }
  return live
}

/** Random work, restores and changes of the mirror's name; what the mirror heard is compared with what is there. */
function runMirrored(world: World, seed: number, operations: number): void {
  let now = 1000
  let shape = mirrored(world, 'first')
  let mirror = new PlainMirror()
  const slots = new Slots(() => createStateStore(shape, { maxParallelism: GROUPS, now: () => now, ...spillOf(world) }))
  const random = randomOf(seed)
  const [codec, users] = [compileKeyCodec(world.key), compileKeyCodec(world.user)]
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T
  const asRow = (fields: readonly Field[], values: readonly unknown[]): Row =>
    Object.fromEntries(fields.map((one, i) => [one.name, values[i]]))
  const texts = world.keys.map((values) => codec.of(asRow(world.key, values)))
  const keys = world.keys.map((values, index) => ({ values, group: texts.indexOf(texts[index] as StateKey) % GROUPS }))
  for (let n = 0; n < operations; n++) {
    const { values, group } = pick(keys)
    const row = {
      ...asRow(world.schema.fields, pick(world.rows)),
      ...(world.keyInRows ? asRow(world.key, values) : {}),
    }
    const key = codec.of(asRow(world.key, values))
    operate(random(33), slots.of(group), {
      group,
      key,
      user: users.of(asRow(world.user, pick(world.users))),
      row,
      time: 0,
      limit: 0,
    })
    if (random(8) === 0) now += random(50)
    if (random(20) !== 0) continue
    // each time some places of an index are looked at for entries that have expired
    for (let looks = world.ttlMs === undefined ? 1 : 8; looks > 0; looks--) mirror.hear(slots)
    const live = liveEntries(slots)
    if (world.ttlMs === undefined || world.limitBytes === undefined) expect(mirror.rows).toEqual(live)
    // entries on disk expire with their whole segment, in the mirror too
    else for (const [entry, value] of live) expect(mirror.rows.get(entry)).toEqual(value)
    const change = random(4)
    if (change === 0) {
      shape = mirrored(world, 'second')
      mirror = new PlainMirror()
    }
    if (change < 2) slots.restoreTo(1 + random(3))
    if (change === 0) {
      slots.restoreTo(1)
      mirror.hear(slots)
      shape = mirrored(world, 'first')
      mirror = new PlainMirror()
      slots.restoreTo(2)
    }
  }
}

describe('a mirror of state', () => {
  test('has what the tables have, whatever is written, deleted and expires, over restores and from its first day', () => {
    fc.assert(
      fc.property(arbitraryWorld, fc.nat(), (world, seed) => {
        runMirrored(world, seed, 300)
      }),
      { numRuns: 24 },
    )
  })

  test('is told nothing again by a restore', () => {
    const shape: StateShape = {
      key: [field('id', 'long')],
      tables: { sums: { kind: 'value', schema: { fields: [field('sum', 'long')] }, mirror: 'table' } },
    }
    const options = { maxParallelism: 2, now: () => 0 }
    const before = new LogStateStore(shape, options)
    for (const id of [1, 2, 3]) before.value('sums').set(id % 2, id, { sum: id })
    expect([...before.changes('sums').take()]).toHaveLength(3)
    const after = new LogStateStore(shape, options)
    for (const [group, bytes] of wholeBlocks(before)) after.restore(group, bytes)
    after.restored()
    expect([...after.changes('sums').take()]).toEqual([])
  })
})

test.each([[{}], [{ rows: { kind: 'ranked', from: 'columns' } as const }]])(
  'rows under slots that were written as a map are taken over, whatever loop is generated into their table: %j',
  (loops) => {
    const schema = { fields: [field('id', 'long'), field('price', 'long')] }
    const rows = { userKey: [field('slot', 'long')], schema }
    const options = { maxParallelism: 1, now: () => 0 }
    const written = new LogStateStore(
      { key: [field('id', 'long')], tables: { rows: { kind: 'map', ...rows } } },
      options,
    )
    const entries = [0, 1, 2].flatMap((id) => [0, 1].map((slot) => [id, slot, id * 10 + slot] as const))
    for (const [id, slot, price] of entries) written.map('rows').set(0, id, slot, { id, price })
    const shape: StateShape = {
      key: [field('id', 'long')],
      tables: { rows: { kind: 'slots', keyIn: ['id'], ...rows } },
    }
    const store = new LogStateStore(shape, options, loops)
    for (const [group, bytes] of wholeBlocks(written)) store.restore(group, bytes)
    store.restored()
    const found: unknown[] = []
    store.slots('rows').each(0, (key, slot, row) => found.push([key, slot, row['price']]))
    expect(found.sort()).toEqual(entries.map((entry) => [...entry]))
  },
)
