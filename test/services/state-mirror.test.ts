import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KuduBed, kuduBedMissing, startKudu } from '../harness/beds/kudu-bed.ts'
import { createKuduTable, scanKuduTable } from '../harness/beds/kudu-tables.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { killRun, logEntries, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'
import { ROOT } from '../harness/source-files.ts'

const why = kuduBedMissing()
const PATIENCE_MS = 60_000
const LONG_MS = 300_000
const SALES = 100_000
const SHOPS = 997
const ITEMS = 7

/** As the source of the job below computes them. */
function sale(n: number): { shop: number; item: number; amount: number } {
  return { shop: (n * 7919) % SHOPS, item: n % ITEMS, amount: (n * 31) % 101 }
}

const FUNCTIONS = `
export function sell({ shop, item, amount }, { state: { total, stock }, emit }) {
  if (amount === 1) { total.clear(); stock.clear() }
  else if (amount === 0) stock.delete(item)
  else {
    total.set({ sum: (total.get()?.sum ?? 0) + amount })
    stock.set(item, { left: (stock.get(item)?.left ?? 0) + amount })
  }
}
`

/** The tables that a plain computation gives, as `kudu table scan` prints them. */
function plainTables(): { totals: string[]; stock: string[] } {
  const totals = new Map<number, number>()
  const stock = new Map<number, Map<number, number>>()
  for (let n = 0; n < SALES; n++) {
    const { shop, item, amount } = sale(n)
    if (amount === 1) {
      totals.delete(shop)
      stock.delete(shop)
    } else if (amount === 0) stock.get(shop)?.delete(item)
    else {
      totals.set(shop, (totals.get(shop) ?? 0) + amount)
      const items = stock.get(shop) ?? new Map<number, number>()
      stock.set(shop, items.set(item, (items.get(item) ?? 0) + amount))
    }
  }
  return {
    totals: [...totals].map(([shop, sum]) => `(int64 shop=${shop}, int64 sum=${sum})`).sort(),
    stock: [...stock]
      .flatMap(([shop, items]) =>
        [...items].map(([item, left]) => `(int64 shop=${shop}, int64 item=${item}, int64 left=${left})`),
      )
      .sort(),
  }
}

describe.skipIf(why !== undefined)(`state in a real Kudu${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-mirror-'))
  let kudu: KuduBed
  const runs = new LocalRuns(dir)

  beforeAll(async () => {
    kudu = await startKudu({ dir: join(dir, 'kudu') })
  }, PATIENCE_MS)

  afterAll(async () => {
    await kudu?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  const table = (name: string): object => ({ kudu: { masters: kudu.masters, table: name, tombstone: 'deleted' } })

  function createTables(totals: string, stock: string): Promise<unknown> {
    return Promise.all([
      createKuduTable(kudu, totals, {
        columns: { shop: 'INT64', sum: 'INT64' },
        keys: ['shop'],
        hash: [{ columns: ['shop'], num_buckets: 3 }],
      }),
      createKuduTable(kudu, stock, {
        columns: { shop: 'INT64', item: 'INT64', left: 'INT64' },
        keys: ['shop', 'item'],
        hash: [{ columns: ['shop', 'item'], num_buckets: 2 }],
      }),
    ])
  }

  function jobOf({ totals, stock }: { totals: string; stock: string }, replicas: number): string {
    const input = join(dir, 'sales.jsonl')
    if (!existsSync(input))
      writeFileSync(input, Array.from({ length: SALES }, (_, n) => `${JSON.stringify(sale(n))}\n`).join(''))
    return runs.fileOf(
      [
        {
          id: 'sales',
          source: { file: { path: input, format: 'json', rate: '20000/s' } },
          schema: { shop: 'long', item: 'long', amount: 'long' },
          // the rows of a shop come in their order
          replicas: 1,
        },
        {
          id: 'shops',
          from: 'sales',
          keyBy: 'shop',
          process: {
            module: 'own',
            function: 'sell',
            output: { shop: 'long' },
            state: {
              total: { value: { sum: 'long' } },
              stock: { map: { left: 'long' }, key: { item: 'long' } },
            },
            stateMirror: ['total', 'stock'],
          },
        },
        { id: 'none', from: 'shops', sink: 'console' },
        { id: 'totals', from: 'shops.total', sink: table(totals) },
        { id: 'stock', from: 'shops.stock', sink: table(stock) },
      ],
      replicas,
      { own: FUNCTIONS },
    )
  }

  test(
    'when job and tablet server are killed again and again, the tables have what the state has at the end',
    async () => {
      await createTables('totals', 'stock')
      const file = jobOf({ totals: 'totals', stock: 'stock' }, 2)
      let millrace = startMillrace('run', file)
      for (let kills = 0; kills < 3; kills++) {
        const before = logEntries(file)
        await waitFor(
          'a claim, a checkpoint, and another one are in the log',
          PATIENCE_MS,
          async () => logEntries(file) >= before + 3,
          millrace.stderr,
        )
        if (kills === 1) {
          const [server] = kudu.tabletServers
          await server?.stop()
          await server?.start()
        }
        const id = runIdOf(millrace)
        await killRun(millrace)
        millrace = startMillrace('run', file, '--resume', id)
      }
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      const wanted = plainTables()
      expect(await scanKuduTable(kudu, 'totals')).toEqual(wanted.totals)
      expect(await scanKuduTable(kudu, 'stock')).toEqual(wanted.stock)
    },
    LONG_MS,
  )

  test(
    'the example of the tour keeps the large orders, and what each customer has spent',
    async () => {
      const columns = { id: 'INT64', customer: 'STRING', amount: 'DECIMAL(18,2)', at: 'UNIXTIME_MICROS' }
      const shape = { columns, keys: ['id'], hash: [{ columns: ['id'], num_buckets: 2 }] }
      await createKuduTable(kudu, 'orders', shape)
      await createKuduTable(kudu, 'large_orders', shape)
      await createKuduTable(kudu, 'customers_spent', {
        columns: { customer: 'STRING', orders: 'INT64', cents: 'INT64' },
        keys: ['customer'],
        hash: [{ columns: ['customer'], num_buckets: 2 }],
      })
      const at = '2026-11-23T00:00:00Z'
      const amounts = ['999.99', '1000.00', '2500.50', '12345678.56']
      const orders = amounts.map((amount, id) => ({ id, customer: id < 3 ? 'ann' : 'bob', amount, at }))
      const schema = { id: 'bigint', customer: 'string', amount: 'decimal(18,2)', at: 'timestamp' }
      const filled = await runs.run([
        { id: 'rows', source: { values: orders }, schema },
        { id: 'out', from: 'rows', sink: { kudu: { masters: kudu.masters, table: 'orders' } } },
      ])
      expect(filled.code, filled.stderr).toBe(0)
      const file = join(dir, 'kudu-state.yaml')
      const example = readFileSync(join(ROOT, 'examples/tour/kudu-state.yaml'), 'utf8')
      writeFileSync(file, example.replaceAll('kudu-master:7051', kudu.masters))
      copyFileSync(join(ROOT, 'examples/tour/kudu-state.ts'), join(dir, 'kudu-state.ts'))
      const { code, stderr } = await startMillrace('run', file, '--in-process').ended
      expect(code, stderr).toBe(0)
      expect(await scanKuduTable(kudu, 'large_orders')).toHaveLength(3)
      expect(await scanKuduTable(kudu, 'customers_spent')).toEqual([
        '(string customer="ann", int64 orders=2, int64 cents=350050)',
        '(string customer="bob", int64 orders=1, int64 cents=1234567856)',
      ])
    },
    LONG_MS,
  )
})
