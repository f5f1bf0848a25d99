import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeCertificate } from '../../embedded/credentials.ts'
import { openAnyStore } from '../../runtime/builtin-stores.ts'
import { type HbaseBed, hbaseBedMissing, startHbase } from '../harness/beds/hbase-bed.ts'
import { freePorts } from '../harness/beds/free-port.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { descendantsOf, startMillrace, type StartedMillrace } from '../harness/processes.ts'

const why = hbaseBedMissing()
const START_MS = 300_000
const PATIENCE_MS = 120_000
const LONG_MS = 400_000

/** A column of each type, a value, how HBase's client reads the bytes, and what it reads. */
const TYPES: readonly (readonly [field: string, value: unknown, readAs: string, read: string])[] = [
  ['long', -5, 'long', '-5'],
  ['bigint', '-9007199254740993', 'long', '-9007199254740993'],
  ['double', 0.1, 'double', '0.1'],
  ['boolean', true, 'boolean', 'true'],
  ['boolean', false, 'boolean', 'false'],
  ['string', 'zwei "ü€"', 'string', 'zwei "ü€"'],
  ['string', '', 'string', ''],
  ['bytes', 'AP8=', 'bytes', '00ff'],
  ['timestamp', '1969-12-31T23:59:59.999Z', 'long', '-1'],
  ['date', '1969-12-31', 'int', '-1'],
  ['time', '23:59:59.999', 'int', '86399999'],
  ['decimal(38,6)', '-12345678901234567890123456789012.123456', 'decimal', '-12345678901234567890123456789012.123456'],
  ['array<long>', [1, 2], 'string', '[1,2]'],
  ['map<string>', { hasOwnProperty: 'x' }, 'string', '{"hasOwnProperty":"x"}'],
  ['json', null, 'string', 'none'],
]

describe.skipIf(why !== undefined)(`a real HBase${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-hbase-'))
  let hbase: HbaseBed
  const runs = new LocalRuns(dir)

  beforeAll(async () => {
    hbase = await startHbase({ dir: join(dir, 'hbase') })
  }, START_MS)

  afterAll(async () => {
    await hbase?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  function table(name: string, rowKey: string | readonly string[]): Record<string, unknown> {
    return { url: hbase.url, table: name, rowKey }
  }

  async function createTable(name: string, ...families: readonly string[]): Promise<void> {
    const { status } = await fetch(`${hbase.url}/${name}/schema`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, ColumnSchema: families.map((family) => ({ name: family })) }),
    })
    expect([200, 201]).toContain(status)
  }

  async function rowsOf(graph: readonly object[]): Promise<string[]> {
    const { code, stderr, stdout } = await runs.run(graph)
    expect(code, stderr).toBe(0)
    return stdout.trim() === '' ? [] : stdout.trim().split('\n')
  }

  /** What HBase's own client prints. */
  async function printed(...args: readonly string[]): Promise<string[]> {
    // its warnings have a date before them
    return (await hbase.client(...args)).split('\n').filter((line) => line !== '' && !/^\d{4}-\d\d-\d\d /.test(line))
  }

  function reported(millrace: StartedMillrace, code: string): Promise<void> {
    return waitFor(`${code} is reported`, PATIENCE_MS, async () => millrace.stderr().includes(code), millrace.stderr)
  }

  test.each(['binary', 'text'])(
    'every type is written in %s as HBase itself reads it, and looked up the same',
    async (encoding) => {
      const name = `types_${encoding}`
      await createTable(name, 'd')
      const columns = TYPES.map(([field, value, readAs, read], at) => ({ name: `c${at}`, field, value, readAs, read }))
      const schema = Object.fromEntries(columns.map(({ name: column, field }) => [column, `${field}?`]))
      const row = Object.fromEntries(columns.map(({ name: column, value }) => [column, value]))
      const key = { key: 'bytes' }
      await rowsOf([
        {
          id: 'rows',
          source: {
            values: [
              { key: '/yz/AA==', ...row },
              { key: 'AAE=', c0: 7 },
            ],
          },
          schema: { ...key, ...schema },
        },
        { id: 'out', from: 'rows', sink: { hbase: { ...table(name, 'key'), encoding } } },
      ])
      const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
      const shown = columns.map(({ name: column, readAs }) => {
        const type = encoding === 'binary' || readAs === 'bytes' ? readAs : 'string'
        return `d:${column}=${type}`
      })
      const wanted = columns.map(({ field, value, read }) =>
        encoding === 'binary' || field === 'bytes' || value === null ? read : asText(value),
      )
      const [second, first] = await printed('read', name, 'key=bytes', ...shown)
      expect(first?.split('|')).toEqual(['ff2cff00', ...wanted])
      expect(second?.split('|').filter((cell) => cell !== 'none')).toEqual(['0001', '7'])
      const found = await rowsOf([
        {
          id: 'ids',
          source: { values: ['/yz/AA==', 'AAE=', '/w=='].map((asked) => ({ asked })) },
          schema: { asked: 'bytes' },
        },
        {
          id: 'found',
          from: 'ids',
          join: { lookup: { hbase: { ...table(name, 'key'), encoding }, key: { key: 'asked' }, output: schema } },
        },
        { id: 'out', from: 'found', sink: 'console' },
      ])
      const nothing = Object.fromEntries(columns.map(({ name: column }) => [column, null]))
      const exact = JSON.stringify({ asked: '/yz/AA==', ...row }).replace('"-9007199254740993"', '-9007199254740993')
      expect(found).toEqual([exact, JSON.stringify({ asked: 'AAE=', ...nothing, c0: 7 })])
    },
    LONG_MS,
  )

  test(
    'a key of several fields is read by OrderedBytes of HBase, and rows lie in the order of their fields',
    async () => {
      await createTable('ordered', 'd')
      const rows = [
        { s: 'a', n: -5, b: 'AP8=', x: -1.5, t: true },
        { s: 'a', n: 3, b: '', x: 0, t: false },
        { s: 'ab', n: -7, b: 'AQIDBAUGBwg=', x: 1e300, t: true },
        { s: 'ü', n: 0, b: '/w==', x: 2, t: true },
      ]
      await rowsOf([
        {
          id: 'rows',
          source: { values: rows.toReversed().map((row) => ({ ...row, v: row.n })) },
          schema: { s: 'string', n: 'long', b: 'bytes', x: 'double', t: 'boolean', v: 'long' },
        },
        { id: 'out', from: 'rows', sink: { hbase: table('ordered', ['s', 'n', 'b', 'x', 't']) } },
      ])
      expect(await printed('read', 'ordered', 'key=ordered', 'd:v=long')).toEqual([
        'a,-5,00ff,-1.5,1|-5',
        'a,3,,0.0,0|3',
        'ab,-7,0102030405060708,1.0E300,1|-7',
        'ü,0,ff,2.0,1|0',
      ])
    },
    LONG_MS,
  )

  test(
    'a null deletes its cell or leaves it, and mode: delete the row in all families',
    async () => {
      await createTable('nulls', 'd', 'e')
      const write = (values: readonly object[], options: object): Promise<string[]> =>
        rowsOf([
          { id: 'rows', source: { values }, schema: { id: 'string', a: 'string?', b: 'string?' } },
          { id: 'out', from: 'rows', sink: { hbase: { ...table('nulls', 'id'), ...options } } },
        ])
      // what means something in addresses or JSON is part of a name here
      const odd = 'e:b+;c%?#"ü&'
      const columns = { 'd:a': 'a', [odd]: 'b' }
      const full = ['1', '2', '3'].map((id) => ({ id, a: 'x', b: 'y' }))
      await write(full, { columns })
      await write([{ id: '1', a: null, b: 'z' }], { columns })
      await write([{ id: '2', a: null, b: 'z' }], { columns, nulls: 'skip' })
      await write([{ id: '3' }], { mode: 'delete' })
      const shown = await printed('read', 'nulls', 'key=string', 'd:a=string', `${odd}=string`)
      expect(shown).toEqual(['1|none|z', '2|x|z'])
      // the marker of the deletion hides nothing that is written later
      await write(
        [
          { id: '1', a: 'again', b: null },
          { id: '3', a: 'new', b: null },
        ],
        { columns },
      )
      expect(await printed('read', 'nulls', 'key=string', 'd:a=string', `${odd}=string`)).toEqual([
        '1|again|none',
        '2|x|z',
        '3|new|none',
      ])
    },
    LONG_MS,
  )

  test(
    'with timestamp the row of the latest time stays, also when rows and deletions of older times are written after it',
    async () => {
      await createTable('versions', 'd')
      const at = (second: number): string => `2026-11-23T12:00:0${second}.000Z`
      const write = (values: readonly object[], mode = 'upsert'): Promise<string[]> =>
        rowsOf([
          {
            id: 'rows',
            source: { values },
            schema: { id: 'string', at: 'timestamp', a: 'string?', b: 'string?' },
          },
          { id: 'out', from: 'rows', sink: { hbase: { ...table('versions', 'id'), timestamp: 'at', mode } } },
        ])
      const shown = (): Promise<string[]> => printed('read', 'versions', 'key=string', 'd:a=string', 'd:b=string')
      const rows = [
        { id: '1', at: at(5), a: 'new', b: null },
        { id: '1', at: at(2), a: 'old', b: 'old' },
        { id: '2', at: at(1), a: 'first', b: 'first' },
        { id: '2', at: at(3), a: null, b: 'last' },
        { id: '3', at: at(4), a: 'kept', b: 'kept' },
        { id: '4', at: at(4), a: 'gone', b: 'gone' },
      ]
      const wanted = ['1|new|none', '2|none|last', '3|kept|kept', '4|gone|gone']
      await write(rows)
      expect(await shown()).toEqual(wanted)
      await write(rows.toReversed())
      expect(await shown()).toEqual(wanted)
      await write(
        [
          { id: '3', at: at(2) },
          { id: '4', at: at(6) },
        ],
        'delete',
      )
      await write(rows)
      expect(await shown()).toEqual(wanted.slice(0, 3))
    },
    LONG_MS,
  )

  test(
    'when job, worker, server and gateway are killed while rows are written, the tables end as a plain computation says',
    async () => {
      await createTable('totals', 'd')
      await createTable('lines', 'd')
      const rows = 50_000
      const input = join(dir, 'orders.json')
      const order = (n: number): { customer: number; amount: number } => ({ customer: n % 701, amount: n % 97 })
      writeFileSync(input, Array.from({ length: rows }, (_, n) => JSON.stringify({ n, ...order(n) })).join('\n') + '\n')
      const file = runs.fileOf(
        [
          {
            id: 'orders',
            source: { file: { path: input, format: 'json', rate: '4000/s' } },
            schema: { n: 'long', customer: 'long', amount: 'long' },
          },
          {
            id: 'totals',
            from: 'orders',
            keyBy: 'customer',
            aggregate: { orders: 'count()', total: 'sum(amount)', largest: 'max(n)' },
          },
          { id: 'out', from: 'totals', sink: { hbase: table('totals', 'customer') } },
          { id: 'lines', from: 'orders', sink: { hbase: table('lines', ['customer', 'n']) } },
        ],
        2,
      )
      let millrace = startMillrace('run', file)
      const isWritten = async (): Promise<boolean> => {
        const answer = await fetch(`${hbase.url}/totals/*?limit=1`, { headers: { accept: 'application/json' } })
        return (await answer.text()).includes('"key"')
      }
      await waitFor('rows are there', PATIENCE_MS, isWritten, millrace.stderr)
      const workers = descendantsOf(millrace.process.pid ?? 0).filter(({ command }) => command.includes('worker'))
      expect(workers.length).toBeGreaterThan(0)
      process.kill(workers[0]?.pid ?? 0, 'SIGKILL')
      await waitFor('a new attempt runs', PATIENCE_MS, async () => /attempt 2/.test(millrace.stderr()), millrace.stderr)
      await hbase.server.kill()
      await waitFor(
        'the trouble is reported',
        PATIENCE_MS,
        async () => /HBASE_UNAVAILABLE|HTTP_TIMEOUT/.test(millrace.stderr()),
        millrace.stderr,
      )
      // the job cannot end meanwhile
      await hbase.gateway.kill()
      await reported(millrace, 'HTTP_FAILED')
      await hbase.server.launch()
      await hbase.gateway.launch()
      await hbase.served()
      const id = runIdOf(millrace)
      await killRun(millrace)
      millrace = startMillrace('run', file, '--resume', id)
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      const wanted = new Map<number, { orders: number; total: number; largest: number }>()
      for (let n = 0; n < rows; n++) {
        const { customer, amount } = order(n)
        const { orders = 0, total = 0 } = wanted.get(customer) ?? {}
        wanted.set(customer, { orders: orders + 1, total: total + amount, largest: n })
      }
      const found = await printed('read', 'totals', 'key=long', 'd:orders=long', 'd:total=long', 'd:largest=long')
      expect(found).toEqual(
        [...wanted]
          .sort(([a], [b]) => a - b)
          .map(([customer, { orders, total, largest }]) => [customer, orders, total, largest].join('|')),
      )
      const lines = await printed('read', 'lines', 'key=ordered', 'd:amount=long')
      const all = Array.from({ length: rows }, (_, n) => ({ n, ...order(n) }))
      expect(lines).toEqual(
        all
          .sort((a, b) => a.customer - b.customer || a.n - b.n)
          .map(({ n, customer, amount }) => `${customer},${n}|${amount}`),
      )
    },
    LONG_MS,
  )

  test(
    'when server and gateway are killed while rows are looked up, each row has the fields of its row of the table',
    async () => {
      await createTable('prices', 'd')
      const days = 200
      const known = Array.from({ length: days }, (_, day) => ({ item: `i${day % 5}`, day, price: `${day}.25` }))
      await rowsOf([
        { id: 'rows', source: { values: known }, schema: { item: 'string', day: 'long', price: 'decimal(9,2)' } },
        { id: 'out', from: 'rows', sink: { hbase: table('prices', ['item', 'day']) } },
      ])
      const rows = Array.from({ length: 12_000 }, (_, n) => ({
        n,
        what: `i${(n % (days * 2)) % 5}`,
        on: n % (days * 2),
      }))
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
                hbase: table('prices', ['item', 'day']),
                key: { item: 'what', day: 'on' },
                output: { price: 'decimal(9,2)' },
              },
            },
          },
          { id: 'out', from: 'priced', sink: { file: { path: out } } },
        ]),
      )
      await waitFor('rows are committed', PATIENCE_MS, async () => linesOf(out).length > 0, millrace.stderr)
      await hbase.gateway.kill()
      await reported(millrace, 'HTTP_FAILED')
      await hbase.server.kill()
      await hbase.server.launch()
      await hbase.gateway.launch()
      await hbase.served()
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      const wanted = rows.map((row) => JSON.stringify({ ...row, price: known[row.on]?.price ?? null }))
      expect(linesOf(out).sort()).toEqual(wanted.sort())
    },
    LONG_MS,
  )

  test(
    'the longest key and the largest cell are written, and what is too large for an answer is an error of its row alone',
    async () => {
      await createTable('limits', 'd')
      const longest = 'k'.repeat(32_767)
      const largest = 10 * 1024 * 1024 - 1024
      const sizes = [
        { key: longest, size: 4 },
        { key: 'large', size: largest },
        { key: 'small', size: 5 },
      ]
      await rowsOf([
        { id: 'sizes', source: { values: sizes }, schema: { key: 'string', size: 'long' } },
        { id: 'rows', from: 'sizes', map: { key: 'key', name: "'x'.padEnd(size, 'x')" } },
        { id: 'out', from: 'rows', sink: { hbase: table('limits', 'key') } },
      ])
      const found = await rowsOf([
        { id: 'keys', source: { values: sizes.map(({ key }) => ({ key })) }, schema: { key: 'string' } },
        {
          id: 'found',
          from: 'keys',
          join: { lookup: { hbase: table('limits', 'key'), key: { key: 'key' }, output: { name: 'string' } } },
          onError: 'skip',
        },
        { id: 'out', from: 'found', sink: 'console' },
      ])
      expect(found).toEqual([
        JSON.stringify({ key: longest, name: 'xxxx' }),
        JSON.stringify({ key: 'small', name: 'xxxxx' }),
      ])
      expect((await printed('read', 'limits', 'd:name=string')).map(({ length }) => length)).toEqual([4, largest, 5])
    },
    LONG_MS,
  )

  function writing(sink: object): readonly object[] {
    return [
      { id: 'rows', source: { values: [{ id: 1, name: 'a' }] }, schema: { id: 'long', name: 'string' } },
      { id: 'out', from: 'rows', sink: { hbase: sink } },
    ]
  }

  test(
    'a missing table, and then a missing family, are reported in the words of HBase and waited for',
    async () => {
      const millrace = startMillrace(
        'run',
        runs.fileOf(writing({ ...table('later', 'id'), family: 'late' })),
        '--in-process',
      )
      await reported(millrace, 'TableNotFoundException: later')
      await createTable('later', 'd')
      await reported(millrace, 'has no column family late; it has d')
      await createTable('later', 'd', 'late')
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      expect(await printed('read', 'later', 'key=long', 'late:name=string')).toEqual(['1|a'])
    },
    LONG_MS,
  )

  test(
    'a gateway of a list that is not there is passed over',
    async () => {
      await createTable('failover', 'd')
      const [nobody = 0] = await freePorts(1)
      const url = [`http://127.0.0.1:${nobody}`, hbase.url]
      await rowsOf(writing({ ...table('failover', 'id'), url }))
      expect(await printed('read', 'failover', 'key=long', 'd:name=string')).toEqual(['1|a'])
    },
    LONG_MS,
  )

  test(
    'a port where nobody listens is reported with its address',
    async () => {
      const [nobody = 0] = await freePorts(1)
      const job = runs.fileOf(writing({ ...table('any', 'id'), url: `http://127.0.0.1:${nobody}` }))
      const millrace = startMillrace('run', job, '--in-process')
      await reported(millrace, `no answer from 127.0.0.1:${nobody}`)
      await killRun(millrace)
    },
    LONG_MS,
  )

  test(
    'over TLS: rows are written and looked up, checkpoints are kept, and a gateway that is not trusted is reported',
    async () => {
      await createTable('secure', 'd')
      await createTable('state', 'd')
      const made = await makeCertificate('127.0.0.1')
      const [key, certificate, other] = [join(dir, 'tls.key'), join(dir, 'tls.crt'), join(dir, 'other.crt')]
      writeFileSync(key, made.key)
      writeFileSync(certificate, made.certificate)
      writeFileSync(other, (await makeCertificate('127.0.0.1')).certificate)
      const url = await hbase.startSecureGateway({ certificate, key })
      const trusting = (caFile: string): object => ({ ...table('secure', 'id'), url, tls: { caFile } })
      const source = { values: [{ id: 'a', v: 1 }] }
      const schema = { id: 'string', v: 'long' }
      await rowsOf([
        { id: 'rows', source, schema },
        { id: 'out', from: 'rows', sink: { hbase: trusting(certificate) } },
      ])
      expect(await printed('read', 'secure', 'key=string', 'd:v=long')).toEqual(['a|1'])
      const refused = startMillrace(
        'run',
        runs.fileOf([
          { id: 'rows', source, schema },
          { id: 'out', from: 'rows', sink: { hbase: trusting(other) } },
        ]),
      )
      await reported(refused, 'certificate')
      await killRun(refused)
      const host = new URL(url).host
      const store = openAnyStore(`hbase://${host}/state/folder?tls=true&caFile=${encodeURIComponent(certificate)}`)
      expect(await store.createIfAbsent('a', Buffer.from('x'))).toBe('created')
      expect(Buffer.from((await store.get('a')) ?? []).toString()).toBe('x')
    },
    LONG_MS,
  )
})
