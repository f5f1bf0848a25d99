import { describe, expect, test } from 'vitest'
import type { Field, Row } from '../../../../runtime/model/schema.ts'
import { VirtualScratch } from '../../../../runtime/ports/virtual/scratch.ts'
import { createStateStore, type StateShape, type StateStore } from '../../../../runtime/state/state-store.ts'
import { Uploads } from '../../../harness/uploads.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const KB = 1024
const GROUPS = 4
const field = (name: string, type: Field['type']): Field => ({ name, type, nullable: false })
const SCHEMA = { fields: [field('n', 'long'), field('s', 'string')] }
const shapeOf = (ttl: { ttlMs?: number } = {}): StateShape => ({
  key: [field('k', 'long')],
  tables: {
    last: { kind: 'value', schema: SCHEMA, ...ttl },
    all: { kind: 'list', schema: SCHEMA, ...ttl },
    by: { kind: 'map', userKey: [field('u', 'long')], schema: SCHEMA, ...ttl },
    at: { kind: 'timers' },
  },
})
const TEXT = 'x'.repeat(100)
const row = (n: number): Row => ({ n, s: TEXT })

class Bed {
  readonly disk: VirtualScratch
  now = 0
  readonly store: StateStore

  constructor(
    limitBytes: number,
    { disk = new VirtualScratch(), ttlMs }: { disk?: VirtualScratch; ttlMs?: number } = {},
  ) {
    this.disk = disk
    this.store = createStateStore(shapeOf(ttlMs === undefined ? {} : { ttlMs }), {
      maxParallelism: GROUPS,
      now: () => this.now,
      spill: { limitBytes, open: () => disk.open() },
    })
  }

  set(key: number, n: number): void {
    this.store.value('last').set(key % GROUPS, key, row(n))
  }
  get(key: number): unknown {
    return this.store.value('last').get(key % GROUPS, key)?.['n']
  }
}

let seed = 7
const random = (below: number): number => {
  seed = (Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
  return ((seed ^ (seed >>> 13)) >>> 0) % below
}

describe('state larger than memory', () => {
  test('stays within its limit, and every row is found, also after a restore into as little', () => {
    const bed = new Bed(64 * KB)
    for (let key = 0; key < 5000; key++) {
      bed.set(key, key)
      expect(bed.store.memory().residentBytes).toBeLessThan(100 * KB)
    }
    const other = new Bed(64 * KB)
    for (const [group, bytes] of wholeBlocks(bed.store)) {
      other.store.restore(group, bytes)
    }
    other.store.restored()
    for (const of of [bed, other]) {
      for (let key = 0; key < 5000; key++) expect(of.get(key)).toBe(key)
      expect(of.store.memory().residentBytes).toBeLessThan(100 * KB)
      expect(of.store.memory().onDiskBytes).toBeGreaterThan(5000 * 130 - 100 * KB)
    }
  })

  test('of which nothing exceeds the limit makes no file', () => {
    const bed = new Bed(64 * KB)
    for (let n = 0; n < 50_000; n++) bed.set(n % 100, n)
    expect(bed.disk.openFiles).toBe(0)
  })

  test.each(['at random', 'in turn', 'mostly some'] as const)(
    'takes a bounded part of the disk however long its keys are written over %s',
    (how) => {
      const bed = new Bed(64 * KB)
      const keys = 1500
      const newest = new Map<number, number>()
      const keyAt = {
        'at random': () => random(keys),
        'in turn': (n: number) => n % keys,
        'mostly some': () => random(random(keys) + 1),
      }[how]
      for (let n = 0; n < keys * 8; n++) {
        const key = n < keys ? n : keyAt(n)
        if (n % 3 === 0) expect(bed.get(key)).toBe(newest.get(key))
        bed.set(key, n)
        newest.set(key, n)
      }
      for (const [key, n] of newest) expect(bed.get(key)).toBe(n)
      const live = keys * 136
      expect(bed.store.memory().onDiskBytes).toBeLessThan(live * 3)
      expect(bed.disk.usedBytes).toBeLessThan(live * 4)
    },
  )

  test('takes a bounded part of the disk while keys come and are deleted', () => {
    const bed = new Bed(32 * KB)
    for (let n = 0; n < 15_000; n++) {
      bed.set(n, n)
      if (n >= 1000) expect(bed.store.value('last').delete((n - 1000) % GROUPS, n - 1000)).toBe(true)
    }
    expect(bed.store.size()).toBe(1000)
    expect(bed.disk.usedBytes).toBeLessThan(1000 * 136 * 6)
    for (let n = 14_000; n < 15_000; n++) expect(bed.get(n)).toBe(n)
  })

  test('loses rows whose time to live is over though nobody asks for them', () => {
    const bed = new Bed(32 * KB, { ttlMs: 1000 })
    for (let n = 0; n < 15_000; n++) {
      bed.now = n
      bed.set(n, n)
      bed.store.list('all').append(n % GROUPS, n, row(n))
    }
    expect(bed.store.size()).toBeLessThan(8000)
    expect(bed.disk.usedBytes).toBeLessThan(8000 * 136 * 3)
    expect([bed.get(14_500), bed.get(13_000)]).toEqual([14_500, undefined])
  })

  test('keeps lists, maps and timers, with rows larger than a segment among them', () => {
    const bed = new Bed(16 * KB)
    const large = { n: -1, s: 'ž'.repeat(300_000) }
    const [list, map, timers] = [bed.store.list('all'), bed.store.map('by'), bed.store.timers('at')]
    for (let key = 0; key < 300; key++) {
      for (let n = 0; n < 5; n++) {
        list.append(key % GROUPS, key, row(n))
        map.set(key % GROUPS, key, n, row(n))
      }
      timers.at(key % GROUPS, key, key)
    }
    list.append(1, 1, large)
    map.set(1, 1, 7, large)
    for (let key = 300; key < 600; key++) list.append(key % GROUPS, key, row(key))
    expect(list.rows(1, 1).map(({ n, s }) => [n, (s as string).length])).toEqual([
      ...[0, 1, 2, 3, 4].map((n) => [n, 100]),
      [-1, 300_000],
    ])
    expect(map.get(1, 1, 7)).toEqual(large)
    for (let key = 2; key < 300; key++) {
      expect(list.retain(key % GROUPS, key, ({ n }) => (n as number) > 2)).toBe(3)
      expect(list.rows(key % GROUPS, key).map(({ n }) => n)).toEqual([3, 4])
      expect(map.entries(key % GROUPS, key).map(([user]) => user)).toEqual([0, 1, 2, 3, 4])
    }
    let fired = 0
    timers.due(299, 1000, (_, key, time) => {
      expect(key).toBe(time)
      fired++
    })
    expect(fired).toBe(300)
  })

  test('is in snapshots as it was at their barrier, whatever goes to disk, comes back or is won back meanwhile', () => {
    const bed = new Bed(16 * KB)
    const uploads = new Uploads<Map<number, number>>()
    const now = new Map<number, number>()
    for (let round = 0; round < 30; round++) {
      for (let n = 0; n < 300; n++) {
        const key = random(600)
        if (random(4) === 0) now[bed.store.value('last').delete(key % GROUPS, key) ? 'delete' : 'has'](key)
        else {
          bed.set(key, round * 1000 + n)
          now.set(key, round * 1000 + n)
        }
        expect(bed.get(n)).toBe(now.get(n))
        if (random(6) === 0) uploads.step()
      }
      uploads.add(bed.store.freeze(round % 7 === 6 ? 'whole' : 'changes'), new Map(now))
    }
    while (uploads.step());
    expect(uploads.done).toHaveLength(30)
    for (const { files, expected } of uploads.done) {
      const other = new Bed(16 * KB)
      for (const [group, bytes] of uploads.blocks(files)) other.store.restore(group, bytes)
      other.store.restored()
      expect(other.store.size()).toBe(expected.size)
      for (const [key, n] of expected) expect(other.get(key)).toBe(n)
    }
  })

  test('when the disk is full, says so to whoever writes, and to each barrier behind it', () => {
    const bed = new Bed(32 * KB, { disk: new VirtualScratch(64 * KB) })
    const full = expect.objectContaining({
      code: 'STATE_DISK_FULL',
      domain: 'platform',
      retriable: true,
      hint: expect.stringContaining('spec.state.folder') as string,
    })
    expect(() => {
      for (let n = 0; n < 5000; n++) bed.set(n, n)
    }).toThrow(full)
    expect(() => bed.store.freeze('changes')).toThrow(full)
  })

  test('gives its file back when it is closed', () => {
    const bed = new Bed(0)
    for (let n = 0; n < 1000; n++) bed.set(n, n)
    expect(bed.disk.openFiles).toBe(1)
    bed.store.close()
    expect([bed.disk.openFiles, bed.disk.usedBytes]).toEqual([0, 0])
  })
})
