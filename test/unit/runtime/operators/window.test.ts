import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import { MAX_TIMESTAMP } from '../../../../runtime/model/time.ts'
import type { Aggregate } from '../../../../runtime/graph/verbs/kit/aggregate-fields.ts'
import type { JobGraph } from '../../../../runtime/graph/job-graph.ts'
import type { WindowExtent } from '../../../../runtime/graph/verbs/window.ts'
import { checkpointSteps, takeStep, type CheckpointStep } from '../../../harness/checkpoint-steps.ts'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'
import { OperatorSlots } from '../../../harness/operator-slots.ts'
import { plainAggregate } from '../../../harness/plain/plain-aggregate.ts'
import { PlainTimeWindow, type PlainResult } from '../../../harness/plain/plain-time-window.ts'

/** So few that there are several keys in each. */
const GROUPS = 4
const SCHEMA = {
  at: 'timestamp',
  k: 'long',
  city: 'string',
  whole: 'long',
  maybe: 'long?',
  name: 'string?',
  flag: 'boolean',
  price: 'decimal(20,2)?',
}
const AGGREGATES = {
  n: 'count()',
  some: 'count(maybe)',
  big: 'countIf(whole > 3)',
  total: 'sum(whole)',
  most: 'max(name)',
  mean: 'avg(maybe)',
  spread: 'stddev(whole)',
  spreadOfAll: 'stddevPop(maybe)',
  squares: 'variance(maybe / 3)',
  squaresOfAll: 'variancePop(whole / 3)',
  allFlags: 'every(flag)',
  anyBelow: 'some(maybe < 2)',
  allBelow: 'every(maybe < 2)',
  commonBits: 'bitAnd(maybe)',
  anyBits: 'bitOr(whole)',
  oddBits: 'bitXor(maybe)',
  kinds: 'countDistinct(whole)',
  bigKinds: 'countDistinctIf(whole, flag)',
  names: 'countDistinct(name)',
  about: 'approxCountDistinct(whole)',
  first: 'first(name)',
  last: 'last(whole)',
  lastMaybe: 'last(maybe)',
  cheapest: 'argMin(city, whole)',
  dearest: 'argMax(maybe, whole)',
  byName: 'argMax(whole, name)',
  middle: 'percentile(whole, 0.5)',
  all: 'collect(whole)',
  hist: 'histogram(whole, 0, 10, 5)',
  cost: 'sum(price)',
  meanCost: 'avg(price)',
  lowest: 'min(price)',
  priciest: 'argMax(city, price)',
}

interface Input {
  at: number
  k: number
  city: string
  whole: number
  maybe: number | null
  name: string | null
  flag: boolean
  price: string | null
}

const inputRow: fc.Arbitrary<Input> = fc.record({
  at: fc.integer({ min: -30, max: 60 }),
  k: fc.integer({ min: 0, max: 3 }),
  city: fc.constantFrom('Brno', 'Žilina'),
  whole: fc.integer({ min: -2, max: 12 }),
  maybe: fc.option(fc.integer({ min: -5, max: 5 }), { nil: null }),
  name: fc.option(fc.constantFrom('a', 'ů', 'bb'), { nil: null }),
  flag: fc.boolean(),
  price: fc.constantFrom(null, '0.10', '-9.99', '10.00', '9.99', '123456789012345678.01', '-123456789012345678.02'),
})
type Step = { kind: 'rows'; rows: Input[] } | { kind: 'watermark'; forward: number } | CheckpointStep<Meanwhile>
interface Meanwhile {
  rows: Input[]
  forward: number
}
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('rows' as const), rows: fc.array(inputRow, { maxLength: 12 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('watermark' as const), forward: fc.integer({ min: 0, max: 15 }) }),
  },
  ...checkpointSteps(
    fc.record({ rows: fc.array(inputRow, { maxLength: 4 }), forward: fc.integer({ min: 0, max: 20 }) }),
  ),
)

function windowGraph(window: unknown, more: object = {}, aggregate: object = AGGREGATES): JobGraph {
  const graph = aroundOperator(
    SCHEMA,
    { keyBy: ['k', 'city'], window, aggregate, ...more },
    { eventTime: 'at', sides: 'time' in Object(window) ? [] : ['late'] },
  )
  return { ...graph, maxParallelism: GROUPS }
}

function aggregatesOf(graph: JobGraph): readonly Aggregate[] {
  const verb = graph.operators.find(({ id }) => id === 'op')?.verb
  return verb?.kind === 'window' ? verb.aggregates : []
}

/** Comparable: doubles to nine digits. */
function texts(rows: readonly Row[]): string[] {
  return rows
    .map((row) =>
      JSON.stringify(row, (_, value: unknown) =>
        typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(9)) : value,
      ),
    )
    .sort()
}

function resultRow(
  { key, start, end, rows: members }: PlainResult,
  aggregates: readonly Aggregate[],
  extent: WindowExtent,
): Row {
  const [k, city] = JSON.parse(key) as [number, string]
  // rows of a hopping window count pane by pane, and within a pane as they came
  const rows =
    extent.kind !== 'hop'
      ? members
      : members.toSorted(
          (a, b) => Math.floor(Number(a['at']) / paneOf(extent)) - Math.floor(Number(b['at']) / paneOf(extent)),
        )
  return {
    k,
    city,
    windowStart: start,
    windowEnd: end,
    ...Object.fromEntries(
      aggregates.map((aggregate) => [
        aggregate.field.name,
        plainAggregate(aggregate, rows, (row) => row['at'] as number),
      ]),
    ),
  }
}

const paneOf = ({ sizeMs, slideMs }: { sizeMs: number; slideMs: number }): number => (sizeMs === slideMs ? sizeMs : 2)
const keyOf = ({ k, city }: Input): string => JSON.stringify([k, city])

async function runScenario(
  window: object,
  extent: WindowExtent & { kind: 'hop' | 'session' },
  latenessMs: number,
  steps: readonly Step[],
  aggregate: object = AGGREGATES,
): Promise<void> {
  const graph = windowGraph(window, latenessMs === 0 ? {} : { lateness: `${latenessMs}ms` }, aggregate)
  const aggregates = aggregatesOf(graph)
  const slots = new OperatorSlots(graph, 'op', 2)
  const plain = new PlainTimeWindow(extent, latenessMs)
  let watermark = -40
  for (const one of [...steps, { kind: 'watermark' as const, forward: MAX_TIMESTAMP }]) {
    if (one.kind === 'rows') {
      await slots.process(one.rows as unknown as Row[])
      const late = one.rows.filter((row) => !plain.add(keyOf(row), row.at, row as unknown as Row))
      expect(texts(slots.takeSide('late'))).toEqual(texts(late as unknown as Row[]))
      expect(texts(slots.take())).toEqual(
        texts(plain.takeChanged().map((result) => resultRow(result, aggregates, extent))),
      )
    } else if (one.kind === 'watermark') {
      watermark = Math.min(MAX_TIMESTAMP, watermark + one.forward)
      await slots.watermark(watermark)
      expect(texts(slots.take())).toEqual(
        texts(plain.fire(watermark + 1).map((result) => resultRow(result, aggregates, extent))),
      )
    } else {
      await takeStep(slots, one, async ({ rows, forward }) => {
        await slots.process(rows as unknown as Row[])
        await slots.watermark(watermark + forward)
      })
      if (one.kind !== 'rescale') continue
      // the watermark is not in the state: what has fired must be
      await slots.watermark(watermark)
      expect(slots.take()).toEqual([])
    }
  }
  expect(slots.errors()).toEqual([])
}

const CASES: readonly [name: string, window: object, extent: WindowExtent & { kind: 'hop' | 'session' }][] = [
  ['tumbling windows', { tumble: '10ms' }, { kind: 'hop', sizeMs: 10, slideMs: 10 }],
  ['hopping windows', { hop: '4ms', size: '10ms' }, { kind: 'hop', sizeMs: 10, slideMs: 4 }],
  ['sessions', { session: '5ms' }, { kind: 'session', gapMs: 5 }],
]

describe('the window operator', () => {
  describe.each(CASES)('%s', (_, window, extent) => {
    test.each([0, 7, 1000])(
      'with %i ms of lateness give what rows kept in lists give, over any rows, watermarks and rescales',
      async (latenessMs) => {
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), (steps) =>
            runScenario(window, extent, latenessMs, steps),
          ),
          { numRuns: 30 },
        )
      },
    )
  })

  test.each([0, 100])(
    'hundreds of sessions of a key that end with one watermark all come out, with %i ms of lateness',
    async (latenessMs) => {
      const many = fc.array(
        inputRow.chain((row) => fc.integer({ min: 0, max: 4000 }).map((at) => ({ ...row, at, k: 0 }))),
        { minLength: 300, maxLength: 500, size: 'max' },
      )
      const manySteps = fc.array(
        fc.oneof(
          { weight: 2, arbitrary: many.map((rows) => ({ kind: 'rows' as const, rows })) },
          fc.record({ kind: fc.constant('watermark' as const), forward: fc.integer({ min: 0, max: 3000 }) }),
          ...checkpointSteps(fc.constant<Meanwhile>({ rows: [], forward: 0 })),
        ),
        { minLength: 1, maxLength: 5 },
      )
      await fc.assert(
        fc.asyncProperty(manySteps, (steps) =>
          runScenario({ session: '5ms' }, { kind: 'session', gapMs: 5 }, latenessMs, steps, {
            n: 'count()',
            total: 'sum(whole)',
          }),
        ),
        { numRuns: 30, endOnFailure: true },
      )
    },
  )

  describe('while one checkpoint is written and the barrier of the next has passed', () => {
    const row = (at: number): Input => ({
      at,
      k: 1,
      city: 'Brno',
      whole: 0,
      maybe: null,
      name: null,
      flag: false,
      price: null,
    })
    const rows = (...at: number[]): Step => ({ kind: 'rows', rows: at.map(row) })
    const forward = (ms: number): Step => ({ kind: 'watermark', forward: ms })
    const freeze = (blocks: number): Step => ({ kind: 'freeze', extent: 'changes', blocks })

    test('a window that fires before either is read is in the second', async () => {
      await runScenario({ hop: '4ms', size: '10ms' }, { kind: 'hop', sizeMs: 10, slideMs: 4 }, 0, [
        forward(5),
        rows(0, 2),
        freeze(0),
        rows(44),
        forward(30),
        freeze(1000),
        forward(40),
        freeze(0),
        forward(14),
        { kind: 'rescale', parallelism: 1, extent: 'changes', meanwhile: { rows: [], forward: 4 } },
      ])
    })

    test('a session that ended before that barrier does not come back with it', async () => {
      await runScenario({ session: '5ms' }, { kind: 'session', gapMs: 5 }, 0, [
        rows(-17),
        forward(14),
        freeze(0),
        forward(13),
        { kind: 'rescale', parallelism: 1, extent: 'appended', meanwhile: { rows: [], forward: 0 } },
      ])
    })
  })

  test('a row between two sessions that would take their sum beyond what is exact is refused and joins nothing', async () => {
    const slots = new OperatorSlots(windowGraph({ session: '5ms' }, {}, { n: 'count()', total: 'sum(whole)' }), 'op', 1)
    const row = (at: number, whole: number): Row => ({
      at,
      k: 0,
      city: 'Brno',
      whole,
      maybe: null,
      name: null,
      flag: true,
    })
    await slots.process([row(10, 2 ** 52), row(18, 2 ** 52), row(14, 1)])
    expect(slots.errors()).toHaveLength(1)
    await slots.watermark(MAX_TIMESTAMP)
    expect(slots.take().map(({ windowStart, windowEnd, n, total }) => [windowStart, windowEnd, n, total])).toEqual([
      [10, 15, 1, 2 ** 52],
      [18, 23, 1, 2 ** 52],
    ])
  })

  test('the deviation of large numbers of a key that the first pane of a window has not got is a number', async () => {
    const graph = {
      ...aroundOperator(
        { at: 'timestamp', k: 'long', x: 'double' },
        { keyBy: 'k', window: { hop: '5ms', size: '10ms' }, aggregate: { spread: 'stddev(x)' } },
        { eventTime: 'at' },
      ),
      maxParallelism: 1,
    }
    const bed = new OperatorBed(graph, 'op')
    await bed.process([
      { at: 0, k: 1, x: 1 },
      { at: 1, k: 1, x: 1 },
      { at: 5, k: 0, x: 1e160 },
      { at: 6, k: 0, x: 1e160 },
    ])
    await bed.end()
    expect(bed.out.rows.map(({ k, windowStart, spread }) => [k, windowStart, spread])).toEqual([
      [1, -5, 0],
      [1, 0, 0],
      [0, 0, 0],
      [0, 5, 0],
    ])
    expect(bed.errors).toEqual([])
  })

  test('late rows that nobody reads are counted and let go', async () => {
    const graph = aroundOperator(
      SCHEMA,
      { keyBy: 'k', window: { tumble: '10ms' }, aggregate: { n: 'count()' } },
      { eventTime: 'at' },
    )
    const bed = new OperatorBed(graph, 'op', { sides: [] })
    await bed.watermark(100)
    await bed.process([
      { ...ROW, at: 5 },
      { ...ROW, at: 105 },
    ])
    await bed.end()
    expect([bed.late, bed.out.rows.map(({ n }) => n)]).toEqual([1, [1]])
  })

  test('a group that never had a row knows after a restore how far its windows have fired', async () => {
    const slots = new OperatorSlots(windowGraph({ tumble: '10ms' }, {}, { n: 'count()' }), 'op', 1)
    await slots.watermark(100)
    await slots.rescale(3)
    await slots.process([{ ...ROW, at: 5 }])
    expect(slots.takeSide('late')).toHaveLength(1)
  })

  test('a key whose late rows merge sessions that had fired comes again as the session they make', async () => {
    const slots = new OperatorSlots(windowGraph({ session: '10ms' }, { lateness: '1h' }, { n: 'count()' }), 'op', 1)
    await slots.process([
      { ...ROW, at: 0 },
      { ...ROW, at: 15 },
    ])
    await slots.watermark(50)
    expect(bounds(slots.take())).toEqual([
      [0, 10, 1],
      [15, 25, 1],
    ])
    await slots.process([{ ...ROW, at: 8 }])
    expect(bounds(slots.take())).toEqual([[0, 25, 3]])
  })
})

describe('windows of processing time', () => {
  test.each([
    [
      'tumble',
      { tumble: '10s' },
      [
        [0, 10_000, 2],
        [10_000, 20_000, 1],
      ],
    ],
    [
      'hop',
      { hop: '5s', size: '10s' },
      [
        [-5000, 5000, 1],
        [0, 10_000, 2],
        [5000, 15_000, 2],
        [10_000, 20_000, 1],
      ],
    ],
    [
      'session',
      { session: '6s' },
      [
        [1000, 12_000, 2],
        [12_500, 18_500, 1],
      ],
    ],
  ])('that %s fire by the clock, whatever the watermark says', async (_, extent, expected) => {
    const slots = new OperatorSlots(windowGraph({ ...extent, time: 'processing' }, {}, { n: 'count()' }), 'op', 2)
    for (const waitMs of [1000, 5000, 6500]) {
      await slots.advance(waitMs)
      await slots.process([{ ...ROW, at: 7 }])
      await slots.watermark(1)
    }
    for (let second = 0; second < 20; second++) await slots.advance(1000)
    expect(bounds(slots.take())).toEqual(expected)
    expect(slots.size()).toBe(0)
  })

  test('that were restored after their time fire at once, and those still open at the end of a bounded input with it', async () => {
    const slots = new OperatorSlots(windowGraph({ tumble: '10s', time: 'processing' }, {}, { n: 'count()' }), 'op', 1)
    await slots.process([ROW])
    await slots.clock.advance(60_000)
    await slots.rescale(2)
    await slots.process([ROW])
    await slots.advance(0)
    expect(bounds(slots.take())).toEqual([[0, 10_000, 1]])
    await slots.watermark(MAX_TIMESTAMP)
    expect(bounds(slots.take())).toEqual([[60_000, 70_000, 1]])
  })

  test('do not lose a row to a clock that was set back', async () => {
    const slots = new OperatorSlots(windowGraph({ tumble: '10s', time: 'processing' }, {}, { n: 'count()' }), 'op', 1)
    await slots.advance(25_000)
    await slots.process([ROW])
    await slots.advance(10_000)
    slots.clock.setBack(34_000)
    await slots.process([ROW])
    await slots.watermark(MAX_TIMESTAMP)
    expect(bounds(slots.take())).toEqual([
      [20_000, 30_000, 1],
      [30_000, 40_000, 1],
    ])
  })
})

describe('early results', () => {
  test.each(CASES)(
    'of %s hold what the window holds, for keys that changed, and the window itself comes as ever',
    async (_, window) => {
      const slots = new OperatorSlots(windowGraph(window, { emit: { early: '100ms' } }, { n: 'count()' }), 'op', 1)
      const plain = new OperatorSlots(windowGraph(window, {}, { n: 'count()' }), 'op', 1)
      const early: Row[] = []
      for (const rows of [
        [
          { ...ROW, at: 1 },
          { ...ROW, at: 3 },
        ],
        [
          { ...ROW, at: 4 },
          { ...ROW, k: 2, at: 2 },
        ],
        [],
      ]) {
        await slots.process(rows)
        await plain.process(rows)
        await slots.advance(100)
        early.push(...slots.take())
      }
      await slots.watermark(MAX_TIMESTAMP)
      await plain.watermark(MAX_TIMESTAMP)
      const final = plain.take()
      expect(texts(slots.take())).toEqual(texts(final))
      // the last early row of each key and window is the final one, as nothing came after it
      const last = new Map(early.map((row) => [JSON.stringify([row['k'], row['windowStart']]), row]))
      expect(texts([...last.values()])).toEqual(texts(final))
      expect(early.length).toBeGreaterThan(final.length)
    },
  )
})

const ROW = { at: 0, k: 1, city: 'Brno', whole: 1, maybe: null, name: null, flag: true }

function bounds(rows: readonly Row[]): unknown[][] {
  return rows.map((row) => [row['windowStart'], row['windowEnd'], row['n']]).sort((a, b) => Number(a[0]) - Number(b[0]))
}
