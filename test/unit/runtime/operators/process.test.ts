import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import { compileKeyGrouper } from '../../../../runtime/codegen/keys/key-grouper.ts'
import { keyGroupsOfSlot, slotOfKeyGroup } from '../../../../runtime/plan/key-groups.ts'
import { aroundOperator, OperatorBed, type BedOptions } from '../../../harness/operator-bed.ts'
import { PlainTotals, totals, TOTALS_ENTRY, TOTALS_SCHEMA } from '../../../harness/plain/plain-totals.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const MODULES = { user: { path: './user.ts' } }
const graph = aroundOperator(TOTALS_SCHEMA, TOTALS_ENTRY, { modules: MODULES, eventTime: 'at', sides: ['large'] })
const groupOf = compileKeyGrouper([{ name: 'user', type: 'string', nullable: false }, { name: 'region', type: 'long', nullable: true }], graph.maxParallelism)

type Payment = { user: string; region: number | null; amount: number; at: number }
type Step = { row: Payment } | { watermark: number }

/** The operator in several slots; `rescale` takes a snapshot and goes on from it with another number of them. */
class Slots {
  beds: OperatorBed[]
  readonly out: Row[] = []
  readonly large: Row[] = []

  constructor(parallelism: number) { this.beds = slots(parallelism) }

  async step(step: Step): Promise<void> {
    if ('watermark' in step) for (const bed of this.beds) await bed.watermark(step.watermark)
    else {
      const groups = new Uint16Array(1)
      groupOf([step.row], 1, groups)
      await this.beds[slotOfKeyGroup(groups[0] ?? 0, graph.maxParallelism, this.beds.length)]?.process([step.row])
    }
  }

  rescale(parallelism: number): void {
    this.collect()
    const blocks = this.beds.flatMap((bed) => wholeBlocks(bed.stage.state))
    this.beds = slots(parallelism)
    this.beds.forEach((bed, slot) => {
      const { first, endExclusive } = keyGroupsOfSlot(slot, graph.maxParallelism, parallelism)
      for (const [group, bytes] of blocks) if (group >= first && group < endExclusive) bed.stage.state?.restore(group, bytes)
      bed.stage.state?.restored?.()
    })
  }

  collect(): void {
    for (const bed of this.beds) {
      expect(bed.errors).toEqual([])
      this.out.push(...bed.out.rows)
      this.large.push(...bed.side('large').rows)
    }
  }
}

function slots(parallelism: number): OperatorBed[] {
  return Array.from({ length: parallelism }, (_, slot) => new OperatorBed(graph, 'op', { modules: { user: { totals } }, slot, parallelism }))
}

const sorted = (rows: readonly Row[]): string[] => rows.map((row) => JSON.stringify(row)).sort()

const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ row: fc.record({ user: fc.constantFrom('ann', 'bob', '', 'ž'), region: fc.option(fc.integer({ min: 0, max: 2 }), { nil: null }), amount: fc.integer({ min: 0, max: 100 }), at: fc.integer({ min: 0, max: 100 }) }) }) },
  { weight: 1, arbitrary: fc.record({ watermark: fc.integer({ min: 0, max: 140 }) }) },
)

describe('process', () => {
  test('whatever the rows and wherever it is restored with another parallelism, it gives what one Map would give', async () => {
    await fc.assert(fc.asyncProperty(fc.array(arbitraryStep, { maxLength: 60 }), fc.nat(60), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), async (steps, cut, before, after) => {
      const plain = new PlainTotals()
      const real = new Slots(before)
      let newest = -1
      for (const [index, step] of [...steps, { watermark: Number.MAX_SAFE_INTEGER }].entries()) {
        if (index === cut) real.rescale(after)
        if ('watermark' in step && step.watermark <= newest) continue
        if ('watermark' in step) newest = step.watermark
        await real.step(step)
        if ('watermark' in step) plain.watermark(step.watermark)
        else plain.add(step.row)
      }
      real.collect()
      expect(sorted(real.out)).toEqual(sorted(plain.out))
      expect(sorted(real.large)).toEqual(sorted(plain.large))
    }), { numRuns: 60 })
  })

  const one = (onRow: unknown, more: { options?: BedOptions; process?: object; keyBy?: string | null } = {}): OperatorBed => {
    const entry = { ...(more.keyBy === null ? {} : { keyBy: more.keyBy ?? 'k' }), process: { module: 'user', function: 'f', output: { k: 'string', n: 'long' }, ...more.process } }
    return new OperatorBed(aroundOperator({ k: 'string', at: 'timestamp' }, entry, { modules: MODULES, eventTime: 'at' }), 'op', { modules: { user: { f: onRow } }, ...more.options })
  }

  test('when a call throws, its rows are not put out, the error names operator and row, and the next row goes on', async () => {
    const bed = one((row: { k: string }, context: { emit(row: object): void }) => {
      context.emit({ k: row.k, n: 1 })
      if (row.k === 'bad') throw new Error('no luck')
    })
    await bed.process([{ k: 'a', at: 1 }, { k: 'bad', at: 2 }, { k: 'c', at: 3 }])
    expect(bed.out.rows).toEqual([{ k: 'a', n: 1 }, { k: 'c', n: 1 }])
    expect(bed.errors).toMatchObject([{ operator: 'op', row: { k: 'bad', at: 2 }, error: { message: 'no luck' } }])
  })

  test.each([
    ['a long beyond 2^53', { k: 'a', n: 2 ** 53 }, "field 'n' (long) would be 9007199254740992: it must be an integer of at most 2^53 - 1"],
    ['NaN', { k: 'a', n: NaN }, "field 'n' (long) would be NaN"],
    ['nothing', undefined, 'the function gave undefined, not a row'],
    ['a row that lacks a field', { k: 'a' }, "field 'n' (long) is missing"],
    ['another type', { k: 1, n: 1 }, "field 'k' (string) would be 1: it must be a string"],
  ])('when it emits %s, that is an error of the row which names the field', async (_what, row, message) => {
    const bed = one((_row: unknown, context: { emit(row: unknown): void }) => { context.emit(row) })
    await bed.process([{ k: 'a', at: 1 }])
    expect(bed.errors).toMatchObject([{ error: { code: 'VALUE_INVALID', message: expect.stringContaining(message) } }])
    expect(bed.out.rows).toEqual([])
  })

  test('when what it keeps does not fit the declared state, the error names the state', async () => {
    const bed = one((_row: unknown, context: { state: { last: { set(row: object): void } } }) => { context.state.last.set({ price: 0.5 }) }, { process: { state: { last: { value: { price: 'long' } } } } })
    await bed.process([{ k: 'a', at: 1 }])
    expect(bed.errors).toMatchObject([{ error: { message: 'state last', cause: { message: expect.stringContaining("field 'price' (long) would be 0.5") } } }])
  })

  test('when it is async, or uses its context after the call, it is told so instead of losing state', async () => {
    let later: Error | undefined
    const bed = one(async (_row: unknown, context: { emit(row: object): void }) => {
      await Promise.resolve()
      try { context.emit({ k: 'late', n: 1 }) } catch (error) { later = error as Error }
    })
    await bed.process([{ k: 'a', at: 1 }])
    await new Promise((resolve) => { setImmediate(resolve) })
    expect(bed.errors).toMatchObject([{ error: { message: 'the function gave a promise' } }])
    expect(later).toMatchObject({ code: 'CONTEXT_ENDED' })
    expect(bed.out.rows).toEqual([])
  })

  test('when a timer\'s call throws, the error shows the key and the time', async () => {
    const bed = one({ onRow: (row: { at: number }, context: { timers: { at(time: number): void } }) => { context.timers.at(row.at) }, onTimer: () => { throw new Error('too late') } })
    await bed.process([{ k: 'a', at: 7 }])
    await bed.watermark(6)
    expect(bed.errors).toEqual([])
    await bed.watermark(7)
    expect(bed.errors).toMatchObject([{ row: { k: 'a', timer: 7 }, error: { message: 'too late' } }])
    expect(bed.out.watermarks).toEqual([6, 7])
  })

  test('without a key it has neither state nor timers, and says what timers need', async () => {
    const bed = one((_row: unknown, context: { timers: { at(time: number): void } }) => { context.timers.at(1) }, { keyBy: null })
    await bed.process([{ k: 'a', at: 1 }])
    expect(bed.stage.state).toBeUndefined()
    expect(bed.errors).toMatchObject([{ error: { code: 'TIMER_UNSUPPORTED', message: 'timers need keyBy' } }])
  })

  test('it sees the key, the event time of the row and the watermark', async () => {
    const seen: unknown[] = []
    const bed = one((_row: unknown, context: { key: object; timestamp: number; watermark: number }) => { seen.push([context.key, context.timestamp, context.watermark]) })
    await bed.watermark(3)
    await bed.process([{ k: 'a', at: 5 }])
    expect(seen).toEqual([[{ k: 'a' }, 5, 3]])
  })

  test('when one watermark fires many timers, the loop gets its turn between them and the watermark comes last', async () => {
    const rows = Array.from({ length: 1000 }, (_, n) => ({ k: `k${n}`, at: n }))
    const bed = one({
      onRow: (row: { at: number }, context: { timers: { at(time: number): void } }) => { for (let n = 0; n < 5; n++) context.timers.at(row.at + n) },
      onTimer: (time: number, context: { emit(row: object): void; key: { k: string } }) => { context.emit({ k: context.key.k, n: time }) },
    })
    await bed.process(rows)
    await bed.end()
    expect(bed.out.rows).toHaveLength(5000)
    expect(bed.out.rows.map((row) => row['n'])).toEqual(bed.out.rows.map((row) => Number(row['n'])).sort((a, b) => a - b))
    expect(bed.out.all.at(-1)).toBe(Number.MAX_SAFE_INTEGER)
  })
})
