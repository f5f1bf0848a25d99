import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Field, Row } from '../../../../runtime/model/schema.ts'
import type { SnapshotExtent, StateFile } from '../../../../runtime/model/snapshot.ts'
import { createStateStore, type StateShape, type StateStore } from '../../../../runtime/state/state-store.ts'
import { Uploads } from '../../../harness/uploads.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const GROUPS = 3
const KEYS = ['a', 'b', 'c', 'd']
const field = (name: string, type: Field['type']): Field => ({ name, type, nullable: false })
const SCHEMA = { fields: [field('n', 'long'), field('s', 'string')] }
const SHAPE: StateShape = {
  key: [field('k', 'string')],
  tables: {
    last: { kind: 'value', schema: SCHEMA },
    all: { kind: 'list', schema: SCHEMA },
    by: { kind: 'map', userKey: [field('u', 'long')], schema: SCHEMA },
    at: { kind: 'timers' },
  },
}
const open = (): StateStore => createStateStore(SHAPE, { maxParallelism: GROUPS, now: () => 0 })

/** All that a store holds; its timers are taken out. */
function contents(store: StateStore): unknown {
  const timers: string[] = []
  store.timers('at').due(Infinity, 1e6, (group, key, time) => {
    timers.push(`${group} ${String(key)} ${time}`)
  })
  const plain = (row: Row | undefined): unknown => (row === undefined ? null : [row['n'], (row['s'] as string).length])
  const rows = Array.from({ length: GROUPS }, (_, group) =>
    KEYS.map((key) => [
      plain(store.value('last').get(group, key)),
      store.list('all').rows(group, key).map(plain),
      store
        .map('by')
        .entries(group, key)
        .map(([u, row]) => [u, plain(row)]),
    ]),
  )
  return { rows, timers: timers.sort(), size: store.value('last').size + store.list('all').size + store.map('by').size }
}

function restored(files: readonly StateFile[], uploads: Uploads<unknown>): StateStore {
  const store = open()
  for (const [group, bytes] of uploads.blocks(files)) store.restore(group, bytes)
  store.restored()
  return store
}

const operation = fc.record({
  what: fc.constantFrom(
    'set',
    'set',
    'delete',
    'append',
    'retain',
    'cut',
    'map',
    'unmap',
    'clear',
    'at',
    'cancel',
    'churn',
    'snapshot',
    'snapshot',
    'savepoint',
    'step',
    'step',
    'step',
    'finish',
    'fail',
  ),
  group: fc.nat(GROUPS - 1),
  key: fc.constantFrom(...KEYS),
  n: fc.nat(20),
  length: fc.nat(300),
})
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

function change(store: StateStore, { what, group, key, n, length }: Operation, row: Row): void {
  switch (what) {
    case 'set':
      store.value('last').set(group, key, row)
      break
    case 'delete':
      store.value('last').delete(group, key)
      break
    case 'append':
      store.list('all').append(group, key, row)
      break
    case 'retain':
      store.list('all').retain(group, key, (one) => (one['n'] as number) % 3 !== n % 3)
      break
    case 'cut':
      store.list('all').delete(group, key)
      break
    case 'map':
      store.map('by').set(group, key, n % 5, row)
      break
    case 'unmap':
      store.map('by').delete(group, key, n % 5)
      break
    case 'clear':
      store.map('by').clear(group, key)
      break
    case 'at':
      store.timers('at').at(group, key, n)
      break
    case 'cancel':
      store.timers('at').cancel(group, key, n)
      break
    // enough for segments to be compacted
    case 'churn':
      for (let i = 0; i < 300; i++) store.value('last').set(group, KEYS[i % 3] ?? '', { n: i, s: 'y'.repeat(length) })
      break
  }
}

describe('snapshots of a log store', () => {
  test('that are read while work goes on, with changes only or whole, failing or not, restore to what was there at their barrier', () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 30, maxLength: 200, size: 'max' }), (operations) => {
        const store = open()
        const twin = open()
        const uploads = new Uploads<unknown>()
        const freeze = (extent: SnapshotExtent): void => {
          // the twin is never frozen while it changes
          const same = open()
          for (const [group, bytes] of wholeBlocks(twin)) same.restore(group, bytes)
          same.restored()
          uploads.add(store.freeze(extent), contents(same))
        }
        operations.forEach((one, n) => {
          const row = { n, s: 'x'.repeat(one.length) }
          if (one.what === 'snapshot') freeze('changes')
          else if (one.what === 'savepoint') freeze('whole')
          else if (one.what === 'step') uploads.step()
          else if (one.what === 'fail') uploads.fail()
          else if (one.what === 'finish') while (uploads.step());
          else for (const both of [store, twin]) change(both, one, row)
        })
        while (uploads.step());
        freeze('changes')
        while (uploads.step());
        for (const { files, expected } of uploads.done) expect(contents(restored(files, uploads))).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  test('write what has come since the last, and refer for the rest to its files, of which there are few', () => {
    const store = open()
    const uploads = new Uploads<unknown>()
    const sizes: number[] = []
    const text = 'x'.repeat(200)
    for (let n = 0; n < 20_000; n++) store.list('all').append(n % GROUPS, `k${n}`, { n, s: text })
    for (let checkpoint = 0; checkpoint < 100; checkpoint++) {
      const before = uploads.writtenBytes
      for (let n = 0; n < 20; n++) store.list('all').append(n % GROUPS, `k${(n * 997) % 20_000}`, { n, s: text })
      uploads.add(store.freeze('changes'), undefined)
      while (uploads.step());
      sizes.push(uploads.writtenBytes - before)
    }
    const [first = 0, ...others] = sizes
    expect(others.reduce((sum, size) => sum + size, 0)).toBeLessThan(first / 3)
    expect(uploads.done.at(-1)?.files.length).toBeLessThan(40)
    expect(restored(uploads.done.at(-1)?.files ?? [], uploads).size()).toBe(22_000)
  })

  test('refer to no file of a snapshot that was not written', () => {
    const store = open()
    const uploads = new Uploads<unknown>()
    const add = (n: number): void => {
      store.value('last').set(0, 'a', { n, s: '' })
    }
    for (let n = 0; n < 4; n++) {
      add(n)
      uploads.add(store.freeze('changes'), n)
      uploads.step()
      if (n % 2 === 1) uploads.fail()
      else while (uploads.step());
    }
    expect(uploads.done.map(({ expected }) => expected)).toEqual([0, 2])
    for (const { files, expected } of uploads.done)
      expect(restored(files, uploads).value('last').get(0, 'a')?.['n']).toBe(expected)
  })

  test('that are whole refer to nothing, and nothing refers to them', () => {
    const store = open()
    const uploads = new Uploads<unknown>()
    for (let n = 0; n < 6; n++) {
      store.value('last').set(0, `k${n}`, { n, s: 'x'.repeat(2000) })
      uploads.add(store.freeze(n % 2 === 0 ? 'changes' : 'whole'), undefined)
      while (uploads.step());
    }
    const paths = uploads.done.map(({ files }) => new Set(files.map(({ path }) => path)))
    for (const whole of [1, 3, 5])
      for (const [other, of] of paths.entries())
        if (other !== whole) expect(of.isDisjointFrom(paths[whole] ?? new Set())).toBe(true)
  })
})
