import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import { checkpointSteps, takeStep, type CheckpointStep } from '../../../harness/checkpoint-steps.ts'
import { aroundOperator, OperatorBed, type BedOptions } from '../../../harness/operator-bed.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { OperatorSlots } from '../../../harness/operator-slots.ts'
import { PlainTotals, totals, TOTALS_ENTRY, TOTALS_SCHEMA } from '../../../harness/plain/plain-totals.ts'

const MODULES = { user: { path: './user.ts' } }
interface Payment {
  user: string
  region: number | null
  amount: number
  at: number
}
type Meanwhile = { rows: Payment[]; watermark: number }
type Step = { kind: 'rows'; rows: Payment[] } | { kind: 'watermark'; time: number } | CheckpointStep<Meanwhile>

const sorted = (rows: readonly Row[]): string[] => rows.map((row) => JSON.stringify(row)).sort()

const payment: fc.Arbitrary<Payment> = fc.record({
  user: fc.constantFrom('ann', 'bob', '', 'ž'),
  region: fc.option(fc.integer({ min: 0, max: 2 }), { nil: null }),
  amount: fc.integer({ min: 0, max: 100 }),
  at: fc.integer({ min: 0, max: 100 }),
})
const payments = fc.array(payment, { maxLength: 6 })
const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: payments.map((rows) => ({ kind: 'rows' as const, rows })) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 140 }).map((time) => ({ kind: 'watermark' as const, time })) },
  ...checkpointSteps(fc.record({ rows: payments, watermark: fc.integer({ min: 0, max: 140 }) })),
)

describe('process', () => {
  test('whatever the rows and the checkpoints, on disk or not, it gives what one Map would give', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitraryStep, { maxLength: 40, size: 'max' }),
        fc.constantFrom('1Ki', undefined),
        async (steps, memory) => {
          const graph = aroundOperator(TOTALS_SCHEMA, TOTALS_ENTRY, {
            modules: MODULES,
            eventTime: 'at',
            sides: ['large'],
            memory,
            maxParallelism: 4,
          })
          const slots = new OperatorSlots(graph, 'op', 2, { modules: { user: { totals } } })
          const plain = new PlainTotals()
          let newest = -1
          for (const step of [...steps, { kind: 'watermark' as const, time: Number.MAX_SAFE_INTEGER }]) {
            if (step.kind === 'rows') {
              await slots.process(step.rows as unknown as Row[])
              for (const row of step.rows) plain.add(row)
            } else if (step.kind === 'watermark') {
              if (step.time <= newest) continue
              newest = step.time
              await slots.watermark(newest)
              plain.watermark(newest)
            } else {
              await takeStep(slots, step, async ({ rows, watermark }) => {
                await slots.process(rows as unknown as Row[])
                await slots.watermark(watermark)
              })
            }
          }
          expect(slots.errors()).toEqual([])
          expect(sorted(slots.take())).toEqual(sorted(plain.out))
          expect(sorted(slots.takeSide('large'))).toEqual(sorted(plain.large))
        },
      ),
      { numRuns: 60 },
    )
  })

  const one = (
    onRow: unknown,
    more: { options?: BedOptions; process?: object; keyBy?: string | null } = {},
  ): OperatorBed => {
    const entry = {
      ...(more.keyBy === null ? {} : { keyBy: more.keyBy ?? 'k' }),
      process: { module: 'user', function: 'f', output: { k: 'string', n: 'long' }, ...more.process },
    }
    return new OperatorBed(
      aroundOperator({ k: 'string', at: 'timestamp' }, entry, { modules: MODULES, eventTime: 'at' }),
      'op',
      { modules: { user: { f: onRow } }, ...more.options },
    )
  }

  test('when a call throws, its rows are not put out, the error names operator and row, and the next row goes on', async () => {
    const bed = one((row: { k: string }, context: { emit(row: object): void }) => {
      context.emit({ k: row.k, n: 1 })
      if (row.k === 'bad') throw new Error('no luck')
    })
    await bed.process([
      { k: 'a', at: 1 },
      { k: 'bad', at: 2 },
      { k: 'c', at: 3 },
    ])
    expect(bed.out.rows).toEqual([
      { k: 'a', n: 1 },
      { k: 'c', n: 1 },
    ])
    expect(bed.errors).toMatchObject([{ operator: 'op', row: { k: 'bad', at: 2 }, error: { message: 'no luck' } }])
  })

  test.each([
    [
      'a long beyond 2^53',
      { k: 'a', n: 2 ** 53 },
      "field 'n' (long) would be 9007199254740992: it must be an integer of at most 2^53 - 1",
    ],
    ['NaN', { k: 'a', n: NaN }, "field 'n' (long) would be NaN"],
    ['nothing', undefined, 'the function gave undefined, not a row'],
    ['a row that lacks a field', { k: 'a' }, "field 'n' (long) is missing"],
    ['another type', { k: 1, n: 1 }, "field 'k' (string) would be 1: it must be a string"],
  ])('when it emits %s, that is an error of the row which names the field', async (_what, row, message) => {
    const bed = one((_row: unknown, context: { emit(row: unknown): void }) => {
      context.emit(row)
    })
    await bed.process([{ k: 'a', at: 1 }])
    expect(bed.errors).toMatchObject([{ error: { code: 'VALUE_INVALID', message: expect.stringContaining(message) } }])
    expect(bed.out.rows).toEqual([])
  })

  test('when what it keeps does not fit the declared state, the error names the state', async () => {
    const bed = one(
      (_row: unknown, context: { state: { last: { set(row: object): void } } }) => {
        context.state.last.set({ price: 0.5 })
      },
      { process: { state: { last: { value: { price: 'long' } } } } },
    )
    await bed.process([{ k: 'a', at: 1 }])
    expect(bed.errors).toMatchObject([
      {
        error: {
          message: 'state last',
          cause: { message: expect.stringContaining("field 'price' (long) would be 0.5") },
        },
      },
    ])
  })

  test('when it is async, or uses its context after the call, it is told so instead of losing state', async () => {
    let later: Error | undefined
    const bed = one(async (_row: unknown, context: { emit(row: object): void }) => {
      await Promise.resolve()
      try {
        context.emit({ k: 'late', n: 1 })
      } catch (error) {
        later = error as Error
      }
    })
    await bed.process([{ k: 'a', at: 1 }])
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    expect(bed.errors).toMatchObject([{ error: { message: 'the function gave a promise' } }])
    expect(later).toMatchObject({ code: 'CONTEXT_ENDED' })
    expect(bed.out.rows).toEqual([])
  })

  test("when a timer's call throws, the error shows the key and the time", async () => {
    const bed = one({
      onRow: (row: { at: number }, context: { timers: { at(time: number): void } }) => {
        context.timers.at(row.at)
      },
      onTimer: () => {
        throw new Error('too late')
      },
    })
    await bed.process([{ k: 'a', at: 7 }])
    await bed.watermark(6)
    expect(bed.errors).toEqual([])
    await bed.watermark(7)
    expect(bed.errors).toMatchObject([{ row: { k: 'a', timer: 7 }, error: { message: 'too late' } }])
    expect(bed.out.watermarks).toEqual([6, 7])
  })

  test('without a key it has neither state nor timers, and says what timers need', async () => {
    const bed = one(
      (_row: unknown, context: { timers: { at(time: number): void } }) => {
        context.timers.at(1)
      },
      { keyBy: null },
    )
    await bed.process([{ k: 'a', at: 1 }])
    expect(bed.stage.state).toBeUndefined()
    expect(bed.errors).toMatchObject([{ error: { code: 'TIMER_UNSUPPORTED', message: 'timers need keyBy' } }])
  })

  test('it sees the key, the event time of the row and the watermark', async () => {
    const seen: unknown[] = []
    const bed = one((_row: unknown, context: { key: object; timestamp: number; watermark: number }) => {
      seen.push([context.key, context.timestamp, context.watermark])
    })
    await bed.watermark(3)
    await bed.process([{ k: 'a', at: 5 }])
    expect(seen).toEqual([[{ k: 'a' }, 5, 3]])
  })

  test('when one watermark fires many timers, the loop gets its turn between them and the watermark comes last', async () => {
    const rows = Array.from({ length: 1000 }, (_, n) => ({ k: `k${n}`, at: n }))
    const bed = one({
      onRow: (row: { at: number }, context: { timers: { at(time: number): void } }) => {
        for (let n = 0; n < 5; n++) context.timers.at(row.at + n)
      },
      onTimer: (time: number, context: { emit(row: object): void; key: { k: string } }) => {
        context.emit({ k: context.key.k, n: time })
      },
    })
    await bed.process(rows)
    await bed.end()
    expect(bed.out.rows).toHaveLength(5000)
    expect(bed.out.rows.map((row) => row['n'])).toEqual(
      bed.out.rows.map((row) => Number(row['n'])).sort((a, b) => a - b),
    )
    expect(bed.out.all.at(-1)).toBe(Number.MAX_SAFE_INTEGER)
  })
})

interface ClockContext {
  key: { k: string }
  now: number
  emit(row: object): void
  processingTimers: { at(time: number): void; cancel(time: number): void }
}

describe('timers of processing time', () => {
  /** Each row asks to be called after as many ms as its `wait` says. */
  const waiting = {
    onRow: (row: { wait: number }, { now, processingTimers }: ClockContext): void => {
      if (row.wait < 0) processingTimers.cancel(now - row.wait)
      else processingTimers.at(now + row.wait)
    },
    onProcessingTimer: (time: number, { key, now, emit }: ClockContext): void => {
      emit({ k: key.k, at: time, late: now - time })
    },
  }
  const graph = aroundOperator(
    { k: 'string', wait: 'long' },
    { keyBy: 'k', process: { module: 'user', function: 'f', output: { k: 'string', at: 'long', late: 'long' } } },
    { modules: MODULES, maxParallelism: 4 },
  )
  const slotsOf = (f: object): OperatorSlots => new OperatorSlots(graph, 'op', 1, { modules: { user: { f } } })

  test('fire by the clock, earliest first, without event time; the same time is one timer', async () => {
    const slots = slotsOf(waiting)
    const start = slots.clock.now()
    await slots.process([
      { k: 'a', wait: 500 },
      { k: 'b', wait: 200 },
      { k: 'b', wait: 200 },
    ])
    await slots.advance(199)
    expect(slots.take()).toEqual([])
    await slots.advance(1)
    expect(slots.take()).toMatchObject([{ k: 'b', at: start + 200, late: 0 }])
    await slots.process([{ k: 'c', wait: 100 }])
    await slots.advance(100)
    expect(slots.take()).toMatchObject([{ k: 'c', at: start + 300, late: 0 }])
    await slots.advance(200)
    expect(slots.take()).toMatchObject([{ k: 'a', at: start + 500, late: 0 }])
    expect(slots.errors()).toEqual([])
  })

  test('that were cancelled do not fire', async () => {
    const slots = slotsOf(waiting)
    await slots.process([
      { k: 'a', wait: 500 },
      { k: 'b', wait: 500 },
      { k: 'a', wait: -500 },
    ])
    await slots.advance(1000)
    expect(slots.take()).toMatchObject([{ k: 'b' }])
  })

  test('whose time has passed while the job was down fire at once, at any parallelism', async () => {
    const slots = slotsOf(waiting)
    const start = slots.clock.now()
    const keys = Array.from({ length: 20 }, (_, n) => `k${n}`)
    await slots.process(keys.map((k, n) => ({ k, wait: 1000 + n })))
    await slots.clock.advance(60_000)
    await slots.rescale(3)
    await slots.advance(0)
    expect(sorted(slots.take())).toEqual(sorted(keys.map((k, n) => ({ k, at: start + 1000 + n, late: 59_000 - n }))))
  })

  test('that set themselves again go on until a bounded input ends, when each fires once more', async () => {
    const slots = slotsOf({
      onRow: (_row: object, { now, processingTimers }: ClockContext) => {
        processingTimers.at(now + 10)
      },
      onProcessingTimer: (time: number, { key, emit, processingTimers }: ClockContext) => {
        emit({ k: key.k, at: 0, late: 0 })
        processingTimers.at(time + 10)
      },
    })
    await slots.process([{ k: 'a', wait: 0 }])
    for (let n = 0; n < 3; n++) await slots.advance(10)
    expect(slots.take()).toHaveLength(3)
    await slots.watermark(Number.MAX_SAFE_INTEGER)
    expect(slots.take()).toHaveLength(1)
  })

  test.each([
    ['processingTimers', 'processingTimers need a function onProcessingTimer(time, context)'],
    ['timers', 'timers need event time; processingTimers go without'],
  ] as const)('%s that nothing would come of are refused', async (which, message) => {
    const slots = slotsOf((_row: object, context: ClockContext & { timers: ClockContext['processingTimers'] }) => {
      context[which].at(1)
    })
    await slots.process([{ k: 'a', wait: 0 }])
    expect(slots.errors()).toEqual([message])
  })

  test('whose call throws are named with key and time', async () => {
    const clock = new ManualClock()
    const onProcessingTimer = (): void => {
      throw new Error('no luck')
    }
    const bed = new OperatorBed(graph, 'op', { modules: { user: { f: { ...waiting, onProcessingTimer } } }, clock })
    await bed.process([{ k: 'a', wait: 5 }])
    await clock.advance(5)
    await bed.runMails()
    expect(bed.errors).toMatchObject([{ row: { k: 'a', timer: clock.now() }, error: { message: 'no luck' } }])
  })
})
