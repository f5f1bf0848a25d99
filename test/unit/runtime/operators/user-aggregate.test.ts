import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

interface Spread {
  low: number | null
  high: number | null
  rows: number
  seen: readonly number[]
}

/** Highest less lowest, how many, and the last value of all: built in they are max − min, count. */
const spread = {
  init: (): Spread => ({ low: null, high: null, rows: 0, seen: [] }),
  add: (state: Spread, { v }: { v: number }): Spread => ({
    low: Math.min(state.low ?? v, v),
    high: Math.max(state.high ?? v, v),
    rows: state.rows + 1,
    seen: [...state.seen, v],
  }),
  merge: (a: Spread, b: Spread): Spread => ({
    low: Math.min(a.low ?? Infinity, b.low ?? Infinity),
    high: Math.max(a.high ?? -Infinity, b.high ?? -Infinity),
    rows: a.rows + b.rows,
    seen: [...a.seen, ...b.seen],
  }),
  result: (state: Spread): object => ({
    spread: (state.high ?? 0) - (state.low ?? 0),
    rows: state.rows,
    sum: state.seen.reduce((sum, v) => sum + v, 0),
  }),
}

const OWN = {
  module: 'user',
  function: 'spread',
  state: { low: 'long?', high: 'long?', rows: 'long', seen: 'json' },
  output: 'json',
}

function bedOf(entry: object, own: object = OWN, code: object = spread): OperatorBed {
  const aggregate = { low: 'min(v)', high: 'max(v)', rows: 'count()', sum: 'sum(v)', own }
  const graph = aroundOperator(
    { k: 'string', v: 'long', at: 'timestamp' },
    { keyBy: 'k', aggregate, ...entry },
    { modules: { user: { path: './user.ts' } }, eventTime: 'at' },
  )
  return new OperatorBed(graph, 'op', { modules: { user: { spread: code } } })
}

function expectOwn(bed: OperatorBed): void {
  for (const row of bed.out.rows) {
    expect(row['own']).toEqual({ spread: Number(row['high']) - Number(row['low']), rows: row['rows'], sum: row['sum'] })
  }
}

describe('an aggregate of the user', () => {
  test.each([
    ['a tumbling window', { window: { tumble: '10ms' } }],
    ['a hopping window of shared panes', { window: { hop: '10ms', size: '30ms' } }],
    ['a session, merged by late rows', { window: { session: '8ms' }, lateness: '50ms' }],
    ['a window of so many rows', { window: { count: 4, every: 2 } }],
    ['all rows', { window: 'global' }],
    ['a running aggregate', { emit: 'everyRow', ttl: '1h' }],
  ])('of %s is what the built-in ones say of the same rows, also after a restore', async (_what, entry) => {
    const steps = fc.array(
      fc.record({
        k: fc.constantFrom('a', 'b'),
        v: fc.integer({ min: -50, max: 50 }),
        at: fc.integer({ min: 0, max: 120 }),
        late: fc.boolean(),
      }),
      { minLength: 1, maxLength: 60 },
    )
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(60), async (rows, cut) => {
        let bed = bedOf(entry)
        let watermark = -1
        for (const [index, row] of rows.entries()) {
          if (index === cut) {
            expectOwn(bed)
            const blocks = wholeBlocks(bed.stage.state)
            bed = bedOf(entry)
            for (const [group, bytes] of blocks) bed.stage.state?.restore(group, bytes)
          }
          await bed.process([row])
          if (!row.late && row.at > watermark) await bed.watermark((watermark = row.at))
        }
        await bed.end()
        expectOwn(bed)
        expect(bed.errors).toEqual([])
      }),
      { numRuns: 25 },
    )
  })

  test('when add throws, or gives what does not fit the declared fields, it is an error of the row, which counts nowhere', async () => {
    const bed = bedOf({ window: { tumble: '10ms' } }, OWN, {
      ...spread,
      add: (state: Spread, row: { v: number }) => {
        if (row.v === 13) throw new Error('unlucky')
        return row.v === 14 ? { ...state, rows: 0.5 } : spread.add(state, row)
      },
    })
    await bed.process([
      { k: 'a', v: 1, at: 1 },
      { k: 'a', v: 13, at: 2 },
      { k: 'a', v: 14, at: 3 },
      { k: 'a', v: 2, at: 4 },
    ])
    await bed.end()
    expect(bed.errors.map(({ row, error }) => [row['v'], error.message])).toEqual([
      [13, 'unlucky'],
      [14, "field 'rows' (long) would be 0.5: it must be an integer of at most 2^53 - 1"],
    ])
    expect(bed.out.rows).toMatchObject([{ rows: 2, sum: 3, own: { rows: 2, sum: 3 } }])
  })

  test.each([
    ['a tumbling window', { window: { tumble: '10ms' } }],
    ['a hopping window of shared panes', { window: { hop: '10ms', size: '30ms' }, lateness: '20ms' }],
    ['a session', { window: { session: '8ms' }, lateness: '50ms' }],
    ['a window of so many rows', { window: { count: 2 } }],
    ['all rows', { window: 'global' }],
    ['a running aggregate', { emit: 'everyRow', ttl: '1h' }],
  ])('a row that it refuses leaves no trace in %s: no key, no window, none joined', async (_what, entry) => {
    const add = (state: Spread, row: { v: number }): Spread => {
      if (row.v % 3 === 0) throw new Error('unlucky')
      return spread.add(state, row)
    }
    const rows = fc.array(
      fc.record({
        k: fc.constantFrom('a', 'bb', 'ž', ''),
        v: fc.integer({ min: -50, max: 50 }),
        at: fc.integer({ min: 0, max: 120 }),
        late: fc.boolean(),
      }),
      { minLength: 1, maxLength: 60 },
    )
    await fc.assert(
      fc.asyncProperty(rows, fc.nat(60), async (given, cut) => {
        const outs = await Promise.all(
          [given, given.map((row) => (row.v % 3 === 0 ? { ...row, v: null } : row))].map(async (taken) => {
            let bed = bedOf(entry, OWN, { ...spread, add })
            const out: object[] = []
            let watermark = -1
            for (const [index, row] of taken.entries()) {
              if (index === cut) {
                const blocks = wholeBlocks(bed.stage.state)
                out.push(...bed.out.rows)
                bed = bedOf(entry, OWN, { ...spread, add })
                for (const [group, bytes] of blocks) bed.stage.state?.restore(group, bytes)
                bed.stage.state?.restored?.()
              }
              if (row.v !== null) await bed.process([row])
              if (!row.late && row.at > watermark) await bed.watermark((watermark = row.at))
            }
            await bed.end()
            return [...out, ...bed.out.rows].map((row) => JSON.stringify(row)).sort()
          }),
        )
        expect(outs[0]).toEqual(outs[1])
      }),
      { numRuns: 40 },
    )
  })

  test('when a function of it is missing, the operator says which', () => {
    expect(() => bedOf({ window: { tumble: '10ms' } }, OWN, { init: spread.init, add: spread.add })).toThrow(
      'spread of module user lacks merge, result',
    )
  })

  test('when its result does not fit the output, the error names the aggregate', async () => {
    const bed = bedOf({ window: { tumble: '10ms' } }, { ...OWN, output: 'long' })
    await bed.process([{ k: 'a', v: 1, at: 1 }])
    await expect(bed.end()).rejects.toMatchObject({
      code: 'AGGREGATE_FAILED',
      message: 'aggregate own',
      cause: { message: expect.stringContaining("field 'own' (long) would be an object") },
    })
  })

  test('when its fields are others than those it was kept with, the state is refused', async () => {
    const bed = bedOf({ window: { tumble: '10ms' } })
    await bed.process([{ k: 'a', v: 1, at: 1 }])
    const [[group, bytes] = [0, new Uint8Array()]] = wholeBlocks(bed.stage.state)
    const other = bedOf({ window: { tumble: '10ms' } }, { ...OWN, state: { ...OWN.state, low: 'double?' } })
    expect(() => other.stage.state?.restore(group, bytes)).toThrow(
      expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }),
    )
  })
})
