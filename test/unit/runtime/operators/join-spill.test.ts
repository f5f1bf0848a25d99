import { describe, expect, test } from 'vitest'
import type { GroupState } from '../../../../runtime/model/snapshot.ts'
import type { Row } from '../../../../runtime/model/schema.ts'
import { VirtualScratch } from '../../../../runtime/ports/virtual/scratch.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { bedGraph, OperatorBed } from '../../../harness/operator-bed.ts'
import { Uploads } from '../../../harness/uploads.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const KB = 1024
const SCHEMA = {
  key: 'string?',
  num: 'long?',
  flag: 'boolean',
  maybe: 'boolean?',
  at: 'timestamp',
  id: 'long',
  price: 'double?',
  text: 'string',
  note: 'string?',
  data: 'json?',
}
const FIELDS = ['key', 'num', 'flag', 'maybe', 'at', 'id', 'price', 'text', 'note', 'data']
const BOTH = Object.fromEntries(
  ['left', 'right'].flatMap((side) => FIELDS.map((field) => [`${side}_${field}`, `${side}.${field}`])),
)
const CLOCK = new ManualClock()

function bedOf(join: object, memory?: string, disk = new VirtualScratch(), clock = CLOCK): OperatorBed {
  const source = (id: string) => ({ id, source: 'list', schema: SCHEMA, eventTime: { field: 'at' } })
  const graph = bedGraph({
    maxParallelism: 16,
    ...(memory === undefined ? {} : { state: { memory } }),
    graph: [
      source('a'),
      source('b'),
      { id: 'op', from: ['a', 'b'], join: { select: BOTH, ...join } },
      { id: 'out', from: 'op', sink: 'console' },
    ],
  })
  return new OperatorBed(graph, 'op', { clock, disk })
}

let seed = 11
const random = (below: number): number => {
  seed = (Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
  return ((seed ^ (seed >>> 13)) >>> 0) % below
}
const NOTES = [null, '', 'a note', 'žluťoučký', '日本', '\ud83d alone']
const DATA = [null, { a: [1, 'é'] }, 'text', 7]
function rowOf(id: number, key: number, at = 1000): Row {
  return {
    key: key % 50 === 0 ? null : `key ${key}`,
    num: key % 50 === 0 ? null : key * 65_537,
    flag: id % 2 === 0,
    maybe: [null, true, false][id % 3],
    at,
    id,
    price: id % 5 === 0 ? null : id / 4,
    text: 'x'.repeat(random(120)),
    note: NOTES[id % NOTES.length],
    data: DATA[id % DATA.length],
  }
}

interface Memory {
  residentBytes: number
  fileBytes: number
  coldBytes: number
}
const linesOf = ({ out }: OperatorBed): string[] => out.rows.map((row) => JSON.stringify(row))
const memoryOf = ({ stage }: OperatorBed): Memory => stage.state?.memory?.() as Memory
const restored = (bed: OperatorBed, blocks: readonly GroupState[]): OperatorBed => {
  for (const [group, bytes] of blocks) bed.stage.state?.restore(group, bytes)
  bed.stage.state?.restored?.()
  return bed
}

/** So much at most, besides the limit: what one batch brings, and a segment for each part of two sides. */
const LIMIT = 64 * KB
const SOME_MORE = 160 * KB

const EXTENTS = [
  ['regular', { ttl: 'forever' }],
  ['regular with a time to live', { ttl: '16s' }],
  ['interval', { within: { before: '20s', after: '10s' } }],
  ['hopping', { window: { hop: '10s', size: '20s' } }],
] as const

describe('a join whose rows are mostly on disk', () => {
  test.each(
    EXTENTS.flatMap(([kind, extent]) => ['key', 'num'].map((keyBy) => [kind, keyBy, { keyBy, ...extent }] as const)),
  )('gives the same rows in the same order as in memory, also after restores: %s, on %s', async (kind, _, extent) => {
    const type = kind === 'interval' || kind === 'hopping' ? 'full' : 'inner'
    const join = { type, ...extent }
    const beds = [bedOf(join), bedOf(join, '64Ki')] as [OperatorBed, OperatorBed]
    const uploads = new Uploads<undefined>()
    let spilled = 0
    let rows = 0
    for (let batch = 0; batch < 80; batch++) {
      const at = batch * 500
      const events = Array.from({ length: 60 }, (_, n) =>
        rowOf(batch * 60 + n, random(2) === 0 ? random(4000) : random(100), at + random(3000)),
      )
      for (const bed of beds) {
        await bed.process(events, batch % 2)
        await bed.watermark(at - 1)
      }
      await CLOCK.advance(500)
      uploads.step()
      if (batch % 10 === 5)
        uploads.add(
          (beds[1].stage.state ?? expect.unreachable()).freeze(batch % 20 === 5 ? 'changes' : 'whole'),
          undefined,
        )
      expect(linesOf(beds[1])).toEqual(linesOf(beds[0]))
      rows += beds[0].out.rows.length
      for (const bed of beds) bed.out.rows.length = 0
      expect(memoryOf(beds[1]).residentBytes).toBeLessThan(LIMIT + SOME_MORE)
      spilled = Math.max(spilled, memoryOf(beds[1]).coldBytes)
      if (batch === 40) {
        // what is written with a limit is read without, and the other way round
        const [inMemory, onDisk] = beds.map(({ stage }) => wholeBlocks(stage.state))
        beds[0] = restored(bedOf(join), onDisk ?? [])
        beds[1] = restored(bedOf(join, '64Ki'), inMemory ?? [])
        expect(beds[1].stage.state?.size()).toBe(beds[0].stage.state?.size())
      }
      if (batch === 60) {
        while (uploads.step());
        uploads.add((beds[1].stage.state ?? expect.unreachable()).freeze('changes'), undefined)
        while (uploads.step());
        const blocks = uploads.blocks(uploads.done.at(-1)?.files ?? [])
        beds[0] = restored(bedOf(join), blocks)
        beds[1] = restored(bedOf(join, '64Ki'), blocks)
      }
    }
    for (const bed of beds) await bed.end()
    expect(linesOf(beds[1])).toEqual(linesOf(beds[0]))
    expect(beds.map(({ late, errors }) => [late, errors])).toEqual([
      [0, []],
      [0, []],
    ])
    expect(rows).toBeGreaterThan(2000)
    expect(spilled).toBeGreaterThan(4 * LIMIT)
  })

  test('stays within its limit while more is restored than fits, and while rows of long ago are asked for', async () => {
    // left rows that meet one are not kept, nor right ones without a key
    const join = {
      type: 'semi',
      keyBy: 'num',
      ttl: 'forever',
      where: 'left.id === right.id',
      select: { id: 'left.id' },
    }
    const bed = bedOf(join, '64Ki')
    for (let id = 0; id < 4000; id += 500)
      await bed.process(
        Array.from({ length: 500 }, (_, n) => rowOf(id + n, id + n)),
        1,
      )
    const disk = new VirtualScratch()
    const again = bedOf(join, '64Ki', disk)
    for (const [group, bytes] of wholeBlocks(bed.stage.state)) {
      again.stage.state?.restore(group, bytes)
      expect(memoryOf(again).residentBytes).toBeLessThan(LIMIT + SOME_MORE)
    }
    again.stage.state?.restored?.()
    const before = disk.usedBytes
    for (let round = 0; round < 150; round++) {
      const asked = Array.from({ length: 200 }, () => random(4000)).filter((id) => id % 50 !== 0)
      await again.process(
        asked.map((id) => rowOf(id, id)),
        0,
      )
      expect(memoryOf(again).residentBytes).toBeLessThan(LIMIT + SOME_MORE)
      expect(again.out.rows.splice(0).map(({ id }) => id)).toEqual(asked)
    }
    // a row that was read lies behind the others, and its old place is won back
    expect(again.stage.state?.size()).toBe(4000 - 80)
    expect(disk.usedBytes).toBeLessThan(before * 4)
  })

  test('when a row meets more rows on disk than may lie in memory, keeps to its limit meanwhile', async () => {
    const disk = new VirtualScratch()
    const bed = bedOf(
      { type: 'inner', keyBy: 'num', ttl: 'forever', select: { id: 'right.id', text: 'right.text' } },
      '64Ki',
      disk,
    )
    for (let id = 0; id < 4000; id += 500)
      await bed.process(
        Array.from({ length: 500 }, (_, n) => rowOf(id + n, 1)),
        1,
      )
    let most = 0
    disk.refusal = () => {
      most = Math.max(most, memoryOf(bed).residentBytes)
      return undefined
    }
    await bed.process([rowOf(0, 1)], 0)
    expect(bed.out.rows.map(({ id }) => id)).toEqual(Array.from({ length: 4000 }, (_, id) => id))
    expect([most > LIMIT / 2, most < LIMIT + SOME_MORE]).toEqual([true, true])
  })

  test('when panes are dropped, gives back what they had on disk, and keeps little of each in memory', async () => {
    const disk = new VirtualScratch()
    const bed = bedOf(
      {
        type: 'left',
        keyBy: 'key',
        window: { hop: '1s', size: '100s' },
        select: { id: 'left.id', text: 'left.text', other: 'right.text' },
      },
      '16Ki',
      disk,
    )
    let most = 0
    for (let second = 0; second < 400; second++) {
      await bed.process(
        Array.from({ length: 30 }, (_, n) => rowOf(second * 30 + n, second * 30 + n, second * 1000)),
        second % 2,
      )
      bed.out.rows.length = 0
      await bed.watermark(second * 1000 - 1)
      expect(memoryOf(bed).residentBytes).toBeLessThan(16 * KB + 16 * KB)
      if (second === 200) most = disk.usedBytes
    }
    expect(most).toBeGreaterThan(4 * LIMIT)
    expect(disk.usedBytes).toBeLessThan(most * 1.5)
    await bed.end()
    expect(bed.stage.state?.size()).toBe(0)
    expect(memoryOf(bed).residentBytes).toBe(0)
  })

  test('has rows larger than a segment among them', async () => {
    const join = {
      type: 'inner',
      keyBy: 'key',
      ttl: 'forever',
      select: { l: 'left.id', r: 'right.id', text: 'left.text', note: 'left.note' },
    }
    const bed = bedOf(join, '16Ki')
    const large = { ...rowOf(1, 1), text: 'ž'.repeat(200_000), note: 'n'.repeat(100_000) }
    await bed.process([large, { ...large, id: 2, text: '\ud83d'.repeat(150_000) }], 0)
    for (let id = 0; id < 1000; id++) await bed.process([rowOf(id, 51 + id)], 0)
    const again = restored(bedOf(join, '16Ki'), wholeBlocks(bed.stage.state))
    for (const one of [bed, again]) {
      await one.process([rowOf(7, 1), rowOf(8, 1)], 1)
      expect(one.out.rows).toEqual(
        [7, 8].flatMap((r) => [
          { l: 1, r, text: large.text, note: large.note },
          { l: 2, r, text: '\ud83d'.repeat(150_000), note: large.note },
        ]),
      )
    }
  })

  test('when the disk is full, says so to whoever writes or restores, and to each barrier behind it', async () => {
    const full = expect.objectContaining({
      code: 'STATE_DISK_FULL',
      domain: 'platform',
      retriable: true,
      hint: expect.stringContaining('spec.state.folder') as string,
    })
    const join = { type: 'inner', keyBy: 'key', ttl: 'forever' }
    const bed = bedOf(join, '32Ki', new VirtualScratch(64 * KB))
    for (let id = 0; id < 2000; id++) await bed.process([rowOf(id, id)], 0)
    expect(bed.errors[0]?.error).toEqual(full)
    expect(() => bed.stage.state?.freeze('changes')).toThrow(full)
    const whole = bedOf(join)
    for (let id = 0; id < 2000; id++) await whole.process([rowOf(id, id)], 0)
    expect(() => restored(bedOf(join, '32Ki', new VirtualScratch(64 * KB)), wholeBlocks(whole.stage.state))).toThrow(
      full,
    )
  })

  test('gives its file back when it is closed', async () => {
    const disk = new VirtualScratch()
    const bed = bedOf({ type: 'inner', keyBy: 'key', ttl: 'forever' }, '1Ki', disk)
    for (let id = 0; id < 1000; id++) await bed.process([rowOf(id, id)], 0)
    expect(disk.openFiles).toBe(1)
    await bed.stage.close?.()
    expect([disk.openFiles, disk.usedBytes]).toEqual([0, 0])
  })
})
