import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CassandraBed, cassandraBedMissing, startCassandra } from '../harness/beds/cassandra-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'

const why = cassandraBedMissing()
const START_MS = 300_000
const PATIENCE_MS = 60_000
const LONG_MS = 300_000

/** A column of each type, the field that it is written from, a value, and what Cassandra's own JSON shows of it. */
const TYPES: readonly (readonly [column: string, type: string, field: string, value: unknown, shown: unknown])[] = [
  ['c_tiny', 'tinyint', 'long', -128, -128],
  ['c_small', 'smallint', 'long', 32767, 32767],
  ['c_int', 'int', 'long', -2147483648, -2147483648],
  ['c_big', 'bigint', 'bigint', '-9007199254740993', '-9007199254740993'],
  ['c_var', 'varint', 'bigint', '9223372036854775807', '9223372036854775807'],
  ['c_text', 'text', 'string', 'zwei "ü€"', 'zwei "ü€"'],
  ['c_ascii', 'ascii', 'string', 'plain', 'plain'],
  ['c_bool', 'boolean', 'boolean', true, true],
  ['c_float', 'float', 'double', 1.5, 1.5],
  ['c_double', 'double', 'double', 0.1, 0.1],
  ['c_blob', 'blob', 'bytes', 'AP8=', '0x00ff'],
  ['c_time', 'timestamp', 'timestamp', '1969-12-31T23:59:59.999Z', '1969-12-31 23:59:59.999Z'],
  ['c_date', 'date', 'date', '1969-12-31', '1969-12-31'],
  ['c_clock', 'time', 'time', '23:59:59.999', '23:59:59.999000000'],
  [
    'c_dec',
    'decimal',
    'decimal(38,6)',
    '-12345678901234567890123456789012.123456',
    '-12345678901234567890123456789012.123456',
  ],
  ['c_uuid', 'uuid', 'string', '0e7d2f1a-7f0b-4f5e-9d11-5f4c3b2a1908', '0e7d2f1a-7f0b-4f5e-9d11-5f4c3b2a1908'],
  ['c_inet', 'inet', 'string', '10.1.2.3', '10.1.2.3'],
  ['c_list', 'list<bigint>', 'array<long>', [1, 2], [1, 2]],
  ['c_set', 'set<text>', 'array<string>', ['a', 'b'], ['a', 'b']],
  ['c_map', 'map<text, decimal>', 'map<decimal(9,2)>', { x: '1.50' }, { x: 1.5 }],
]

describe.skipIf(why !== undefined)(`a real Cassandra${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-cassandra-'))
  let cassandra: CassandraBed
  let admin: Client
  const runs = new LocalRuns(dir)

  function connect(): Client {
    return new Client({
      contactPoints: [cassandra.address],
      localDataCenter: 'datacenter1',
      credentials: { username: 'cassandra', password: 'cassandra' },
      socketOptions: { readTimeout: PATIENCE_MS },
    })
  }

  beforeAll(async () => {
    cassandra = await startCassandra({ dir: join(dir, 'cassandra'), asksForPasswords: true })
    writeFileSync(join(dir, 'password'), 'cassandra\n')
    writeFileSync(join(dir, 'wrong-password'), 'guess\n')
    admin = connect()
    await admin.execute("CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
  }, START_MS)

  afterAll(async () => {
    await admin?.shutdown()
    await cassandra?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  function table(name: string, password = 'password'): object {
    const auth = { username: 'cassandra', passwordFile: join(dir, password) }
    return { hosts: cassandra.address, keyspace: 'shop', table: name, consistency: 'ONE', auth }
  }

  async function rowsOf(graph: readonly object[]): Promise<string[]> {
    const { code, stderr, stdout } = await runs.run(graph)
    expect(code, stderr).toBe(0)
    return stdout.trim() === '' ? [] : stdout.trim().split('\n')
  }

  /** As Cassandra itself shows them. */
  async function scan(name: string): Promise<Record<string, unknown>[]> {
    const rows: Record<string, unknown>[] = []
    for await (const row of await admin.execute(`SELECT JSON * FROM shop.${name}`, [], { fetchSize: 1000 }))
      rows.push(JSON.parse(String(row['[json]'])) as Record<string, unknown>)
    return rows
  }

  test(
    'every type is written as Cassandra itself shows it, and looked up the same',
    async () => {
      const columns = TYPES.map(([column, type]) => `${column} ${type}`).join(', ')
      await admin.execute(`CREATE TABLE shop.types (id bigint PRIMARY KEY, ${columns})`)
      const schema = Object.fromEntries(TYPES.map(([column, , field]) => [column, `${field}?`]))
      const row = Object.fromEntries(TYPES.map(([column, , , value]) => [column, value]))
      await rowsOf([
        { id: 'rows', source: { values: [{ id: 1, ...row }, { id: 2 }] }, schema: { id: 'long', ...schema } },
        { id: 'out', from: 'rows', sink: { cassandra: table('types') } },
      ])
      const text = (value: unknown): string => JSON.stringify(value)
      const shown = (await scan('types')).sort((a, b) => Number(a['id']) - Number(b['id']))
      // numbers of Cassandra's JSON have all digits; JSON.parse keeps those of a double
      const wanted = Object.fromEntries(
        TYPES.map(([column, type, , , as]) => [
          column,
          ['bigint', 'varint', 'decimal'].includes(type) ? Number(as) : as,
        ]),
      )
      expect(shown[0]).toEqual({ id: 1, ...wanted })
      const digits = await admin.execute('SELECT JSON c_big, c_var, c_dec FROM shop.types WHERE id = 1')
      expect(String(digits.first()['[json]'])).toBe(
        '{"c_big": -9007199254740993, "c_var": 9223372036854775807, "c_dec": -12345678901234567890123456789012.123456}',
      )
      expect(Object.values(shown[1] ?? {}).filter((value) => value !== null)).toEqual([2])
      const found = await rowsOf([
        { id: 'ids', source: { values: [{ key: 1 }, { key: 2 }, { key: 3 }] }, schema: { key: 'long' } },
        {
          id: 'found',
          from: 'ids',
          join: { lookup: { cassandra: table('types'), key: { id: 'key' }, output: schema } },
        },
        { id: 'out', from: 'found', sink: 'console' },
      ])
      const exact = ['c_big', 'c_var']
      const written = TYPES.reduce(
        (line, [column, , , value]) => (exact.includes(column) ? line.replace(text(value), String(value)) : line),
        JSON.stringify({ key: 1, ...row }),
      )
      expect(found).toHaveLength(2)
      expect(found[0]).toBe(written)
    },
    LONG_MS,
  )

  test(
    'values at the ends of their types, empty ones and odd names are written as Cassandra itself shows them, and looked up the same',
    async () => {
      const odd: unknown = JSON.parse('{"__proto__":"x","hasOwnProperty":"y"}')
      const values: readonly (readonly [type: string, field: string, value: unknown, shown: unknown])[] = [
        ['text', 'string', '', ''],
        ['blob', 'bytes', '', '0x'],
        ['date', 'date', '0000-01-01', '0000-01-01'],
        ['timestamp', 'timestamp', '-271821-04-20T00:00:00.000Z', '+271822-04-20 00:00:00.000Z'],
        ['decimal', 'decimal(38,38)', `0.${'0'.repeat(37)}1`, 1e-38],
        ['inet', 'string', '::1', '0:0:0:0:0:0:0:1'],
        ['list<text>', 'array<string>', [], null],
        ['frozen<list<text>>', 'array<string>', [], []],
        ['frozen<set<int>>', 'array<long>', [], []],
        ['list<frozen<list<int>>>', 'array<array<long>>', [[], [1]], [[], [1]]],
        ['map<text, frozen<list<text>>>', 'map<array<string>>', { a: [] }, { a: [] }],
        ['map<text, text>', 'map<string>', odd, odd],
      ]
      const named = values.map(([type, field, value, shown], at) => ({ name: `c${at}`, type, field, value, shown }))
      const columns = named.map(({ name, type }) => `${name} ${type}`).join(', ')
      await admin.execute(`CREATE TABLE shop.ends (id bigint PRIMARY KEY, ${columns})`)
      const schema = Object.fromEntries(named.map(({ name, field }) => [name, `${field}?`]))
      const row = Object.fromEntries(named.map(({ name, value }) => [name, value]))
      await rowsOf([
        { id: 'rows', source: { values: [{ id: 1, ...row }] }, schema: { id: 'long', ...schema } },
        { id: 'out', from: 'rows', sink: { cassandra: table('ends') } },
      ])
      const wanted = Object.fromEntries(named.map(({ name, shown }) => [name, shown]))
      expect(Object.entries((await scan('ends'))[0] ?? {}).sort()).toEqual(Object.entries({ id: 1, ...wanted }).sort())
      const [found = ''] = await rowsOf([
        { id: 'ids', source: { values: [{ key: 1 }] }, schema: { key: 'long' } },
        {
          id: 'found',
          from: 'ids',
          join: { lookup: { cassandra: table('ends'), key: { id: 'key' }, output: schema } },
        },
        { id: 'out', from: 'found', sink: 'console' },
      ])
      // a list that is not frozen is not there when it is empty
      expect(found).toBe(JSON.stringify({ key: 1, ...row, c6: null }))
    },
    LONG_MS,
  )

  test(
    'when job and server are killed while rows are written, the table ends as a plain computation says',
    async () => {
      await admin.execute(
        'CREATE TABLE shop.totals (customer bigint PRIMARY KEY, orders bigint, total bigint, largest bigint)',
      )
      const rows = 40_000
      const input = join(dir, 'orders.json')
      const order = (n: number): { customer: number; amount: number } => ({ customer: n % 701, amount: n % 97 })
      writeFileSync(input, Array.from({ length: rows }, (_, n) => JSON.stringify({ n, ...order(n) })).join('\n') + '\n')
      const file = runs.fileOf(
        [
          {
            id: 'orders',
            source: { file: { path: input, format: 'json', rate: '8000/s' } },
            schema: { n: 'long', customer: 'long', amount: 'long' },
          },
          {
            id: 'totals',
            from: 'orders',
            keyBy: 'customer',
            aggregate: { orders: 'count()', total: 'sum(amount)', largest: 'max(n)' },
          },
          { id: 'out', from: 'totals', sink: { cassandra: table('totals') } },
        ],
        2,
      )
      let millrace = startMillrace('run', file)
      const written = async (): Promise<number> =>
        Number((await admin.execute('SELECT count(*) FROM shop.totals')).first()['count'])
      await waitFor('rows are there', PATIENCE_MS, async () => (await written()) > 0, millrace.stderr)
      await admin.shutdown()
      await cassandra.kill()
      await waitFor(
        'the trouble is reported',
        PATIENCE_MS,
        async () => millrace.stderr().includes('CASSANDRA_'),
        millrace.stderr,
      )
      await cassandra.restart()
      admin = connect()
      const id = runIdOf(millrace)
      await killRun(millrace)
      millrace = startMillrace('run', file, '--resume', id)
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      const wanted = new Map<number, { customer: number; orders: number; total: number; largest: number }>()
      for (let n = 0; n < rows; n++) {
        const { customer, amount } = order(n)
        const { orders = 0, total = 0 } = wanted.get(customer) ?? {}
        wanted.set(customer, { customer, orders: orders + 1, total: total + amount, largest: n })
      }
      const found = (await scan('totals')).sort((a, b) => Number(a['customer']) - Number(b['customer']))
      expect(found).toEqual([...wanted.values()].sort((a, b) => a.customer - b.customer))
    },
    LONG_MS,
  )

  test(
    'when the server is killed while rows are looked up, each row has the fields of its row of the table',
    async () => {
      await admin.execute('CREATE TABLE shop.prices (item text, day int, price decimal, PRIMARY KEY (item, day))')
      const days = 200
      const known = Array.from({ length: days }, (_, day) => ({ item: `i${day % 5}`, day, price: `${day}.25` }))
      await rowsOf([
        { id: 'rows', source: { values: known }, schema: { item: 'string', day: 'long', price: 'decimal(9,2)' } },
        { id: 'out', from: 'rows', sink: { cassandra: table('prices') } },
      ])
      const rows = Array.from({ length: 8000 }, (_, n) => ({ n, what: `i${(n % (days * 2)) % 5}`, on: n % (days * 2) }))
      const input = join(dir, 'asked.json')
      writeFileSync(input, rows.map((row) => JSON.stringify(row)).join('\n') + '\n')
      const out = join(dir, 'priced')
      const millrace = startMillrace(
        'run',
        runs.fileOf([
          {
            id: 'rows',
            source: { file: { path: input, format: 'json', rate: '1000/s' } },
            schema: { n: 'long', what: 'string', on: 'long' },
          },
          {
            id: 'priced',
            from: 'rows',
            join: {
              type: 'left',
              lookup: {
                cassandra: table('prices'),
                key: { item: 'what', day: 'on' },
                output: { price: 'decimal(9,2)' },
              },
            },
          },
          { id: 'out', from: 'priced', sink: { file: { path: out } } },
        ]),
      )
      await waitFor('rows are committed', PATIENCE_MS, async () => linesOf(out).length > 0, millrace.stderr)
      await admin.shutdown()
      await cassandra.kill()
      await waitFor(
        'the trouble is reported',
        PATIENCE_MS,
        async () => millrace.stderr().includes('CASSANDRA_'),
        millrace.stderr,
      )
      await cassandra.restart()
      admin = connect()
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      const wanted = rows.map((row) => JSON.stringify({ ...row, price: known[row.on]?.price ?? null }))
      expect(linesOf(out).sort()).toEqual(wanted.sort())
    },
    LONG_MS,
  )

  function writing(sink: object): readonly object[] {
    return [
      { id: 'rows', source: { values: [{ id: 1 }] }, schema: { id: 'long' } },
      { id: 'out', from: 'rows', sink: { cassandra: sink } },
    ]
  }

  test(
    'a wrong password is reported in the words of the server, and mended by another one in the Secret',
    async () => {
      await admin.execute('CREATE TABLE shop.guarded (id bigint PRIMARY KEY)')
      const millrace = startMillrace('run', runs.fileOf(writing(table('guarded', 'wrong-password'))), '--in-process')
      await waitFor(
        'it is reported',
        PATIENCE_MS,
        async () => millrace.stderr().includes('CASSANDRA_LOGIN_REFUSED'),
        millrace.stderr,
      )
      writeFileSync(join(dir, 'wrong-password'), 'cassandra\n')
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      expect(stderr).toMatch(/CASSANDRA_LOGIN_REFUSED.*username/)
      expect(stderr).not.toContain('guess')
      expect(await scan('guarded')).toEqual([{ id: 1 }])
    },
    LONG_MS,
  )

  test(
    'a missing table, and a right that a user lacks, are reported and waited for',
    async () => {
      await admin.execute("CREATE ROLE clerk WITH PASSWORD = 'clerk' AND LOGIN = true")
      writeFileSync(join(dir, 'clerk-password'), 'clerk')
      const auth = { username: 'clerk', passwordFile: join(dir, 'clerk-password') }
      const millrace = startMillrace('run', runs.fileOf(writing({ ...table('later'), auth })), '--in-process')
      const reported = (code: string): Promise<unknown> =>
        waitFor(`${code} is reported`, PATIENCE_MS, async () => millrace.stderr().includes(code), millrace.stderr)
      await reported('CASSANDRA_TABLE_UNKNOWN')
      await admin.execute('CREATE TABLE shop.later (id bigint PRIMARY KEY)')
      await reported('CASSANDRA_FORBIDDEN')
      await admin.execute('GRANT MODIFY ON shop.later TO clerk')
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      expect(await scan('later')).toEqual([{ id: 1 }])
    },
    LONG_MS,
  )

  test(
    'a table that is dropped and created with another type while rows are written is waited for, and ends with its new type',
    async () => {
      await admin.execute('CREATE TABLE shop.changing (id bigint PRIMARY KEY, amount int)')
      const input = join(dir, 'changing.json')
      const rows = 12_000
      writeFileSync(
        input,
        Array.from({ length: rows }, (_, id) => JSON.stringify({ id, amount: id })).join('\n') + '\n',
      )
      const millrace = startMillrace(
        'run',
        runs.fileOf([
          {
            id: 'rows',
            source: { file: { path: input, format: 'json', rate: '1000/s' } },
            schema: { id: 'long', amount: 'long' },
          },
          { id: 'out', from: 'rows', sink: { cassandra: table('changing') } },
        ]),
        '--in-process',
      )
      await waitFor('rows are there', PATIENCE_MS, async () => (await scan('changing')).length > 0, millrace.stderr)
      await admin.execute('DROP TABLE shop.changing')
      await waitFor(
        'it is reported',
        PATIENCE_MS,
        async () => millrace.stderr().includes('CASSANDRA_TABLE_UNKNOWN'),
        millrace.stderr,
      )
      await admin.execute('CREATE TABLE shop.changing (id bigint PRIMARY KEY, amount text)')
      const { code, stderr } = await millrace.ended
      expect(code).toBe(1)
      expect(stderr).toMatch(/CASSANDRA_TYPE_MISMATCH.*amount.*is text, the field is long/)
      expect(await scan('changing')).toEqual([])
    },
    LONG_MS,
  )

  test(
    'a column that is dropped while rows are looked up ends the job with its name',
    async () => {
      await admin.execute('CREATE TABLE shop.shrinking (id bigint PRIMARY KEY, name text, other text)')
      await admin.execute("INSERT INTO shop.shrinking (id, name) VALUES (1, 'one')")
      const input = join(dir, 'shrinking.json')
      writeFileSync(input, Array.from({ length: 20_000 }, () => JSON.stringify({ key: 1 })).join('\n') + '\n')
      const out = join(dir, 'shrinking')
      const millrace = startMillrace(
        'run',
        runs.fileOf([
          { id: 'rows', source: { file: { path: input, format: 'json', rate: '1000/s' } }, schema: { key: 'long' } },
          {
            id: 'named',
            from: 'rows',
            join: { lookup: { cassandra: table('shrinking'), key: { id: 'key' }, output: { name: 'string' } } },
          },
          { id: 'out', from: 'named', sink: { file: { path: out } } },
        ]),
        '--in-process',
      )
      await waitFor('rows are committed', PATIENCE_MS, async () => linesOf(out).length > 0, millrace.stderr)
      await admin.execute('ALTER TABLE shop.shrinking DROP name')
      const { code, stderr } = await millrace.ended
      expect(code).toBe(1)
      expect(stderr).toMatch(/COLUMN_MISSING.*shop\.shrinking has no column name/)
      expect(new Set(linesOf(out))).toEqual(new Set(['{"key":1,"name":"one"}']))
    },
    LONG_MS,
  )

  test(
    'a datacenter that is not there ends the job with the names of those that are',
    async () => {
      const job = runs.fileOf(writing({ ...table('guarded'), datacenter: 'mars' }))
      const { code, stderr } = await startMillrace('run', job, '--in-process').ended
      expect(code).toBe(1)
      expect(stderr).toMatch(/CASSANDRA_REFUSED.*mars.*datacenter1/s)
    },
    LONG_MS,
  )
})
