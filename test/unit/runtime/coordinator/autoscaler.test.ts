import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LoadModel, type ModelJob } from '../../../harness/load-model.ts'

/** At most 20 % more or less than the mean, the same for the same seed. */
function noisy(mean: number, seed: number): (second: number) => number {
  return (second) => {
    const noise = Math.sin((second + seed) * 12.9898) * 43758.5453
    return mean * (0.8 + 0.4 * (noise - Math.floor(noise)))
  }
}

const CHEAP_SOURCE = { sourceRate: 100_000, keyedRate: 1000 }

describe('when the load changes', () => {
  test('to three times of what it was, there are enough slots within 30 s, and no change after', async () => {
    const model = new LoadModel({ ...CHEAP_SOURCE, arrivals: (second) => (second < 120 ? 650 : 1950) })
    await model.run(120)
    expect(model.changes).toEqual([])
    await model.run(30)
    expect(model.slots).toEqual({ source: 1, keyed: 4 })
    await model.run(1800)
    expect(model.changes).toHaveLength(1)
    expect(model.lag).toBe(0)
  })

  test('to a third, slots go when fewer would have been enough for all of scaleDownAfter, not before', async () => {
    const model = new LoadModel({
      ...CHEAP_SOURCE,
      slots: { source: 1, keyed: 4 },
      arrivals: (second) => (second < 60 ? 2400 : 500),
    })
    await model.run(60 + 295)
    expect(model.changes).toEqual([])
    await model.run(30)
    expect(model.changes.map(({ from, to }) => [from, to])).toEqual([[4, 1]])
  })

  test('to nothing, minReplicas stay', async () => {
    const model = new LoadModel({
      ...CHEAP_SOURCE,
      slots: { source: 2, keyed: 8 },
      arrivals: () => 0,
      policy: { minReplicas: 2 },
    })
    await model.run(900)
    expect(model.slots).toEqual({ source: 2, keyed: 2 })
  })

  test('for seconds only, nothing is changed', async () => {
    const model = new LoadModel({
      ...CHEAP_SOURCE,
      arrivals: (second) => (second % 300 < 3 ? 1500 : 500),
      policy: { catchUpMs: 600_000 },
    })
    await model.run(3600)
    expect(model.changes).toEqual([])
  })
})

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'when a flat load is noisy for two hours, there is one change at most (%i)',
  async (seed) => {
    const model = new LoadModel({
      ...CHEAP_SOURCE,
      slots: { source: 1, keyed: 2 },
      arrivals: noisy(1250 + seed * 60, seed),
    })
    await model.run(7200)
    expect(model.changes.length).toBeLessThanOrEqual(1)
  },
)

test('when records wait from before, they are worked off in about catchUp, and the slots for that go again', async () => {
  const model = new LoadModel({
    ...CHEAP_SOURCE,
    arrivals: (second) => (second === 1 ? 600_000 : 500),
    policy: { catchUpMs: 300_000 },
  })
  await model.run(20)
  expect(model.slots.keyed).toBe(4)
  while (model.lag > 1000 && model.second < 600) await model.run(1)
  expect(model.lag).toBeLessThanOrEqual(1000)
  await model.run(900)
  expect(model.slots.keyed).toBe(1)
})

test('when a source does not know its lag and its readers hold it back, their slots double until they do not', async () => {
  const model = new LoadModel({ ...CHEAP_SOURCE, knowsLag: false, arrivals: () => 4000 })
  await model.run(240)
  expect(model.changes.map(({ operators, from, to }) => [operators.join(), to / from])).toEqual(
    model.changes.map(() => ['keyed', 2]),
  )
  expect(model.slots.keyed).toBeGreaterThanOrEqual(8)
  expect(model.lag).toBe(0)
})

describe('when more is needed than there may be', () => {
  test('by maxReplicas, it says so', async () => {
    const model = new LoadModel({ ...CHEAP_SOURCE, arrivals: () => 9000, policy: { maxReplicas: 3 } })
    await model.run(120)
    expect(model.slots.keyed).toBe(3)
    expect(model.report().limits).toEqual([
      {
        operators: ['keyed'],
        reason: 'AtMax',
        message: 'keyed has 3 slots and needs more than 3: raise spec.autoscaler.maxReplicas.',
      },
    ])
  })

  test('because there are no more splits, it says so', async () => {
    const model = new LoadModel({ sourceRate: 1000, keyedRate: 100_000, splits: 2, arrivals: () => 9000 })
    await model.run(120)
    expect(model.slots.source).toBe(2)
    expect(model.report().limits).toMatchObject([{ operators: ['source'], reason: 'AtSplits' }])
  })

  test('because one key has all the records, it stops after the first step that brings nothing', async () => {
    const model = new LoadModel({ ...CHEAP_SOURCE, usefulSlots: 1, arrivals: () => 3000 })
    await model.run(40)
    expect(model.changes).toHaveLength(1)
    await model.run(300)
    expect(model.changes.filter(({ from, to }) => to > from)).toHaveLength(1)
  })
})

test('an operator that may not change keeps its slots', async () => {
  const model = new LoadModel({ ...CHEAP_SOURCE, pinned: ['keyed'], arrivals: () => 3000 })
  await model.run(300)
  expect(model.changes).toEqual([])
})

test('a proposal says why in one sentence, and says the same while only figures change', async () => {
  const model = new LoadModel({ ...CHEAP_SOURCE, applies: false, arrivals: noisy(2000, 3) })
  const said = new Set<string>()
  for (let second = 0; second < 60; second++) {
    await model.run(1)
    for (const { to, because } of model.report().proposals) if (to === 4) said.add(because)
  }
  expect([...said]).toEqual([
    expect.stringMatching(
      /^1 slot is busy for 100 % of the time and records are to be read \d\.\d times as fast: for 70 % it takes \d\.\d\.$/,
    ),
  ])
})

test('whatever the load, proposals stay within their bounds, and a load that stays the same comes to rest', async () => {
  const jobs = fc.record({
    rate: fc.integer({ min: 0, max: 20_000 }),
    sourceRate: fc.integer({ min: 200, max: 100_000 }),
    keyedRate: fc.integer({ min: 200, max: 100_000 }),
    splits: fc.integer({ min: 1, max: 40 }),
    knowsLag: fc.boolean(),
    min: fc.integer({ min: 1, max: 4 }),
    more: fc.integer({ min: 0, max: 60 }),
    target: fc.constantFrom(0.3, 0.5, 0.7, 0.9),
    maxParallelism: fc.constantFrom(6, 120, 128, 127),
  })
  await fc.assert(
    fc.asyncProperty(jobs, async ({ rate, min, more, target, splits, ...job }) => {
      const most = Math.min(min + more, job.maxParallelism)
      const model = new LoadModel({
        ...job,
        splits: Math.max(splits, min),
        slots: { source: min, keyed: min },
        arrivals: () => rate,
        policy: {
          minReplicas: min,
          maxReplicas: most,
          targetUtilization: target,
          catchUpMs: 60_000,
          scaleDownAfterMs: 60_000,
        },
      } satisfies ModelJob)
      await model.run(900)
      const settled = model.changes.length
      for (const { to, operators } of model.changes) {
        expect(to).toBeGreaterThanOrEqual(min)
        expect(to).toBeLessThanOrEqual(operators.includes('source') ? Math.min(most, Math.max(splits, min)) : most)
      }
      await model.run(1_200)
      // records that wait may grow so slowly that the step they need comes late; none is taken back, or taken twice
      const late = model.changes.slice(settled).map(({ operators, from, to }) => ({ operators, isMore: to > from }))
      expect(late.filter(({ isMore }) => !isMore)).toEqual([])
      expect(new Set(late.map(({ operators }) => operators.join())).size).toBe(late.length)
    }),
    { numRuns: 40 },
  )
})
