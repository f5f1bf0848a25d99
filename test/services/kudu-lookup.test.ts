import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KuduBed, kuduBedMissing, startKudu } from '../harness/beds/kudu-bed.ts'
import { createKuduTable, scanKuduTable } from '../harness/beds/kudu-tables.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'

const why = kuduBedMissing()
const PATIENCE_MS = 60_000
const LONG_MS = 300_000

/** A column of each type, the field it is looked up by, and a value of its row. */
const KEYS: readonly (readonly [column: string, type: string, field: string, value: unknown])[] = [
  ['i8', 'INT8', 'long', -128],
  ['i16', 'INT16', 'long', 32767],
  ['i32', 'INT32', 'long', -2147483648],
  ['i64', 'INT64', 'bigint', '-9007199254740993'],
  ['s', 'STRING', 'string', 'zwei\u0000ü'],
  ['b', 'BOOL', 'boolean', true],
  ['f', 'FLOAT', 'double', 1.5],
  ['d', 'DOUBLE', 'double', 0.1],
  ['bin', 'BINARY', 'bytes', 'AP8='],
  ['t', 'UNIXTIME_MICROS', 'timestamp', '1969-12-31T23:59:59.999Z'],
  ['d32', 'DECIMAL(9,2)', 'decimal(9,2)', '-1234567.89'],
  ['d64', 'DECIMAL(18,4)', 'decimal(18,4)', '12345678901234.5678'],
  ['d128', 'DECIMAL(38,6)', 'decimal(38,6)', '-12345678901234567890123456789012.123456'],
  ['v', 'VARCHAR(5)', 'string', 'ü€x'],
  ['dt', 'DATE', 'date', '1969-12-31'],
]

describe.skipIf(why !== undefined)(`lookups in a real Kudu${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-kudu-lookup-'))
  let kudu: KuduBed
  const runs = new LocalRuns(dir)

  beforeAll(async () => {
    kudu = await startKudu({ dir: join(dir, 'kudu') })
  }, PATIENCE_MS)

  afterAll(async () => {
    await kudu?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  async function rowsOf(graph: readonly object[]): Promise<string[]> {
    const { code, stderr, stdout } = await runs.run(graph)
    expect(code, stderr).toBe(0)
    return stdout.trim() === '' ? [] : stdout.trim().split('\n')
  }

  function table(name: string): { masters: string; table: string } {
    return { masters: kudu.masters, table: name }
  }

  test(
    'a row is found by a column of each type, and by no other value of it',
    async () => {
      const names = KEYS.map(([column]) => column)
      await createKuduTable(kudu, 'typed', {
        columns: { id: 'INT64', ...Object.fromEntries(KEYS.map(([column, type]) => [column, `${type}?`])) },
        keys: ['id'],
        hash: [{ columns: ['id'], num_buckets: 2 }],
      })
      const row = Object.fromEntries(KEYS.map(([column, , , value]) => [column, value]))
      await rowsOf([
        {
          id: 'rows',
          source: { values: [{ id: 1, ...row }, { id: 2 }] },
          schema: { id: 'long', ...Object.fromEntries(KEYS.map(([column, , field]) => [column, `${field}?`])) },
        },
        { id: 'out', from: 'rows', sink: { kudu: table('typed') } },
      ])
      const lookups = KEYS.map(([column, , field, value]) => [
        { id: column, source: { values: [{ key: value }] }, schema: { key: field } },
        {
          id: `found-${column}`,
          from: column,
          join: { lookup: { kudu: table('typed'), key: { [column]: 'key' }, output: { id: 'long' } } },
        },
        { id: `as-${column}`, from: `found-${column}`, map: { column: `'${column}'`, id: 'id' } },
        { id: `out-${column}`, from: `as-${column}`, sink: 'console' },
      ])
      const found = await rowsOf(lookups.flat())
      expect(found.map((line) => (JSON.parse(line) as { column: string }).column).sort()).toEqual(names.toSorted())
      expect(new Set(found.map((line) => (JSON.parse(line) as { id: number }).id))).toEqual(new Set([1]))
    },
    LONG_MS,
  )

  test(
    'when the tablet server and then the job are killed in the middle, each row has the fields of its row of the table',
    async () => {
      const rows = 20_000
      const customers = 500
      await createKuduTable(kudu, 'customers', {
        columns: { id: 'INT64', region: 'STRING', name: 'STRING?', credit: 'DECIMAL(18,2)' },
        keys: ['id', 'region'],
        hash: [{ columns: ['id'], num_buckets: 4 }],
      })
      const region = ['north', 'south']
      const known = Array.from({ length: customers }, (_, id) => ({
        id,
        region: region[id % 2],
        name: id % 7 === 0 ? null : `customer ${id}`,
        credit: `${id}.50`,
      }))
      await rowsOf([
        {
          id: 'rows',
          source: { values: known },
          schema: { id: 'long', region: 'string', name: 'string?', credit: 'decimal(18,2)' },
        },
        { id: 'out', from: 'rows', sink: { kudu: table('customers') } },
      ])
      expect(await scanKuduTable(kudu, 'customers')).toHaveLength(customers)
      const orders = Array.from({ length: rows }, (_, order) => {
        const customer = order % (customers * 2)
        return { order, customer, area: region[customer % 2] }
      })
      const input = join(dir, 'orders.json')
      writeFileSync(input, orders.map((order) => JSON.stringify(order)).join('\n') + '\n')
      const out = join(dir, 'named')
      const file = runs.fileOf(
        [
          {
            id: 'orders',
            source: { file: { path: input, format: 'json', rate: '4000/s' } },
            schema: { order: 'long', customer: 'long', area: 'string' },
          },
          {
            id: 'named',
            from: 'orders',
            join: {
              type: 'left',
              lookup: {
                kudu: table('customers'),
                key: { id: 'customer', region: 'area' },
                output: { name: 'string?', credit: 'decimal(18,2)' },
              },
            },
          },
          { id: 'out', from: 'named', sink: { file: { path: out } } },
        ],
        2,
      )
      let millrace = startMillrace('run', file)
      await waitFor('rows are committed', PATIENCE_MS, async () => linesOf(out).length > 0, millrace.stderr)
      const [server] = kudu.tabletServers
      await server?.stop()
      await waitFor(
        'the trouble is reported',
        PATIENCE_MS,
        async () => millrace.stderr().includes('KUDU_'),
        millrace.stderr,
      )
      await server?.start()
      const before = linesOf(out).length
      await waitFor('it goes on', PATIENCE_MS, async () => linesOf(out).length > before, millrace.stderr)
      const id = runIdOf(millrace)
      await killRun(millrace)
      millrace = startMillrace('run', file, '--resume', id)
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      const wanted = orders.map(({ order, customer, area }) => {
        const { name = null, credit = null } = known[customer] ?? {}
        return JSON.stringify({ order, customer, area, name, credit })
      })
      expect(linesOf(out).sort()).toEqual(wanted.sort())
    },
    LONG_MS,
  )

  function lookingUp(name: string, key: object): readonly object[] {
    return [
      { id: 'rows', source: { values: [{ key: 1 }] }, schema: { key: 'long' } },
      { id: 'named', from: 'rows', join: { lookup: { kudu: table(name), key, output: { id: 'long' } } } },
      { id: 'out', from: 'named', sink: 'console' },
    ]
  }

  test(
    'a key column that is not there ends the job with the reason',
    async () => {
      const job = runs.fileOf(lookingUp('typed', { ident: 'key' }))
      const { code, stderr } = await startMillrace('run', job, '--in-process').ended
      expect(code).toBe(1)
      expect(stderr).toMatch(/COLUMN_MISSING.*no column ident/)
    },
    LONG_MS,
  )

  test(
    'a table that is dropped and created again while rows are looked up goes on with its new rows',
    async () => {
      const shape = { columns: { id: 'INT64', name: 'STRING' }, keys: ['id'] }
      const fill = async (name: string): Promise<void> => {
        await createKuduTable(kudu, 'again', shape)
        await rowsOf([
          { id: 'rows', source: { values: [{ id: 1, name }] }, schema: { id: 'long', name: 'string' } },
          { id: 'out', from: 'rows', sink: { kudu: table('again') } },
        ])
      }
      await fill('old')
      const input = join(dir, 'again.json')
      writeFileSync(input, Array.from({ length: 30_000 }, () => JSON.stringify({ key: 1 })).join('\n') + '\n')
      const out = join(dir, 'again')
      const millrace = startMillrace(
        'run',
        runs.fileOf([
          { id: 'rows', source: { file: { path: input, format: 'json', rate: '1000/s' } }, schema: { key: 'long' } },
          {
            id: 'named',
            from: 'rows',
            join: { type: 'left', lookup: { kudu: table('again'), key: { id: 'key' }, output: { name: 'string' } } },
          },
          { id: 'out', from: 'named', sink: { file: { path: out } } },
        ]),
        '--in-process',
      )
      const names = (): Set<unknown> =>
        new Set(linesOf(out).map((line) => (JSON.parse(line) as { name: unknown }).name))
      await waitFor('rows have the old name', PATIENCE_MS, async () => names().has('old'), millrace.stderr)
      await kudu.command('table', 'delete', kudu.masters, 'again')
      await fill('new')
      await waitFor('rows have the new name', PATIENCE_MS, async () => names().has('new'), millrace.stderr)
      await killRun(millrace)
    },
    LONG_MS,
  )

  test(
    'a table that is not there is reported and waited for',
    async () => {
      const millrace = startMillrace('run', runs.fileOf(lookingUp('later', { id: 'key' })), '--in-process')
      await waitFor(
        'it is reported',
        PATIENCE_MS,
        async () => millrace.stderr().includes('KUDU_TABLE_UNKNOWN'),
        millrace.stderr,
      )
      await createKuduTable(kudu, 'later', { columns: { id: 'INT64' }, keys: ['id'] })
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
    },
    LONG_MS,
  )
})
