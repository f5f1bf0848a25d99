import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import { checkpointSteps, takeStep, type CheckpointStep } from '../../../harness/checkpoint-steps.ts'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'
import { OperatorSlots } from '../../../harness/operator-slots.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

interface Sale {
  shop: string
  item: number
  amount: number
}
type Step = { kind: 'rows'; rows: Sale[] } | CheckpointStep<Sale[]>

interface View {
  state: {
    total: { get(): { sum: number } | null; set(row: object): void; clear(): void }
    stock: {
      get(item: number): { left: number } | null
      set(item: number, row: object): void
      delete(item: number): boolean
      clear(): void
    }
  }
}

/** Adds up; an amount of 0 removes the item, one of 1 the whole shop. */
function sell({ item, amount }: Sale, { state: { total, stock } }: View): void {
  if (amount === 1) {
    total.clear()
    stock.clear()
  } else if (amount === 0) stock.delete(item)
  else {
    total.set({ sum: (total.get()?.sum ?? 0) + amount })
    stock.set(item, { left: (stock.get(item)?.left ?? 0) + amount })
  }
}

const SCHEMA = { shop: 'string', item: 'long', amount: 'long' }
const ENTRY = {
  keyBy: 'shop',
  process: {
    module: 'user',
    function: 'sell',
    output: { shop: 'string' },
    state: {
      total: { value: { sum: 'long' } },
      stock: { map: { left: 'long' }, key: { item: 'long' } },
      seen: { value: { sum: 'long' } },
    },
    stateMirror: ['total', 'stock'],
  },
}
const MODULES = { modules: { user: { sell } } }

function graph(memory?: string) {
  return aroundOperator(SCHEMA, ENTRY, {
    modules: { user: { path: './user.ts' } },
    sides: ['total', 'stock'],
    maxParallelism: 4,
    memory,
  })
}

/** Tables of a database that rows are written to by key. */
class PlainTables {
  readonly total = new Map<string, unknown>()
  readonly stock = new Map<string, unknown>()

  write(table: 'total' | 'stock', rows: readonly Row[]): void {
    for (const { shop, item, deleted, ...values } of rows) {
      const key = JSON.stringify([shop, item ?? null])
      if (deleted === true) {
        expect(Object.values(values).every((value) => value === null)).toBe(true)
        this[table].delete(key)
      } else this[table].set(key, { ...values })
    }
  }
}

/** The same sums, without state. */
class PlainShops extends PlainTables {
  sell({ shop, item, amount }: Sale): void {
    const [ofShop, ofItem] = [JSON.stringify([shop, null]), JSON.stringify([shop, item])]
    if (amount === 1) {
      this.total.delete(ofShop)
      for (const key of this.stock.keys()) if ((JSON.parse(key) as [string])[0] === shop) this.stock.delete(key)
    } else if (amount === 0) this.stock.delete(ofItem)
    else {
      this.total.set(ofShop, { sum: ((this.total.get(ofShop) as { sum: number } | undefined)?.sum ?? 0) + amount })
      this.stock.set(ofItem, { left: ((this.stock.get(ofItem) as { left: number } | undefined)?.left ?? 0) + amount })
    }
  }
}

const sale: fc.Arbitrary<Sale> = fc.record({
  shop: fc.constantFrom('a', 'b', '', 'ž', 'e'),
  item: fc.integer({ min: -1, max: 2 }),
  amount: fc.integer({ min: 0, max: 9 }),
})
const sales = fc.array(sale, { maxLength: 8 })
const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: sales.map((rows) => ({ kind: 'rows' as const, rows })) },
  ...checkpointSteps(sales),
)

const bed = (options: { readersOf?: string; sides?: readonly string[] } = {}): OperatorBed =>
  new OperatorBed(graph(), 'op', { ...MODULES, ...options })

function restored(from: OperatorBed, options: { readersOf?: string } = {}): OperatorBed {
  const to = bed(options)
  if (from.stage.state === undefined || to.stage.state === undefined) throw new Error('it keeps nothing')
  for (const [group, bytes] of wholeBlocks(from.stage.state)) to.stage.state.restore(group, bytes)
  to.stage.state.restored?.()
  return to
}

describe('stateMirror', () => {
  test('whatever the rows and the checkpoints, a table that is written by key has at each what the state has', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitraryStep, { maxLength: 40, size: 'max' }),
        fc.constantFrom('1Ki', undefined),
        async (steps, memory) => {
          const slots = new OperatorSlots(graph(memory), 'op', 2, MODULES)
          const [shops, tables] = [new PlainShops(), new PlainTables()]
          const hear = (): void => {
            for (const table of ['total', 'stock'] as const) tables.write(table, slots.takeSide(table))
          }
          for (const step of steps) {
            if (step.kind === 'rows') {
              await slots.process(step.rows as unknown as Row[])
              for (const row of step.rows) shops.sell(row)
              continue
            }
            await takeStep(slots, step, (rows) => slots.process(rows as unknown as Row[]))
            hear()
            if (step.kind !== 'freeze' && step.kind !== 'rescale') continue
            expect(tables.total).toEqual(shops.total)
            expect(tables.stock).toEqual(shops.stock)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('changes come out before a barrier, each entry once, and not before', async () => {
    const op = bed()
    await op.process([
      { shop: 'a', item: 1, amount: 2 },
      { shop: 'a', item: 1, amount: 3 },
    ])
    expect(op.side('total').rows).toEqual([])
    await op.stage.drain?.()
    expect(op.side('total').rows).toEqual([{ shop: 'a', sum: 5, deleted: false }])
    expect(op.side('stock').rows).toEqual([{ shop: 'a', item: 1, left: 5, deleted: false }])
    await op.process([{ shop: 'a', item: 1, amount: 1 }])
    await op.stage.drain?.()
    expect(op.side('total').rows.at(-1)).toEqual({ shop: 'a', sum: null, deleted: true })
    expect(op.side('stock').rows.at(-1)).toEqual({ shop: 'a', item: 1, left: null, deleted: true })
  })

  test('the last changes come out before the end of the input does', async () => {
    const op = bed()
    await op.process([{ shop: 'a', item: 1, amount: 2 }])
    await op.end()
    expect(op.side('total').rows).toEqual([{ shop: 'a', sum: 2, deleted: false }])
  })

  test('after a restore nothing is told again to the same readers, and everything to others', async () => {
    const before = bed({ readersOf: 'a table' })
    await before.process(['a', 'b', 'c'].map((shop) => ({ shop, item: 1, amount: 2 })))
    await before.stage.drain?.()
    const same = restored(before, { readersOf: 'a table' })
    await same.stage.drain?.()
    expect(same.side('total').rows).toEqual([])
    const other = restored(before, { readersOf: 'another' })
    await other.stage.drain?.()
    expect(
      other
        .side('total')
        .rows.map(({ shop }) => shop)
        .sort(),
    ).toEqual(['a', 'b', 'c'])
    await other.stage.drain?.()
    expect(other.side('total').rows).toHaveLength(3)
  })

  test('state of a job that mirrored nothing is told as a whole', async () => {
    const before = bed({ sides: [] })
    await before.process(['a', 'b'].map((shop) => ({ shop, item: 1, amount: 2 })))
    await before.stage.drain?.()
    const now = restored(before)
    await now.stage.drain?.()
    expect(now.side('stock').rows).toHaveLength(2)
  })
})
