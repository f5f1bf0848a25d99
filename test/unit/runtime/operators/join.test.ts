import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileKeyGrouper } from '../../../../runtime/codegen/keys/key-grouper.ts'
import type { Row } from '../../../../runtime/model/schema.ts'
import { fieldsOf } from '../../../../runtime/model/schema.ts'
import { JOIN_TYPES, type JoinType } from '../../../../runtime/plan/join-verb.ts'
import type { JobGraph } from '../../../../runtime/plan/job-graph.ts'
import { keyGroupsOfSlot, slotOfKeyGroup } from '../../../../runtime/plan/key-groups.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { bedGraph, OperatorBed } from '../../../harness/operator-bed.ts'
import { plainJoin, plainWindowJoin, type PlainPair, type PlainRow } from '../../../harness/plain/plain-join.ts'

const GROUPS = 12
const SCHEMA = { key: 'string?', n: 'long', at: 'timestamp', id: 'long', text: 'string' }

/** Sources a and b, the join, a sink. */
function joinGraph(join: object): JobGraph {
  const source = (id: string) => ({ id, source: 'list', schema: SCHEMA, eventTime: { field: 'at' } })
  return bedGraph({ maxParallelism: GROUPS, graph: [source('a'), source('b'), { id: 'op', from: ['a', 'b'], join }, { id: 'out', from: 'op', sink: 'console' }] })
}

const BOTH = { key: 'left.key', leftId: 'left.id', rightId: 'right.id', leftText: 'left.text', rightText: 'b.text' }
const ONE = { key: 'left.key', leftId: 'left.id', leftText: 'left.text' }
const selectOf = (type: JoinType): object => (type === 'semi' || type === 'anti' ? ONE : BOTH)

interface Event { side: 0 | 1; row: PlainRow }

/** Events whose times go up with at most so much disorder, in batches. */
const arbitraryBatches = fc.array(fc.array(fc.record({
  side: fc.constantFrom(0 as const, 1 as const), key: fc.constantFrom('x', 'y', 'ž日', '\ud83d', '', null), jitter: fc.nat(20), step: fc.nat(4),
}), { maxLength: 12 }), { maxLength: 12 }).map((batches) => {
  let clock = 100_000
  let id = 0
  return batches.map((batch) => batch.map(({ side, key, jitter, step }): Event => {
    clock += step * 7
    id += 1
    return { side, row: { key, at: clock + jitter, id, text: `${id}-é` } }
  }))
})

const rowOf = ({ key, at, id, text }: PlainRow): Row => ({ key, n: id % 3, at, id, text })
const line = (row: Row | PlainPair, type: JoinType): string => {
  if (!('left' in row)) return JSON.stringify(row)
  const { left, right, window } = row as PlainPair
  const sides = type === 'semi' || type === 'anti' ? { key: left?.key ?? null, leftId: left?.id ?? null, leftText: left?.text ?? null }
    : { key: left?.key ?? null, leftId: left?.id ?? null, rightId: right?.id ?? null, leftText: left?.text ?? null, rightText: right?.text ?? null }
  return JSON.stringify({ ...sides, ...(window === undefined ? {} : { windowStart: window, windowEnd: window + windowSize }) })
}
let windowSize = 0

/** Runs batches through one slot, then, from a snapshot on, through several. */
async function run(graph: JobGraph, batches: readonly (readonly Event[])[], snapshotAt: number, slots: number): Promise<{ rows: Row[]; late: number; errors: number }> {
  const clock = new ManualClock()
  let beds = [new OperatorBed(graph, 'op', { clock })]
  const rows: Row[] = []
  const group = compileKeyGrouper(fieldsOf(graph.operators[0]?.schema ?? { fields: [] }, ['key']), GROUPS)
  let highest = 0
  let late = 0
  let errors = 0
  const collect = (): void => { for (const bed of beds) { rows.push(...bed.out.rows); late += bed.late; errors += bed.errors.length } }
  for (const [index, batch] of batches.entries()) {
    if (index === snapshotAt) {
      const blocks = beds[0]?.stage.state?.snapshot() ?? []
      collect()
      beds = Array.from({ length: slots }, (_, slot) => new OperatorBed(graph, 'op', { clock, slot, parallelism: slots }))
      beds.forEach((bed, slot) => {
        const range = keyGroupsOfSlot(slot, GROUPS, slots)
        for (const [at, bytes] of blocks) if (at >= range.first && at < range.endExclusive) bed.stage.state?.restore(at, bytes)
      })
    }
    for (const { side, row } of batch) {
      const groups = new Uint16Array(1)
      group([rowOf(row)], 1, groups)
      await beds[slotOfKeyGroup(groups[0] ?? 0, GROUPS, beds.length)]?.process([rowOf(row)], side)
      highest = Math.max(highest, row.at)
    }
    if (highest > 0) for (const bed of beds) await bed.watermark(highest - 21)
  }
  for (const bed of beds) await bed.end()
  collect()
  return { rows, late, errors }
}

const lefts = (batches: readonly (readonly Event[])[]): PlainRow[] => batches.flat().filter(({ side }) => side === 0).map(({ row }) => row)
const rights = (batches: readonly (readonly Event[])[]): PlainRow[] => batches.flat().filter(({ side }) => side === 1).map(({ row }) => row)
const sorted = (lines: readonly string[]): string[] => [...lines].sort()

describe('a join against the nested loop, with a snapshot on the way that is restored into other slots', () => {
  const condition = 'left.n <= right.n || right.id > 10'
  const meets = (left: PlainRow, right: PlainRow): boolean => left.id % 3 <= right.id % 3 || right.id > 10

  test.each(JOIN_TYPES)('when rows meet in a window, a %s join gives the same rows', async (type) => {
    await fc.assert(fc.asyncProperty(arbitraryBatches, fc.nat(12), fc.integer({ min: 1, max: 3 }), fc.boolean(), fc.boolean(), async (batches, at, slots, hops, hasWhere) => {
      const window = hops ? { sizeMs: 90, slideMs: 30 } : { sizeMs: 50, slideMs: 50 }
      windowSize = window.sizeMs
      const graph = joinGraph({ on: 'key', type, window: hops ? { hop: '30ms', size: '90ms' } : { tumble: '50ms' }, select: selectOf(type), ...(hasWhere ? { where: condition } : {}) })
      const { rows, late, errors } = await run(graph, batches, at, slots)
      const expected = batches.flat().length === 0 ? [] : plainWindowJoin(type, lefts(batches), rights(batches), window, hasWhere ? meets : () => true)
      expect({ late, errors }).toEqual({ late: 0, errors: 0 })
      expect(sorted(rows.map((row) => line(row, type)))).toEqual(sorted(expected.map((pair) => line(pair, type))))
    }), { numRuns: 60 })
  })

  test.each(JOIN_TYPES)('when rows meet within an interval, a %s join gives the same rows', async (type) => {
    await fc.assert(fc.asyncProperty(arbitraryBatches, fc.nat(12), fc.integer({ min: 1, max: 3 }), fc.boolean(), async (batches, at, slots, hasWhere) => {
      const graph = joinGraph({ on: 'key', type, within: { before: '30ms', after: '12ms' }, select: selectOf(type), ...(hasWhere ? { where: condition } : {}) })
      const { rows, late, errors } = await run(graph, batches, at, slots)
      const meet = (left: PlainRow, right: PlainRow): boolean => left.at - 30 <= right.at && right.at <= left.at + 12 && (!hasWhere || meets(left, right))
      expect({ late, errors }).toEqual({ late: 0, errors: 0 })
      expect(sorted(rows.map((row) => line(row, type)))).toEqual(sorted(plainJoin(type, lefts(batches), rights(batches), meet).map((pair) => line(pair, type))))
    }), { numRuns: 60 })
  })

  test.each(['inner', 'semi'] as const)('when rows are kept for ever, a %s join gives the same rows', async (type) => {
    await fc.assert(fc.asyncProperty(arbitraryBatches, fc.nat(12), fc.integer({ min: 1, max: 3 }), fc.boolean(), async (batches, at, slots, hasWhere) => {
      const graph = joinGraph({ on: 'key', type, ttl: 'forever', select: selectOf(type), ...(hasWhere ? { where: condition } : {}) })
      const { rows } = await run(graph, batches, at, slots)
      expect(sorted(rows.map((row) => line(row, type)))).toEqual(sorted(plainJoin(type, lefts(batches), rights(batches), hasWhere ? meets : () => true).map((pair) => line(pair, type))))
    }), { numRuns: 60 })
  })
})

const row = (key: string | null, at: number, id: number): Row => ({ key, n: id, at, id, text: `t${id}` })

describe('a regular join with a time to live', () => {
  test('when a row is older than that, it meets nobody any more and is dropped', async () => {
    const clock = new ManualClock()
    const bed = new OperatorBed(joinGraph({ on: 'key', ttl: '1s', select: { leftId: 'left.id', rightId: 'right.id' } }), 'op', { clock })
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
    const bed = new OperatorBed(joinGraph({ on: 'key', within: { before: '1s', after: '0s' }, select: BOTH }), 'op')
    await bed.process([row('x', 1000, 1)], 0)
    await bed.watermark(900)
    await bed.process([row('x', 899, 2), row('x', 900, 3)], 1)
    expect(bed.out.rows.map((out) => out['rightId'])).toEqual([3])
    expect(bed.late).toBe(1)
    expect(bed.side('lateRight').rows).toEqual([row('x', 899, 2)])
    expect(bed.side('lateLeft').rows).toEqual([])
  })

  test('when a window has fired, its rows are late, also after a restore', async () => {
    const graph = joinGraph({ on: 'key', type: 'left', window: { tumble: '100ms' }, select: BOTH })
    const first = new OperatorBed(graph, 'op')
    await first.process([row('x', 50, 1)], 0)
    await first.watermark(99)
    expect(first.out.rows).toHaveLength(1)
    const second = new OperatorBed(graph, 'op')
    for (const [group, bytes] of first.stage.state?.snapshot() ?? []) second.stage.state?.restore(group, bytes)
    await second.process([row('x', 60, 2), row('x', 160, 3)], 0)
    await second.end()
    expect(second.out.rows.map((out) => out['leftId'])).toEqual([3])
    expect(second.late).toBe(1)
  })

  test.each([
    ['inner', { leftAt: 'left.at', rightAt: 'right.at' }, 499],
    ['inner', { rightAt: 'right.at' }, -1],
    ['left', { leftAt: 'left.at' }, -500],
  ] as const)('when a %s join selects %o, watermarks are held back so that its rows are never late', async (type, select, watermark) => {
    const bed = new OperatorBed(joinGraph({ on: 'key', type, within: { before: '1s', after: '500ms' }, select }), 'op')
    await bed.watermark(1000)
    await bed.end()
    expect(bed.out.watermarks).toEqual([watermark, Number.MAX_SAFE_INTEGER])
  })
})

describe('rows that throw', () => {
  test('when what is selected leaves the exact range for a pair, the row that came is reported and the others go on', async () => {
    const bed = new OperatorBed(joinGraph({ on: 'key', ttl: 'forever', select: { product: 'left.n * right.n' } }), 'op')
    await bed.process([row('x', 0, 2 ** 30), row('y', 0, 3)], 0)
    await bed.process([row('x', 0, 2 ** 30), row('y', 0, 4)], 1)
    expect(bed.out.rows).toEqual([{ product: 12 }])
    expect(bed.errors.map(({ error, row: { id }, operator }) => [error.code, id, operator])).toEqual([['VALUE_INVALID', 2 ** 30, 'op']])
  })

  test('when state was written by another join, a restore names both', () => {
    const one = new OperatorBed(joinGraph({ on: 'key', ttl: 'forever', select: BOTH }), 'op')
    const other = new OperatorBed(joinGraph({ on: 'key', ttl: 'forever', select: { n: 'left.n' } }), 'op')
    return one.process([row('x', 0, 1)], 0).then(() => {
      const [group, bytes] = one.stage.state?.snapshot()[0] ?? [0, new Uint8Array()]
      expect(() => other.stage.state?.restore(group, bytes)).toThrow(expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }))
      expect(() => one.stage.state?.restore(group, bytes.subarray(0, 20))).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
    })
  })
})
