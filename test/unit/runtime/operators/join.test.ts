import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileKeyGrouper } from '../../../../runtime/codegen/keys/key-grouper.ts'
import { restOf, type BlockPlace } from '../../../../runtime/checkpoint/state-rest.ts'
import { copiedState } from '../../../../runtime/state/copied-state.ts'
import type { GroupState, SnapshotExtent } from '../../../../runtime/model/snapshot.ts'
import type { Row } from '../../../../runtime/model/schema.ts'
import { emptyJoinBlock, readJoinBlock } from '../../../../runtime/operators/join/join-block.ts'
import { JOIN_TYPES, type JoinType } from '../../../../runtime/graph/verbs/join/join.ts'
import type { JobGraph } from '../../../../runtime/graph/job-graph.ts'
import { keyGroupsOfSlot, slotOfKeyGroup } from '../../../../runtime/plan/key-groups.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { bedGraph, OperatorBed } from '../../../harness/operator-bed.ts'
import { Uploads } from '../../../harness/uploads.ts'
import { plainJoin, plainWindowJoin, type PlainPair, type PlainRow } from '../../../harness/plain/plain-join.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const GROUPS = 12
const SCHEMA = { key: 'string?', num: 'long?', n: 'long', at: 'timestamp', id: 'long', text: 'string' }

/** Sources a and b, the join, a sink. `memory`: how much of its rows may lie there. */
function joinGraph(join: object, memory?: string): JobGraph {
  const source = (id: string) => ({ id, source: 'list', schema: SCHEMA, eventTime: { field: 'at' } })
  return bedGraph({
    maxParallelism: GROUPS,
    ...(memory === undefined ? {} : { state: { memory } }),
    graph: [source('a'), source('b'), { id: 'op', from: ['a', 'b'], join }, { id: 'out', from: 'op', sink: 'console' }],
  })
}

const BOTH = { key: 'left.key', leftId: 'left.id', rightId: 'right.id', leftText: 'left.text', rightText: 'b.text' }
const ONE = { key: 'left.key', leftId: 'left.id', leftText: 'left.text' }
const selectOf = (type: JoinType): object => (type === 'semi' || type === 'anti' ? ONE : BOTH)

const KEYS = ['x', 'y', 'ž日', '\ud83d', ''] as const

interface Event {
  side: 0 | 1
  row: PlainRow
}

/** Events whose times go up with at most so much disorder, in batches. */
const arbitraryBatches = fc
  .array(
    fc.array(
      fc.record({
        side: fc.constantFrom(0 as const, 1 as const),
        key: fc.constantFrom(...KEYS, null),
        jitter: fc.nat(20),
        step: fc.nat(4),
      }),
      { maxLength: 12 },
    ),
    { maxLength: 12 },
  )
  .map((batches) => {
    let clock = 100_000
    let id = 0
    return batches.map((batch) =>
      batch.map(({ side, key, jitter, step }): Event => {
        clock += step * 7
        id += 1
        return { side, row: { key, at: clock + jitter, id, text: `${id}-é` } }
      }),
    )
  })

/** Over so much time that panes, of a second at least, are dropped on the way. */
const STRETCH = 60
const stretched = (batches: readonly (readonly Event[])[]): Event[][] =>
  batches.map((batch) =>
    batch.map(({ side, row }) => ({ side, row: { ...row, at: 100_000 + (row.at - 100_000) * STRETCH } })),
  )

/** `num` is another key of the same rows. */
const numOf = (key: string | null): number | null =>
  key === null ? null : KEYS.findIndex((known) => known === key) * 1000
const rowOf = ({ key, at, id, text }: PlainRow): Row => ({
  key,
  num: numOf(key as string | null),
  n: id % 3,
  at,
  id,
  text,
})
const line = (row: Row | PlainPair, type: JoinType): string => {
  if (!('left' in row)) return JSON.stringify(row)
  const { left, right, window } = row as PlainPair
  const sides =
    type === 'semi' || type === 'anti'
      ? { key: left?.key ?? null, leftId: left?.id ?? null, leftText: left?.text ?? null }
      : {
          key: left?.key ?? null,
          leftId: left?.id ?? null,
          rightId: right?.id ?? null,
          leftText: left?.text ?? null,
          rightText: right?.text ?? null,
        }
  return JSON.stringify({
    ...sides,
    ...(window === undefined ? {} : { windowStart: window, windowEnd: window + windowSize }),
  })
}
let windowSize = 0

/**
 * What happens besides: checkpoints that are begun before batches, read a block at a time while rows come, or fail;
 * restores.
 */
interface Course {
  keyBy: 'key' | 'num'
  /** spec.state.memory: about ten rows. */
  memory: '1Ki' | undefined
  /** Before each batch, `blocks` of what is being read are read. */
  steps: readonly { what: 'nothing' | SnapshotExtent | 'fail'; blocks: number }[]
  /** From the state at a batch the job goes on in other slots; those before it took so many batches more. */
  restores: readonly { at: number; slots: number; more: number; extent: SnapshotExtent }[]
}

const arbitraryCourse = fc.record({
  keyBy: fc.constantFrom('key' as const, 'num' as const),
  memory: fc.constantFrom('1Ki' as const, undefined),
  steps: fc.array(
    fc.record({
      what: fc.constantFrom('nothing', 'changes', 'changes', 'appended', 'whole', 'fail'),
      blocks: fc.nat(30),
    }),
    { minLength: 12, maxLength: 12 },
  ),
  restores: fc.array(
    fc.record({
      at: fc.nat(12),
      slots: fc.integer({ min: 1, max: 3 }),
      more: fc.nat(3),
      extent: fc.constantFrom('changes', 'appended'),
    }),
    { maxLength: 2 },
  ),
})

/** One attempt: its slots and what their checkpoints wrote. */
class Slots {
  readonly beds: OperatorBed[]
  readonly #uploads: Uploads<undefined>[]
  readonly #group: ReturnType<typeof compileKeyGrouper>

  constructor(graph: JobGraph, clock: ManualClock, count: number, keyBy: Course['keyBy']) {
    this.#group = compileKeyGrouper(
      [
        keyBy === 'key'
          ? { name: 'key', type: 'string', nullable: true }
          : { name: 'num', type: 'long', nullable: true },
      ],
      GROUPS,
    )
    this.beds = Array.from(
      { length: count },
      (_, slot) => new OperatorBed(graph, 'op', { clock, slot, parallelism: count }),
    )
    this.#uploads = this.beds.map(() => new Uploads())
  }

  async take(batch: readonly Event[], watermark: number): Promise<void> {
    for (const { side, row } of batch) {
      const groups = new Uint16Array(1)
      this.#group([rowOf(row)], 1, groups)
      await this.beds[slotOfKeyGroup(groups[0] ?? 0, GROUPS, this.beds.length)]?.process([rowOf(row)], side)
    }
    for (const bed of this.beds) await bed.watermark(watermark)
  }

  freeze(extent: SnapshotExtent): void {
    for (const [slot, { stage }] of this.beds.entries())
      this.#uploads[slot]?.add(stage.state?.freeze(extent) ?? copiedState([]), undefined)
  }

  read(blocks: number): void {
    for (const uploads of this.#uploads) for (let block = 0; block < blocks && uploads.step(); block++);
  }

  fail(): void {
    for (const uploads of this.#uploads) uploads.fail()
  }

  /** The blocks of the last checkpoint that was written. */
  blocks(): GroupState[] {
    return this.#uploads.flatMap((uploads) => uploads.blocks(uploads.done.at(-1)?.files ?? []))
  }

  restore(blocks: readonly GroupState[]): void {
    this.beds.forEach(({ stage: { state } }, slot) => {
      const range = keyGroupsOfSlot(slot, GROUPS, this.beds.length)
      for (const [group, bytes] of blocks)
        if (group >= range.first && group < range.endExclusive) state?.restore(group, bytes)
      state?.restored?.()
    })
  }
}

async function run(
  graph: JobGraph,
  batches: readonly (readonly Event[])[],
  { keyBy, steps, restores }: Course,
  lagMs = 21,
): Promise<{ rows: Row[]; late: number; errors: number }> {
  const clock = new ManualClock()
  const rows: Row[] = []
  let slots = new Slots(graph, clock, 1, keyBy)
  let [late, errors] = [0, 0]
  const collect = (): void => {
    for (const bed of slots.beds) {
      rows.push(...bed.out.rows)
      late += bed.late
      errors += bed.errors.length
    }
  }
  const take = (index: number): Promise<void> => {
    const highest = Math.max(
      ...batches
        .slice(0, index + 1)
        .flat()
        .map(({ row }) => row.at),
    )
    return slots.take(batches[index] ?? [], highest > 0 ? highest - lagMs : -Infinity)
  }
  for (const index of batches.keys()) {
    const { what, blocks } = steps[index] ?? { what: 'nothing', blocks: 0 }
    if (what === 'fail') slots.fail()
    else if (what !== 'nothing') slots.freeze(what)
    slots.read(blocks)
    for (const restore of restores.filter(({ at }) => at === index)) {
      slots.freeze(restore.extent)
      collect()
      for (let more = index; more < Math.min(index + restore.more, batches.length); more++) await take(more)
      slots.read(Infinity)
      const written = slots.blocks()
      slots = new Slots(graph, clock, restore.slots, keyBy)
      slots.restore(written)
    }
    await take(index)
  }
  for (const bed of slots.beds) await bed.end()
  collect()
  return { rows, late, errors }
}

const lefts = (batches: readonly (readonly Event[])[]): PlainRow[] =>
  batches
    .flat()
    .filter(({ side }) => side === 0)
    .map(({ row }) => row)
const rights = (batches: readonly (readonly Event[])[]): PlainRow[] =>
  batches
    .flat()
    .filter(({ side }) => side === 1)
    .map(({ row }) => row)
const sorted = (lines: readonly string[]): string[] => [...lines].sort()

describe('a join against the nested loop, with most of its rows on disk or none, and checkpoints on the way that are restored into other slots', () => {
  const condition = 'left.n <= right.n || right.id > 10'
  const meets = (left: PlainRow, right: PlainRow): boolean => left.id % 3 <= right.id % 3 || right.id > 10

  test.each(JOIN_TYPES)('when rows meet in a window, a %s join gives the same rows', async (type) => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryBatches,
        arbitraryCourse,
        fc.boolean(),
        fc.boolean(),
        async (batches, course, hops, hasWhere) => {
          const window = hops ? { sizeMs: 90, slideMs: 30 } : { sizeMs: 50, slideMs: 50 }
          windowSize = window.sizeMs
          const graph = joinGraph(
            {
              keyBy: course.keyBy,
              type,
              window: hops ? { hop: '30ms', size: '90ms' } : { tumble: '50ms' },
              select: selectOf(type),
              ...(hasWhere ? { where: condition } : {}),
            },
            course.memory,
          )
          const { rows, late, errors } = await run(graph, batches, course)
          const expected =
            batches.flat().length === 0
              ? []
              : plainWindowJoin(type, lefts(batches), rights(batches), window, hasWhere ? meets : () => true)
          expect({ late, errors }).toEqual({ late: 0, errors: 0 })
          expect(sorted(rows.map((row) => line(row, type)))).toEqual(sorted(expected.map((pair) => line(pair, type))))
        },
      ),
      { numRuns: 60 },
    )
  })

  test.each(JOIN_TYPES)('when rows meet within an interval, a %s join gives the same rows', async (type) => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryBatches.map(stretched),
        arbitraryCourse,
        fc.boolean(),
        fc.constantFrom([1800, 720], [1800, 720], [-300, 1800], [1800, -300], [-1, 720]),
        async (batches, course, hasWhere, [before = 0, after = 0]) => {
          const graph = joinGraph(
            {
              keyBy: course.keyBy,
              type,
              within: { before: `${before}ms`, after: `${after}ms` },
              select: selectOf(type),
              ...(hasWhere ? { where: condition } : {}),
            },
            course.memory,
          )
          const { rows, late, errors } = await run(graph, batches, course, 21 * STRETCH)
          const meet = (left: PlainRow, right: PlainRow): boolean =>
            left.at - before <= right.at && right.at <= left.at + after && (!hasWhere || meets(left, right))
          expect({ late, errors }).toEqual({ late: 0, errors: 0 })
          expect(sorted(rows.map((row) => line(row, type)))).toEqual(
            sorted(plainJoin(type, lefts(batches), rights(batches), meet).map((pair) => line(pair, type))),
          )
        },
      ),
      { numRuns: 60 },
    )
  })

  test.each(['inner', 'semi'] as const)('when rows are kept for ever, a %s join gives the same rows', async (type) => {
    await fc.assert(
      fc.asyncProperty(arbitraryBatches, arbitraryCourse, fc.boolean(), async (batches, course, hasWhere) => {
        const graph = joinGraph(
          {
            keyBy: course.keyBy,
            type,
            ttl: 'forever',
            select: selectOf(type),
            ...(hasWhere ? { where: condition } : {}),
          },
          course.memory,
        )
        const { rows } = await run(graph, batches, course)
        expect(sorted(rows.map((row) => line(row, type)))).toEqual(
          sorted(
            plainJoin(type, lefts(batches), rights(batches), hasWhere ? meets : () => true).map((pair) =>
              line(pair, type),
            ),
          ),
        )
      }),
      { numRuns: 60 },
    )
  })
})

const row = (key: string | null, at: number, id: number): Row => ({ key, num: id, n: id, at, id, text: `t${id}` })

describe('a join of many rows', () => {
  test.each([
    ['inner', { ttl: 'forever' }],
    ['full', { within: { before: '1h', after: '1h' } }],
    ['full', { window: { tumble: '1h' } }],
  ] as const)('by number, of a %s join (%o), every pair comes once', async (type, extent) => {
    const bed = new OperatorBed(
      joinGraph({
        keyBy: 'num',
        type,
        ...extent,
        select: { num: 'left.num', other: 'right.num', l: 'left.id', r: 'right.id' },
      }),
      'op',
    )
    const sides: [Map<number, number[]>, Map<number, number[]>] = [new Map(), new Map()]
    for (let batch = 0; batch < 100; batch++) {
      const side = batch % 7 === 0 ? 1 : 0
      const rows = Array.from(
        { length: 200 },
        (_, n): Row => ({ ...row('x', 1000, batch * 200 + n), num: (((batch * 200 + n) * 7919) % 4001) * 65_537 }),
      )
      for (const { num, id } of rows)
        sides[side].set(num as number, [...(sides[side].get(num as number) ?? []), id as number])
      await bed.process(rows, side)
    }
    await bed.end()
    const [lefts, rights] = sides
    const pairs = [...lefts].flatMap(([num, ids]) =>
      ids.flatMap((l) => (rights.get(num) ?? (type === 'full' ? [null] : [])).map((r) => `${l} ${r}`)),
    )
    const alone =
      type === 'full' ? [...rights].flatMap(([num, ids]) => (lefts.has(num) ? [] : ids.map((r) => `null ${r}`))) : []
    expect(bed.errors).toEqual([])
    expect(sorted(bed.out.rows.map(({ l, r }) => `${String(l)} ${String(r)}`))).toEqual(sorted([...pairs, ...alone]))
  })
})

describe('a regular join with a time to live', () => {
  test('when a row is older than that, it meets nobody any more and is dropped', async () => {
    const clock = new ManualClock()
    const bed = new OperatorBed(
      joinGraph({ keyBy: 'key', ttl: '1s', select: { leftId: 'left.id', rightId: 'right.id' } }),
      'op',
      { clock },
    )
    await bed.process([row('x', 0, 1)], 0)
    await clock.advance(999)
    await bed.process([row('x', 0, 2)], 1)
    await clock.advance(1)
    await bed.process([row('x', 0, 3)], 1)
    expect(bed.out.rows).toEqual([{ leftId: 1, rightId: 2 }])
    await clock.advance(1300)
    await bed.process([row('y', 0, 4)], 1)
    expect(bed.stage.state?.size()).toBe(1)
  })
})

describe('late rows and watermarks', () => {
  test('when a row of an interval join is behind the watermark, it is counted, put aside by its side, and joins nothing', async () => {
    const bed = new OperatorBed(joinGraph({ keyBy: 'key', within: { before: '1s', after: '0s' }, select: BOTH }), 'op')
    await bed.process([row('x', 1000, 1)], 0)
    await bed.watermark(900)
    await bed.process([row('x', 899, 2), row('x', 900, 3)], 1)
    expect(bed.out.rows.map((out) => out['rightId'])).toEqual([3])
    expect(bed.late).toBe(1)
    expect(bed.side('lateRight').rows).toEqual([row('x', 899, 2)])
    expect(bed.side('lateLeft').rows).toEqual([])
  })

  test('when a window has fired, its rows are late, also after a restore', async () => {
    const graph = joinGraph({ keyBy: 'key', type: 'left', window: { tumble: '100ms' }, select: BOTH })
    const first = new OperatorBed(graph, 'op')
    await first.process([row('x', 50, 1)], 0)
    await first.watermark(99)
    expect(first.out.rows).toHaveLength(1)
    const second = new OperatorBed(graph, 'op')
    for (const [group, bytes] of wholeBlocks(first.stage.state)) second.stage.state?.restore(group, bytes)
    second.stage.state?.restored?.()
    await second.process([row('x', 60, 2), row('x', 160, 3)], 0)
    await second.end()
    expect(second.out.rows.map((out) => out['leftId'])).toEqual([3])
    expect(second.late).toBe(1)
  })

  test.each([
    ['inner', { leftAt: 'left.at', rightAt: 'right.at' }, 499],
    ['inner', { rightAt: 'right.at' }, -1],
    ['left', { leftAt: 'left.at' }, -500],
    ['inner', { rightAt: 'right.at' }, 999, { before: '-5s', after: '10s' }],
    ['right', { rightAt: 'right.at' }, -667, { before: '-5s', after: '10s' }],
  ] as const)(
    'when a %s join selects %o, watermarks are held back so that its rows are never late',
    async (type, select, watermark, within: object = { before: '1s', after: '500ms' }) => {
      const bed = new OperatorBed(joinGraph({ keyBy: 'key', type, within, select }), 'op')
      await bed.watermark(1000)
      await bed.end()
      expect(bed.out.watermarks).toEqual([watermark, Number.MAX_SAFE_INTEGER])
    },
  )
})

describe('rows that throw', () => {
  test('when what is selected leaves the exact range for a pair, the row that came is reported and the others go on', async () => {
    const bed = new OperatorBed(
      joinGraph({ keyBy: 'key', ttl: 'forever', select: { product: 'left.n * right.n' } }),
      'op',
    )
    await bed.process([row('x', 0, 2 ** 30), row('y', 0, 3)], 0)
    await bed.process([row('x', 0, 2 ** 30), row('y', 0, 4)], 1)
    expect(bed.out.rows).toEqual([{ product: 12 }])
    expect(bed.errors.map(({ error, row: { id }, operator }) => [error.code, id, operator])).toEqual([
      ['VALUE_INVALID', 2 ** 30, 'op'],
    ])
  })

  test.each([
    ['ttl', { ttl: 'forever' }],
    ['within', { within: { before: '1s', after: '1s' } }],
    ['window', { window: { tumble: '1s' } }],
  ] as const)('fields may be called as what the code of a join with %s calls its own', async (_kind, extent) => {
    const names = [
      't',
      'e',
      's',
      'st',
      'se',
      'sv',
      'ks',
      'ko',
      'kt',
      'load',
      'l',
      'r',
      'c',
      'i',
      'n',
      'h',
      'next',
      'texts',
      'version',
      'time',
      'out',
      'window',
      'host',
    ]
    const schema = {
      key: 'string',
      at: 'timestamp',
      ...Object.fromEntries(names.map((name, index) => [name, index % 2 === 0 ? 'long' : 'string'])),
    }
    const source = (id: string) => ({ id, source: 'list', schema, eventTime: { field: 'at' } })
    const select = Object.fromEntries(
      names.flatMap((name) => [
        [`${name}L`, `left.${name}`],
        [`${name}R`, `right.${name}`],
      ]),
    )
    const graph = bedGraph({
      graph: [
        source('a'),
        source('b'),
        {
          id: 'op',
          from: ['a', 'b'],
          join: { keyBy: 'key', ...extent, where: 'left.t >= 0 && right.s !== null', select },
        },
        { id: 'out', from: 'op', sink: 'console' },
      ],
    })
    const bed = new OperatorBed(graph, 'op')
    const values = Object.fromEntries(names.map((name, index) => [name, index % 2 === 0 ? index : `of ${name}`]))
    await bed.process([{ key: 'k', at: 0, ...values }], 0)
    await bed.process([{ key: 'k', at: 0, ...values }], 1)
    await bed.end()
    expect(bed.out.rows).toMatchObject([
      Object.fromEntries(
        Object.entries(values).flatMap(([name, value]) => [
          [`${name}L`, value],
          [`${name}R`, value],
        ]),
      ),
    ])
  })

  test('when state was written by another join, a restore names both', () => {
    const one = new OperatorBed(joinGraph({ keyBy: 'key', ttl: 'forever', select: BOTH }), 'op')
    const other = new OperatorBed(joinGraph({ keyBy: 'key', ttl: 'forever', select: { n: 'left.n' } }), 'op')
    return one.process([row('x', 0, 1)], 0).then(() => {
      const [group, bytes] = wholeBlocks(one.stage.state)[0] ?? [0, new Uint8Array()]
      expect(() => other.stage.state?.restore(group, bytes)).toThrow(
        expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }),
      )
      expect(() => one.stage.state?.restore(group, bytes.subarray(0, 20))).toThrow(
        expect.objectContaining({ code: 'STATE_CORRUPT' }),
      )
    })
  })
})

describe('checkpoints', () => {
  test.each([
    ['inner', 0.02],
    ['full', 0.05],
  ] as const)(
    'of a %s join that keeps many rows and gets few write those alone, into files of which there are few',
    async (type, share) => {
      const bed = new OperatorBed(
        joinGraph({ keyBy: 'key', type, within: { before: '1h', after: '1h' }, select: BOTH }),
        'op',
      )
      const uploads = new Uploads<number>()
      const checkpoint = (): number => {
        const before = uploads.writtenBytes
        uploads.add(bed.stage.state?.freeze('changes') ?? copiedState([]), bed.stage.state?.size() ?? 0)
        while (uploads.step());
        return uploads.writtenBytes - before
      }
      for (let id = 0; id < 20_000; id += 1000)
        await bed.process(
          Array.from({ length: 1000 }, (_, n) => row(`k${(id + n) % 5000}`, 1000, id + n)),
          (id / 1000) % 2,
        )
      const first = checkpoint()
      const others: number[] = []
      for (let n = 0; n < 30; n++) {
        await bed.process([row(`k${n}`, 2000, n)], n % 2)
        others.push(checkpoint())
      }
      expect(Math.max(...others.slice(0, 6))).toBeLessThan(first * share)
      expect(uploads.done.at(-1)?.files.length).toBeLessThan(40)
      const again = new OperatorBed(
        joinGraph({ keyBy: 'key', type, within: { before: '1h', after: '1h' }, select: BOTH }),
        'op',
      )
      for (const [group, bytes] of uploads.blocks(uploads.done.at(-1)?.files ?? []))
        again.stage.state?.restore(group, bytes)
      again.stage.state?.restored?.()
      expect(again.stage.state?.size()).toBe(20_030)
    },
  )

  test.each([
    ['inner', { within: { before: '30ms', after: '12ms' } }],
    ['left', { window: { hop: '30ms', size: '90ms' } }],
    ['full', { window: { tumble: '50ms' } }],
    ['inner', { ttl: 'forever' }],
    ['inner', { ttl: '1h' }],
  ] as const)(
    'of extent appended of a %s join (%o) go on from each other, and who follows them joins as the one that wrote them',
    async (type, extent) => {
      const graph = joinGraph({ keyBy: 'key', type, ...extent, select: BOTH })
      await fc.assert(
        fc.asyncProperty(arbitraryBatches, fc.nat(12), async (batches, at) => {
          const clock = new ManualClock()
          const [leader, follower] = [new OperatorBed(graph, 'op', { clock }), new OperatorBed(graph, 'op', { clock })]
          const uploads = new Uploads<undefined>()
          const followed = new Map<number, BlockPlace[]>()
          const take = async (bed: OperatorBed, batch: readonly Event[]): Promise<void> => {
            for (const { side, row: one } of batch) await bed.process([rowOf(one)], side)
            if (batch.length > 0) await bed.watermark(Math.max(...batch.map(({ row: one }) => one.at)) - 41)
          }
          for (const batch of batches.slice(0, at)) {
            await take(leader, batch)
            uploads.add(leader.stage.state?.freeze('appended') ?? copiedState([]), undefined)
            while (uploads.step());
            const rest = restOf(followed, uploads.done.at(-1)?.files ?? [], { first: 0, endExclusive: GROUPS })
            expect(rest).toBeDefined()
            for (const { file, blocks } of rest ?? []) {
              for (const [group, offset, length] of blocks)
                followed.set(group, [
                  ...(followed.get(group) ?? []),
                  { path: file.path, sha256: file.sha256, offset, length },
                ])
              for (const [group, bytes] of uploads.blocks([{ ...file, groups: blocks }]))
                follower.stage.state?.restore(group, bytes)
            }
          }
          follower.stage.state?.restored?.()
          const before = leader.out.rows.length
          for (const bed of [leader, follower]) {
            for (const batch of batches.slice(at)) await take(bed, batch)
            await bed.end()
          }
          expect(sorted(follower.out.rows.map((one) => line(one, type)))).toEqual(
            sorted(leader.out.rows.slice(before).map((one) => line(one, type))),
          )
          expect(follower.errors).toEqual([])
        }),
        { numRuns: 60 },
      )
    },
  )

  test('of version 1, whose rows say themselves that they had a match, are restored', async () => {
    const graph = joinGraph({
      keyBy: 'key',
      type: 'left',
      within: { before: '1s', after: '1s' },
      select: { id: 'left.id' },
    })
    const [old, now] = [new OperatorBed(graph, 'op'), new OperatorBed(graph, 'op')]
    await old.process([row('x', 50, 1), row('x', 51, 2)], 0)
    const [group, block] = wholeBlocks(old.stage.state)[0] ?? [0, new Uint8Array()]
    now.stage.state?.restore(group, asVersion1(block, 0))
    now.stage.state?.restored?.()
    await now.end()
    expect(now.out.rows).toEqual([{ id: 2 }])
  })
})

/** A block with rows as release 0.1.0 wrote it, of which one had a match. */
function asVersion1(block: Uint8Array, matched: number): Uint8Array {
  const {
    header: { shape = '', words },
    sides: [[from, to]],
    bytes: rows,
  } = readJoinBlock(block)
  const { bytes, start } = emptyJoinBlock({ version: 1, passed: null, shape, words })
  bytes.set(rows.subarray(from * 4, to * 4), start)
  // f64 time and id, then the flags
  const size = ((to - from) / 2) * 4
  bytes.set([1], start + matched * size + 2 * 8)
  return bytes
}
