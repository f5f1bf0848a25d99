import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import {
  checkpointSteps,
  type CheckpointStep,
  rowsAndCheckpoints,
  takeStep,
  takeSteps,
} from '../../../harness/checkpoint-steps.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'
import { OperatorSlots } from '../../../harness/operator-slots.ts'
import { PlainTopN } from '../../../harness/plain/plain-keyed.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const SCHEMA = {
  a: 'string?',
  b: 'long',
  price: 'double',
  n: 'long',
  text: 'string?',
  isNew: 'boolean?',
  more: 'json?',
  weight: 'double?',
  exact: 'decimal(38,3)?',
  small: 'decimal(9,2)?',
  whole: 'bigint?',
  name: 'string',
}

const EXACT = [
  '0.001',
  '1.000',
  '90071992547409.921',
  '90071992547409.922',
  '12345678901234567890123456789012345.678',
  '12345678901234567890123456789012345.679',
  '22345678901234567890123456789012345.678',
]
const arbitraryRow = fc.record({
  a: fc.option(fc.constantFrom('', 'x', 'ž日', '\ud83d'), { nil: null }),
  b: fc.constantFrom(0, 1),
  price: fc.constantFrom(-1, 0, 0.5, 1, 2, 3, 1e300),
  n: fc.nat(1e6),
  text: fc.option(fc.constantFrom('p', 'q'.repeat(300), '日本'), { nil: null }),
  isNew: fc.option(fc.boolean(), { nil: null }),
  more: fc.option(fc.constantFrom({ a: [1, 'x'] }, [], 'y'.repeat(70)), { nil: null }),
  weight: fc.option(fc.constantFrom(0, 0.25, 1e20), { nil: null }),
  // they differ where a double ends, or in one digit far in front
  exact: fc.constantFrom(...['', '-'].flatMap((sign) => EXACT.map((text) => `${sign}${text}`))),
  small: fc.constantFrom('-1.50', '0.00', '0.01', '10.00', '9999999.99'),
  whole: fc.constantFrom('-9223372036854775808', '9007199254740992', '9007199254740993', '-1', '9223372036854775807'),
  name: fc.constantFrom('', 'ann', 'Ann', 'anna', 'ž', '日本', '\u{1f600}', 'q'.repeat(300)),
})
const arbitraryRun = fc.array(rowsAndCheckpoints(arbitraryRow), { maxLength: 30, size: 'max' })

const keyOf = (row: Row, keyBy: readonly string[]): string => JSON.stringify(keyBy.map((name) => row[name]))
/** Per key what came out for it, in order: keys of different slots may come in any. */
function byKey(rows: readonly Row[], keyBy: readonly string[]): Record<string, Row[]> {
  const keys: Record<string, Row[]> = {}
  for (const row of rows) (keys[keyOf(row, keyBy)] ??= []).push({ ...row })
  return keys
}

/** A whole number below what it is asked for, the same in every run. */
function seededDice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe('topN', () => {
  test.each([
    ['desc', {}],
    ['asc', {}],
    ['desc', { rank: 'place' }],
    ['asc', { rank: 'place' }],
    ['desc', { ttl: '100ms' }],
    ['desc', { ttl: '100ms', rank: 'place' }],
    ['desc', { by: 'exact', rank: 'place' }],
    ['asc', { by: 'exact', ttl: '100ms' }],
    ['desc', { by: 'whole' }],
    ['asc', { by: 'whole', rank: 'place' }],
    ['desc', { by: 'small', rank: 'place' }],
    ['desc', { by: ['price', 'n'] }],
    [['desc', 'asc'], { by: ['price', 'n'], rank: 'place' }],
    [['asc', 'desc', 'asc'], { by: ['exact', 'price', 'whole'], rank: 'place', ttl: '100ms' }],
    ['desc', { by: 'name' }],
    ['asc', { by: 'name', rank: 'place' }],
    [['asc', 'desc'], { by: ['price', 'name'], rank: 'place', ttl: '100ms' }],
    [['desc', 'asc', 'desc'], { by: ['name', 'whole', 'exact'], ttl: '100ms' }],
  ] as const)(
    '%j with %j puts out what the plain one does, over any checkpoints, on disk or not',
    async (order, more) => {
      await fc.assert(
        fc.asyncProperty(
          arbitraryRun,
          fc.integer({ min: 1, max: 4 }),
          fc.constantFrom('1Ki', undefined),
          // under a key that is one number rows are ranked as columns
          fc.constantFrom(['a', 'b'], ['b']),
          async (steps, n, memory, keyBy) => {
            const graph = aroundOperator(
              SCHEMA,
              { keyBy, topN: { limit: n, by: 'price', order, ...more } },
              { memory, maxParallelism: 4 },
            )
            const slots = new OperatorSlots(graph, 'op', 1)
            const plain = new PlainTopN({
              n,
              by: 'by' in more ? [more.by].flat() : ['price'],
              order,
              ...('rank' in more ? { rank: 'place' } : {}),
              ...('ttl' in more ? { ttlMs: 100 } : {}),
            })
            await takeSteps(slots, steps, (rows) => {
              const expected = rows.flatMap((row) => plain.take(keyOf(row, keyBy), row, slots.clock.now()))
              return () => {
                expect(byKey(slots.take(), keyBy)).toEqual(byKey(expected, keyBy))
              }
            })
          },
        ),
        { numRuns: 40 },
      )
    },
  )

  test.each([
    ['b', {}, undefined],
    ['b', {}, '32Ki'],
    ['b', { ttl: '40ms' }, undefined],
    ['b', { ttl: '40ms' }, '32Ki'],
    ['a', {}, undefined],
    [['a', 'b'], { ttl: '40ms' }, '32Ki'],
  ])(
    'when most rows that were kept for keys by %j with %j have left, those that are ranked are found where they have moved to (memory %s)',
    async (keyBy, more, memory) => {
      const keys = typeof keyBy === 'string' ? [keyBy] : keyBy
      const schema = { a: 'string', b: 'long', price: 'double', text: 'string', n: 'long' }
      const graph = aroundOperator(
        schema,
        { keyBy, topN: { limit: 5, by: 'price', rank: 'place', ...more } },
        { memory, maxParallelism: 4 },
      )
      const slots = new OperatorSlots(graph, 'op', 2)
      const plain = new PlainTopN({
        n: 5,
        by: ['price'],
        order: 'desc',
        rank: 'place',
        ...('ttl' in more ? { ttlMs: 40 } : {}),
      })
      const dice = seededDice(7)
      for (let n = 0, kept = 0; n < 400; n++) {
        const rows = Array.from({ length: 12 }, (_, i): Row => {
          const id = dice(n % 20 < 10 ? 9 : 3)
          const text = 'x'.repeat(dice(300))
          return {
            a: `key ${id}`,
            b: id,
            price: n * 10 + dice(100),
            text: dice(20) === 0 ? `${text}日` : text,
            n: kept + i,
          }
        })
        kept += rows.length
        await slots.advance(dice(20))
        const expected = rows.flatMap((row) => plain.take(keyOf(row, keys), row, slots.clock.now()))
        await slots.process(rows)
        expect(byKey(slots.take(), keys)).toEqual(byKey(expected, keys))
        if (dice(3) === 0) await slots.freeze(dice(2) === 0 ? 'changes' : 'appended')
        slots.read(dice(4))
        if (dice(8) === 0) await slots.rescale(1 + dice(3), 'changes')
      }
      const bytes = slots.beds.reduce((sum, bed) => sum + (bed.stage.state?.memory?.().residentBytes ?? 0), 0)
      expect(bytes).toBeLessThan(1 << 19)
    },
  )

  test('of equal rows the earlier keeps its place, and a row that only equals the worst does not enter', async () => {
    const bed = new OperatorBed(
      aroundOperator(SCHEMA, { keyBy: 'b', topN: { limit: 2, by: 'price', rank: 'place' } }),
      'op',
    )
    const row = (n: number, price: number): Row => ({ a: null, b: 1, text: null, n, price, name: 'x' })
    await bed.process([row(1, 5), row(2, 5), row(3, 5), row(4, 6)])
    expect(bed.out.rows.map(({ n, place }) => [n, place])).toEqual([
      [1, 1],
      [2, 2],
      [4, 1],
      [1, 2],
    ])
  })

  test('when one row of a batch moves many, they come out in batches a stage may be given', async () => {
    const bed = new OperatorBed(
      aroundOperator(SCHEMA, { keyBy: 'b', topN: { limit: 1000, by: 'price', order: 'desc', rank: 'place' } }),
      'op',
    )
    const sizes: number[] = []
    const { process } = bed.out
    bed.out.process = (batch) => {
      sizes.push(batch.count)
      return process.call(bed.out, batch)
    }
    await bed.process(Array.from({ length: 200 }, (_, n) => ({ a: null, b: 1, text: null, n, price: n, name: 'x' })))
    expect(bed.out.rows.length).toBe((200 * 201) / 2)
    expect(sizes.every((size) => size >= 1 && size <= 1024)).toBe(true)
  })

  test.each([
    ['comes', {}, { ttl: '1h' }, 'place'],
    ['goes', { ttl: '1h' }, {}, 'place'],
    ['changes', { ttl: '1h' }, { ttl: '2h' }, 'place'],
    ['comes', {}, { ttl: '1h' }, undefined],
    ['goes', { ttl: '1h' }, {}, undefined],
  ])('when its time to live %s, from %j to %j, the rankings stay (rank: %s)', async (_, before, after, rank) => {
    const bedOf = (ttl: object): OperatorBed =>
      new OperatorBed(
        aroundOperator(SCHEMA, {
          keyBy: 'b',
          topN: { limit: 2, by: 'price', ...(rank === undefined ? {} : { rank }), ...ttl },
        }),
        'op',
      )
    const row = (n: number, price: number): Row => ({ a: null, b: 1, text: `text ${n}`, n, price, name: 'x' })
    const [old, now, straight] = [bedOf(before), bedOf(after), bedOf(before)]
    const [first, second] = [
      [row(1, 5), row(2, 7)],
      [row(3, 6), row(4, 4), row(5, 9)],
    ]
    await old.process(first)
    for (const [group, bytes] of wholeBlocks(old.stage.state)) now.stage.state?.restore(group, bytes)
    now.stage.state?.restored?.()
    await now.process(second)
    await straight.process([...first, ...second])
    expect(now.out.rows.length).toBeGreaterThan(0)
    expect(now.out.rows.map((one) => ({ ...one }))).toEqual(
      straight.out.rows.slice(old.out.rows.length).map((one) => ({ ...one })),
    )
  })

  test('when a longer time to live follows, rankings whose time was over do not come back without their rows', async () => {
    const clock = new ManualClock()
    const bedOf = (ttl: string): OperatorBed =>
      new OperatorBed(
        aroundOperator(
          { id: 'long', v: 'long' },
          { keyBy: 'id', topN: { limit: 2, by: 'v', rank: 'place', ttl } },
          { maxParallelism: 1 },
        ),
        'op',
        { clock },
      )
    const [before, after] = [bedOf('500ms'), bedOf('1h')]
    const gone = Array.from({ length: 20 }, (_, id) => ({ id, v: 1 }))
    await before.process(gone)
    await clock.advance(1_000)
    // writes to others sweep
    for (let n = 0; n < 500; n++) await before.process(Array.from({ length: 20 }, (_, i) => ({ id: 100 + i, v: n })))
    for (const [group, bytes] of wholeBlocks(before.stage.state)) after.stage.state?.restore(group, bytes)
    after.stage.state?.restored?.()
    await after.process(gone.map(({ id }) => ({ id, v: 2 })))
    expect(after.out.rows.map((row) => ({ ...row }))).toEqual(gone.map(({ id }) => ({ id, v: 2, place: 1 })))
  })

  test.each([
    ['straight through', 0],
    ['over a checkpoint that is restored', 100],
  ])('when keys come and their time to live ends, rankings and rows go, %s', async (_, restoredAt) => {
    const slots = new OperatorSlots(
      aroundOperator(
        { id: 'long', v: 'long' },
        { keyBy: 'id', topN: { limit: 2, by: 'v', rank: 'place', ttl: '500ms' } },
        { maxParallelism: 4 },
      ),
      'op',
      1,
    )
    for (let n = 1; n <= 400; n++) {
      await slots.process(Array.from({ length: 50 }, (_row, i) => ({ id: n * 50 + i, v: i })))
      await slots.advance(10)
      if (n === restoredAt) await slots.rescale(1)
    }
    expect(slots.size()).toBeLessThan(9000)
  })
})

describe('topN that is final', () => {
  const FINAL = { w: 'timestamp', k: 'long', price: 'double?', n: 'long', text: 'string?' }
  const finalRow = fc.record({
    w: fc.integer({ min: 0, max: 12 }),
    k: fc.constantFrom(1, 2),
    price: fc.constantFrom(0, 1, 2, 3),
    n: fc.nat(1e6),
    text: fc.constantFrom('p', 'q'.repeat(300), '日本', ''),
  })
  const rows = fc.array(finalRow, { maxLength: 6 })
  type Step = { kind: 'rows'; rows: Row[] } | { kind: 'watermark'; time: number } | CheckpointStep<Row[]>
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: rows.map((given) => ({ kind: 'rows' as const, rows: given })) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 13 }).map((time) => ({ kind: 'watermark' as const, time })) },
    ...checkpointSteps(rows),
  )

  test.each([
    ['desc', {}],
    ['asc', { rank: 'place' }],
    ['desc', { by: ['text', 'price'] }],
    ['asc', { by: ['text', 'price'], rank: 'place' }],
  ] as const)(
    '%s with %j gives the best rows of each key once, when its time has passed, over any checkpoints',
    async (order, more) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 30, size: 'max' }),
          fc.integer({ min: 1, max: 3 }),
          fc.constantFrom('1Ki', undefined),
          async (steps, limit, memory) => {
            const texts = (a: Row, b: Row): number =>
              'by' in more
                ? Number(String(a['text']) > String(b['text'])) - Number(String(a['text']) < String(b['text']))
                : 0
            const orderOf = (a: Row, b: Row): number => texts(a, b) || Number(a['price']) - Number(b['price'])
            const entry = { keyBy: ['w', 'k'], topN: { limit, by: 'price', order, emit: 'final', ...more } }
            const graph = aroundOperator(FINAL, entry, { eventTime: 'w', memory, maxParallelism: 4 })
            const slots = new OperatorSlots(graph, 'op', 2)
            const kept = new Map<string, Row[]>()
            const expected: Row[] = []
            let passed = -Infinity
            for (const taken of [...steps, { kind: 'watermark' as const, time: Number.MAX_SAFE_INTEGER }]) {
              if (taken.kind === 'rows') {
                const given = taken.rows.filter((row) => Number(row['w']) > passed)
                await slots.process(given)
                for (const row of given)
                  kept.set(keyOf(row, ['w', 'k']), [...(kept.get(keyOf(row, ['w', 'k'])) ?? []), row])
              } else if (taken.kind === 'watermark') {
                if (taken.time <= passed) continue
                passed = taken.time
                await slots.watermark(passed)
                for (const [key, of] of [...kept].filter(([, [row]]) => Number(row?.['w']) <= passed)) {
                  kept.delete(key)
                  const sign = order === 'asc' ? 1 : -1
                  const best = of.toSorted((a, b) => sign * orderOf(a, b)).slice(0, limit)
                  expected.push(...best.map((row, place) => ('rank' in more ? { ...row, place: place + 1 } : row)))
                }
                expect(byKey(slots.take(), ['w', 'k'])).toEqual(byKey(expected.splice(0), ['w', 'k']))
              } else {
                await takeStep(slots, taken, (given) => slots.process(given.filter((row) => Number(row['w']) > passed)))
              }
            }
            expect(slots.errors()).toEqual([])
            expect(slots.size()).toBe(0)
          },
        ),
        { numRuns: 40 },
      )
    },
  )

  test('by several fields is decided by a later one where those before it are equal', async () => {
    const entry = { keyBy: 'w', topN: { limit: 3, by: ['price', 'n'], order: ['desc', 'asc'], emit: 'final' } }
    const bed = new OperatorBed(aroundOperator(FINAL, entry, { eventTime: 'w' }), 'op')
    const row = (price: number | null, n: number): Row => ({ w: 5, k: 1, price, n, text: null })
    await bed.process([row(1, 7), row(2, 9), row(null, 0), row(2, 3), row(2, 9), row(3, 8)])
    await bed.end()
    expect(bed.out.rows.map(({ price, n }) => [price, n])).toEqual([
      [3, 8],
      [2, 3],
      [2, 9],
    ])
    expect(bed.errors).toHaveLength(1)
  })

  test('leaves out rows behind the watermark, counts them and hands them to late', async () => {
    const entry = { keyBy: 'w', topN: { limit: 2, by: 'price', emit: 'final' } }
    const bed = new OperatorBed(aroundOperator(FINAL, entry, { eventTime: 'w', sides: ['late'] }), 'op')
    const row = (w: number, price: number): Row => ({ w, k: 1, price, n: 0, text: null })
    await bed.process([row(5, 1)])
    await bed.watermark(5)
    await bed.process([row(5, 2), row(6, 3)])
    await bed.end()
    expect(bed.out.rows.map(({ w, price }) => [w, price])).toEqual([
      [5, 1],
      [6, 3],
    ])
    expect(bed.late).toBe(1)
    expect(bed.side('late').rows).toMatchObject([{ w: 5, price: 2 }])
  })
})
