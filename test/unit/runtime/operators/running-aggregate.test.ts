import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import type { Aggregate } from '../../../../runtime/graph/verbs/kit/aggregate-fields.ts'
import type { JobGraph } from '../../../../runtime/graph/job-graph.ts'
import { MAX_TIMESTAMP } from '../../../../runtime/model/time.ts'
import { checkpointSteps, takeStep, type CheckpointStep } from '../../../harness/checkpoint-steps.ts'
import { aroundOperator } from '../../../harness/operator-bed.ts'
import { OperatorSlots } from '../../../harness/operator-slots.ts'
import { plainAggregate } from '../../../harness/plain/plain-aggregate.ts'

/** So few that there are several keys in each. */
const GROUPS = 4
const SCHEMA = {
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
  least: 'min(maybe)',
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
  first: 'first(name)',
  last: 'last(maybe)',
  cheapest: 'argMin(city, whole)',
  middle: 'percentile(whole, 0.5)',
  all: 'collect(name)',
  cost: 'sum(price)',
  meanCost: 'avg(price)',
  lowest: 'min(price)',
  highest: 'max(price)',
  dearest: 'argMax(city, price)',
  prices: 'countDistinct(price)',
}
/** These read numbers and booleans only: rows are added as columns, and results are columns. */
const NUMBERS = {
  n: 'count()',
  big: 'countIf(whole > 3)',
  kinds: 'countDistinct(whole)',
  total: 'sum(maybe)',
  bigKinds: 'countDistinctIf(whole, flag)',
  someKinds: 'countDistinct(maybe)',
  least: 'min(maybe)',
  mean: 'avg(maybe)',
  spread: 'stddev(whole * 2)',
  spreadOfAll: 'stddevPop(maybe)',
  allFlags: 'every(flag)',
  anyBelow: 'some(maybe < 2)',
  oddBits: 'bitXor(maybe)',
  last: 'last(maybe)',
  best: 'argMax(whole, maybe)',
  flags: 'countDistinct(flag)',
  middle: 'percentile(whole, 0.5)',
}
const TTL_MS = 50

interface Input {
  k: number
  city: string
  whole: number
  maybe: number | null
  name: string | null
  flag: boolean
  price: string | null
}

const inputRow = (cities: fc.Arbitrary<string>, names: fc.Arbitrary<string>): fc.Arbitrary<Input> =>
  fc.record({
    k: fc.integer({ min: 0, max: 3 }),
    city: cities,
    whole: fc.integer({ min: -2, max: 12 }),
    maybe: fc.option(fc.integer({ min: -5, max: 5 }), { nil: null }),
    name: fc.option(names, { nil: null }),
    flag: fc.boolean(),
    price: fc.constantFrom(
      null,
      '0.10',
      '0.20',
      '-9.99',
      '10.00',
      '9.99',
      '123456789012345678.01',
      '-123456789012345678.02',
    ),
  })
type Step = { kind: 'rows'; rows: Input[] } | { kind: 'wait'; ms: number } | CheckpointStep<Input[]>
const stepsOf = (row: fc.Arbitrary<Input>): fc.Arbitrary<Step[]> =>
  fc.array<Step>(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant('rows' as const), rows: fc.array(row, { maxLength: 12 }) }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 40 }) }) },
      ...checkpointSteps(fc.array(row, { maxLength: 4 })),
    ),
    { maxLength: 40, size: 'max' },
  )

function graphOf(more: object): JobGraph {
  return { ...aroundOperator(SCHEMA, { keyBy: ['k', 'city'], aggregate: AGGREGATES, ...more }), maxParallelism: GROUPS }
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

const keyOf = ({ k, city }: Input): string => JSON.stringify([k, city])

/** Rows of every key so far; forgets a key nothing came for in the time to live. */
class PlainRunning {
  readonly rowsOf = new Map<string, { rows: Row[]; at: number }>()
  readonly #aggregates: readonly Aggregate[]
  constructor(graph: JobGraph) {
    const verb = graph.operators.find(({ id }) => id === 'op')?.verb
    this.#aggregates = verb?.kind === 'aggregate' || verb?.kind === 'window' ? verb.aggregates : []
  }

  add(row: Input, now: number, ttlMs = Infinity): void {
    const known = this.rowsOf.get(keyOf(row))
    const entry = known === undefined || known.at + ttlMs <= now ? { rows: [], at: now } : known
    entry.rows.push(row as unknown as Row)
    entry.at = now
    this.rowsOf.set(keyOf(row), entry)
  }

  result(key: string, last = Infinity): Row {
    const [k, city] = JSON.parse(key) as [number, string]
    const rows = (this.rowsOf.get(key)?.rows ?? []).slice(-last)
    return {
      k,
      city,
      ...Object.fromEntries(
        this.#aggregates.map((aggregate) => [aggregate.field.name, plainAggregate(aggregate, rows)]),
      ),
    }
  }
}

async function run(
  graph: JobGraph,
  steps: readonly Step[],
  onRows: (slots: OperatorSlots, rows: readonly Input[]) => Promise<void>,
  onWait: (slots: OperatorSlots) => void = () => undefined,
): Promise<OperatorSlots> {
  const slots = new OperatorSlots(graph, 'op', 2)
  for (const one of steps) {
    if (one.kind === 'rows') {
      await slots.process(one.rows as unknown as Row[])
      await onRows(slots, one.rows)
    } else if (one.kind === 'wait') {
      await slots.advance(one.ms)
      onWait(slots)
    } else await takeStep(slots, one, (rows) => slots.process(rows as unknown as Row[]))
  }
  expect(slots.errors()).toEqual([])
  return slots
}

const anySteps = stepsOf(inputRow(fc.constantFrom('Brno', 'Žilina'), fc.constantFrom('a', 'ů', 'bb')))
/** A batch with a text that is not ASCII has no columns. */
const mostlyAscii = stepsOf(
  inputRow(
    fc.oneof({ weight: 30, arbitrary: fc.constantFrom('Brno', 'Plzen') }, fc.constant('Žilina')),
    fc.constantFrom('a', 'bb'),
  ),
)

describe('the running aggregate', () => {
  test.each([
    ['rows', AGGREGATES, anySteps],
    ['columns', NUMBERS, mostlyAscii],
  ])(
    'of %s gives the row of every key that a batch has changed, over any rows, pauses beyond the time to live, and rescales',
    async (_, aggregate, anyOf) => {
      const graph = graphOf({ aggregate, ttl: `${TTL_MS}ms` })
      await fc.assert(
        fc.asyncProperty(anyOf, async (steps) => {
          const plain = new PlainRunning(graph)
          await run(graph, steps, async (slots, rows) => {
            for (const row of rows) plain.add(row, slots.clock.now(), TTL_MS)
            expect(texts(slots.take())).toEqual(texts([...new Set(rows.map(keyOf))].map((key) => plain.result(key))))
          })
        }),
        { numRuns: 40 },
      )
    },
  )

  test('gives a row for each when told so', async () => {
    const graph = graphOf({ emit: 'everyRow' })
    await fc.assert(
      fc.asyncProperty(anySteps, async (steps) => {
        const plain = new PlainRunning(graph)
        await run(graph, steps, async (slots, rows) => {
          const expected = rows.map((row) => {
            plain.add(row, 0)
            return plain.result(keyOf(row))
          })
          expect(texts(slots.take())).toEqual(texts(expected))
        })
      }),
      { numRuns: 100 },
    )
  })

  test('knows its distinct values after a checkpoint that takes the place of others that overlapped', async () => {
    const row: Input = { k: 1, city: 'Brno', whole: 1, maybe: null, name: null, flag: true, price: '9.99' }
    const rows = (name: string | null): Step => ({ kind: 'rows', rows: [{ ...row, name }] })
    const freeze = (blocks: number): Step => ({ kind: 'freeze', extent: 'changes', blocks })
    const graph = graphOf({ emit: 'everyRow' })
    // of how many files one is made is the snapshots' business
    for (let before = 0; before < 16; before++) {
      const names: unknown[] = []
      await run(
        graph,
        [
          ...Array.from({ length: before }, () => [rows(null), freeze(1000)]).flat(),
          rows(null),
          freeze(1),
          rows('a'),
          freeze(1),
          freeze(2),
          freeze(1000),
          { kind: 'rescale', parallelism: 1, extent: 'changes', meanwhile: [] },
          rows('a'),
        ],
        (slots) => {
          names.push(...slots.take().map((made) => made['names']))
          return Promise.resolve()
        },
      )
      expect(names.slice(-2)).toEqual([1, 1])
    }
  })

  test('at intervals gives what has changed since, also before a checkpoint', async () => {
    const graph = graphOf({ emit: { every: '100ms' } })
    const slots = new OperatorSlots(graph, 'op', 1)
    const row = { k: 1, city: 'Brno', whole: 1, maybe: null, name: null, flag: true }
    await slots.process([row, row])
    expect(slots.take()).toEqual([])
    await slots.advance(100)
    expect(slots.take().map(({ n }) => n)).toEqual([2])
    await slots.process([row])
    await slots.rescale(2)
    expect(slots.take().map(({ n }) => n)).toEqual([3])
    await slots.advance(1000)
    expect(slots.take()).toEqual([])
  })

  test('lets go of keys whose time to live is over', async () => {
    const slots = new OperatorSlots(graphOf({ ttl: '1s' }), 'op', 2)
    for (let k = 0; k < 20; k++)
      await slots.process([{ k, city: 'Brno', whole: 1, maybe: null, name: null, flag: true }])
    await slots.advance(600)
    await slots.process([{ k: 7, city: 'Brno', whole: 1, maybe: null, name: null, flag: true }])
    expect(slots.size()).toBe(20)
    await slots.advance(600)
    expect(slots.size()).toBe(1)
  })

  test('refuses a row that would take a sum beyond the exact range and keeps none of it', async () => {
    const slots = new OperatorSlots(graphOf({}), 'op', 1)
    const row = { k: 1, city: 'Brno', whole: Number.MAX_SAFE_INTEGER, maybe: 1, name: 'x', flag: true }
    await slots.process([row, { ...row, maybe: 2 }])
    expect(slots.take()).toMatchObject([{ n: 1, some: 1, total: Number.MAX_SAFE_INTEGER, last: 1 }])
    expect(slots.errors()).toHaveLength(1)
  })
})

describe('windows without time', () => {
  test.each([
    [3, 3],
    [4, 2],
    [6, 4],
    [5, 1],
  ])('the last %i rows of a key come after every %i, over any rows and rescales', async (rows, every) => {
    const graph = graphOf({ window: rows === every ? { count: rows } : { count: rows, every } })
    await fc.assert(
      fc.asyncProperty(anySteps, async (steps) => {
        const plain = new PlainRunning(graph)
        await run(graph, steps, async (slots, batch) => {
          const expected = batch.flatMap((row) => {
            plain.add(row, 0)
            return (plain.rowsOf.get(keyOf(row))?.rows.length ?? 0) % every === 0
              ? [plain.result(keyOf(row), rows)]
              : []
          })
          expect(texts(slots.take())).toEqual(texts(expected))
        })
      }),
      { numRuns: 100 },
    )
  })

  test('a global window comes with the end of its input, and early what has changed', async () => {
    const graph = graphOf({ window: 'global', emit: { early: '30ms' } })
    await fc.assert(
      fc.asyncProperty(anySteps, async (steps) => {
        const plain = new PlainRunning(graph)
        const slots = await run(graph, steps, async (_, batch) => {
          for (const row of batch) plain.add(row, 0)
        })
        await slots.advance(30)
        const early = new Map(slots.take().map((row) => [JSON.stringify([row['k'], row['city']]), row]))
        const expected = texts([...plain.rowsOf.keys()].map((key) => plain.result(key)))
        expect(texts([...early.values()])).toEqual(expected)
        await slots.watermark(MAX_TIMESTAMP)
        expect(texts(slots.take())).toEqual(expected)
      }),
      { numRuns: 100 },
    )
  })
})
