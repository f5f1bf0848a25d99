import { describe, expect, test } from 'vitest'
import type { Field, FieldType, Row } from '../../../../runtime/model/schema.ts'
import { createStateStore, type StateShape, type StateStore } from '../../../../runtime/state/state-store.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const field = (name: string, type: FieldType, nullable = false): Field => ({ name, type, nullable })
const SCHEMA = { fields: [field('n', 'double'), field('s', 'string', true), field('j', 'json', true)] }
const SHAPE: StateShape = {
  key: [field('k', 'string')],
  tables: {
    last: { kind: 'value', schema: SCHEMA },
    all: { kind: 'list', schema: SCHEMA },
    by: { kind: 'map', userKey: [field('u', 'long')], schema: SCHEMA },
    at: { kind: 'timers' },
  },
}
const row = (n: number, s: string | null = null): Row => ({ n, s, j: null })
const plain = (rows: readonly Row[]): unknown[] => rows.map((one) => ({ ...one }))
const open = (shape = SHAPE, now = (): number => 0): StateStore => createStateStore(shape, { maxParallelism: 8, now })

function reopened(store: StateStore, shape = SHAPE, now = (): number => 0): StateStore {
  const other = open(shape, now)
  for (const [group, bytes] of wholeBlocks(store)) other.restore(group, bytes)
  other.restored()
  return other
}

describe('a state store', () => {
  test('keeps one row per key and group until it is deleted', () => {
    const last = open().value('last')
    last.set(1, 'a', row(1, 'x'))
    last.set(1, 'a', row(2))
    last.set(2, 'a', row(3))
    expect([last.get(1, 'a')?.['n'], last.get(2, 'a')?.['n'], last.get(1, 'b'), last.size]).toEqual([
      2,
      3,
      undefined,
      2,
    ])
    expect([last.delete(1, 'a'), last.delete(1, 'a'), last.get(1, 'a'), last.size]).toEqual([true, false, undefined, 1])
  })

  test('keeps lists in the order of appending, and what retain leaves', () => {
    const all = open().list('all')
    for (let i = 0; i < 5; i++) all.append(0, 'a', row(i))
    expect(all.retain(0, 'a', (one) => Number(one['n']) % 2 === 0)).toBe(2)
    expect(all.rows(0, 'a').map((one) => one['n'])).toEqual([0, 2, 4])
    expect([all.size, all.delete(0, 'a'), all.delete(0, 'a'), all.size]).toEqual([3, true, false, 0])
  })

  test('keeps the entries of a map in the order in which they first came', () => {
    const by = open().map('by')
    for (const u of [3, 1, 2, 1]) by.set(0, 'a', u, row(u * 10))
    by.delete(0, 'a', 3)
    by.set(0, 'a', 3, row(5))
    expect(by.entries(0, 'a').map(([u, one]) => [u, one['n']])).toEqual([
      [1, 10],
      [2, 20],
      [3, 5],
    ])
    by.clear(0, 'a')
    expect([by.size, by.get(0, 'a', 1)]).toEqual([0, undefined])
  })

  test('fires timers in the order of time, once, and those that firing sets', () => {
    const at = open().timers('at')
    at.at(0, 'a', 30)
    at.at(0, 'a', 30)
    at.at(1, 'b', 10)
    at.at(1, 'c', 20)
    at.cancel(1, 'c', 20)
    at.at(1, 'd', 99)
    const fired: unknown[] = []
    const fire = (group: number, key: unknown, time: number): void => {
      fired.push([group, key, time])
      if (time === 10) at.at(1, 'b', 15)
    }
    expect([at.due(50, 2, fire), at.due(50, 2, fire)]).toEqual([true, false])
    expect([fired, at.size]).toEqual([
      [
        [1, 'b', 10],
        [1, 'b', 15],
        [0, 'a', 30],
      ],
      1,
    ])
  })

  test('gives back from its snapshot, group by group, what it held', () => {
    const store = open()
    store.value('last').set(3, 'ä', row(0.5, 'ü\ud800'))
    store.list('all').append(3, '', row(1))
    store.list('all').append(3, '', { n: 2, s: null, j: { deep: ['x', null] } })
    for (const u of [9, -1, 2 ** 40]) store.map('by').set(5, 'm', u, row(u))
    store.timers('at').at(5, 'm', 1_700_000_000_000)
    expect([...new Set(wholeBlocks(store).map(([group]) => group))]).toEqual([3, 5])
    const other = reopened(store)
    expect({ ...other.value('last').get(3, 'ä') }).toEqual(row(0.5, 'ü\ud800'))
    expect(plain(other.list('all').rows(3, ''))).toEqual([row(1), { n: 2, s: null, j: { deep: ['x', null] } }])
    expect(
      other
        .map('by')
        .entries(5, 'm')
        .map(([u]) => u),
    ).toEqual([9, -1, 2 ** 40])
    expect([other.timers('at').size, other.size()]).toEqual([1, 7])
  })

  test('forgets a row when its time to live since the last write is over, also across a restore', () => {
    let now = 0
    const shape: StateShape = { ...SHAPE, tables: { last: { kind: 'value', schema: SCHEMA, ttlMs: 100 } } }
    const store = open(shape, () => now)
    store.value('last').set(0, 'a', row(1))
    now = 60
    store.value('last').set(0, 'b', row(2))
    const other = reopened(store, shape, () => now)
    now = 110
    for (const one of [store, other])
      expect([one.value('last').get(0, 'a'), one.value('last').get(0, 'b')?.['n']]).toEqual([undefined, 2])
    now = 160
    for (const one of [store, other]) expect(one.value('last').get(0, 'b')).toBeUndefined()
  })

  test('takes a snapshot over when a time to live has come or gone since, or the key lies in the rows', () => {
    let now = 0
    const clock = (): number => now
    const rows = { fields: [field('k', 'string'), ...SCHEMA.fields] }
    const shapeOf = (more: { ttlMs?: number; keyIn?: readonly string[] }): StateShape => ({
      key: SHAPE.key,
      tables: {
        last: { kind: 'value', schema: rows, ...more },
        all: { kind: 'list', schema: rows, ...more },
        by: { kind: 'map', userKey: [field('u', 'long')], schema: rows, ...more },
        at: { kind: 'timers' },
      },
    })
    const kinds = [
      shapeOf({}),
      shapeOf({ ttlMs: 100 }),
      shapeOf({ keyIn: ['k'] }),
      shapeOf({ ttlMs: 50, keyIn: ['k'] }),
    ]
    for (const from of kinds)
      for (const into of kinds) {
        now = 0
        const store = open(from, clock)
        const one = (n: number): Row => ({ k: 'ž', ...row(n, 'x') })
        store.value('last').set(2, 'ž', one(1))
        for (const n of [1, 2, 3]) store.list('all').append(2, 'ž', one(n))
        for (const u of [5, 4]) store.map('by').set(2, 'ž', u, one(u))
        store.timers('at').at(2, 'ž', 7)
        now = 30
        const other = reopened(store, into, clock)
        expect([
          other.value('last').get(2, 'ž')?.['n'],
          other
            .list('all')
            .rows(2, 'ž')
            .map(({ n }) => n),
          other
            .map('by')
            .entries(2, 'ž')
            .map(([u, { k }]) => [u, k]),
          other.size(),
        ]).toEqual([
          1,
          [1, 2, 3],
          [
            [5, 'ž'],
            [4, 'ž'],
          ],
          7,
        ])
      }
  })

  test('keeps rows larger than a segment and texts longer than a length word, under any key, and reads them from bytes that lie anywhere', () => {
    const store = open()
    const sizes = [65_535, 65_536, 100_000, 262_144, 400_000, 3_000_000]
    for (const round of [1, 2])
      for (const size of sizes)
        store.value('last').set(1, `key ${size}`, row(size, (round === 1 ? 'a' : 'ž').repeat(size)))
    store.value('last').delete(1, 'key 400000')
    const long = 'k'.repeat(300_000)
    store.list('all').append(1, long, row(1))
    store.list('all').append(1, long, row(2))
    const other = open()
    for (const [group, bytes] of wholeBlocks(store))
      other.restore(group, Buffer.concat([Buffer.alloc(3), bytes]).subarray(3))
    other.restored()
    for (const one of [store, other]) {
      for (const size of sizes)
        expect(one.value('last').get(1, `key ${size}`)?.['s']).toBe(size === 400_000 ? undefined : 'ž'.repeat(size))
      expect(
        one
          .list('all')
          .rows(1, long)
          .map(({ n }) => n),
      ).toEqual([1, 2])
    }
  })

  test('refuses a snapshot whose table or key had other fields, and takes one that lacks a table', () => {
    const store = open()
    store.value('last').set(0, 'a', row(1))
    const tables = { ...SHAPE.tables, last: { kind: 'value', schema: { fields: SCHEMA.fields.slice(1) } } } as const
    expect(() => reopened(store, { ...SHAPE, tables })).toThrow(expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }))
    expect(() => reopened(store, { ...SHAPE, key: [field('k', 'long')] })).toThrow(
      expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }),
    )
    expect(() => reopened(store, { ...SHAPE, tables: {} })).toThrow(
      expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }),
    )
    const more = reopened(store, { ...SHAPE, tables: { ...SHAPE.tables, fresh: { kind: 'timers' } } })
    expect([more.value('last').size, more.timers('fresh').size]).toEqual([1, 0])
  })

  test('refuses bytes that were cut or changed', () => {
    const store = open()
    store.value('last').set(0, 'a', row(1, 'some text'))
    const bytes = wholeBlocks(store)[0]?.[1] ?? new Uint8Array()
    for (const broken of [
      bytes.slice(0, 5),
      bytes.slice(0, 40),
      bytes.slice(0, -8),
      bytes.map((byte, i) => (i < 3 ? 0 : byte)),
    ]) {
      expect(() => {
        open().restore(0, broken)
      }).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
    }
    expect(() => {
      open().restore(
        0,
        bytes.map((byte, i) => (i === 3 ? 9 : byte)),
      )
    }).toThrow(expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }))
  })

  test('knows its tables by name and kind', () => {
    expect(() => open().value('all')).toThrow(expect.objectContaining({ code: 'TABLE_UNKNOWN' }))
    expect(() => open().list('nope')).toThrow(expect.objectContaining({ code: 'TABLE_UNKNOWN' }))
    expect(() => open().value('constructor')).toThrow(expect.objectContaining({ code: 'TABLE_UNKNOWN' }))
  })
})
