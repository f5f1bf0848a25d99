import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { builtinConnectors } from '../../../../../runtime/builtin-connectors.ts'
import { connector } from '../../../../../runtime/connectors/hbase/connector.ts'
import { type Mishap, VirtualHbase } from '../../../../../runtime/connectors/hbase/virtual/gateway.ts'
import type { SinkContext, SinkWriter } from '../../../../../runtime/connectors/sink.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Field, Row } from '../../../../../runtime/model/schema.ts'
import type { OutgoingRequest } from '../../../../../runtime/ports/http-client.ts'
import type { Ports } from '../../../../../runtime/ports/ports.ts'
import { sleep } from '../../../../../runtime/ports/clock.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'

const FIELDS: readonly Field[] = [
  { name: 'id', type: 'long', nullable: false },
  { name: 'name', type: 'string', nullable: true },
  { name: 'amount', type: 'long', nullable: true },
]
const AT: Field = { name: 'at', type: 'timestamp', nullable: false }
const OPTIONS = { url: 'http://virtual:8080', table: 'orders', rowKey: 'id', encoding: 'text' }

function portsOf(hbase: Pick<VirtualHbase, 'send'>, secretFiles = {}): Ports {
  return Object.defineProperties(jumpingPorts(), { httpClient: { value: hbase }, secretFiles: { value: secretFiles } })
}

function contextOf(ports: Ports, fields = FIELDS): SinkContext {
  return {
    jobUid: 'uid',
    predecessors: [],
    operatorId: 'out',
    slot: 0,
    attempt: 1,
    schema: { fields },
    ports,
    baseDir: '.',
    stopping: new AbortController().signal,
    reportTrouble: () => undefined,
  }
}

function writerOf(hbase: VirtualHbase, options: object = {}, fields = FIELDS): SinkWriter {
  return connector.sink({ ...OPTIONS, ...options }).writer(contextOf(portsOf(hbase), fields))
}

async function writeAll(writer: SinkWriter, rows: readonly Row[]): Promise<void> {
  await writer.open([])
  for (let at = 0; at < rows.length; at += 7) await writer.write(new RowBatch(rows.slice(at, at + 7)))
  await writer.prepareCommit(1)
}

/** The cells as texts, `key column value`. */
function cellsOf(hbase: VirtualHbase): string[] {
  const text = (base64: string): string => Buffer.from(base64, 'base64').toString()
  return [...hbase.rows()].flatMap(([key, cells]) =>
    [...cells].map(([column, value]) => `${text(key)} ${text(column)} ${text(value)}`),
  )
}

function cellsWanted(rows: Iterable<Row>, names: readonly string[] = ['name', 'amount']): string[] {
  return [...rows].flatMap((row) =>
    names.filter((name) => row[name] !== null).map((name) => `${String(row['id'])} d:${name} ${String(row[name])}`),
  )
}

const arbitraryRows = fc.array(
  fc.record({
    id: fc.integer({ min: 0, max: 5 }),
    name: fc.option(fc.constantFrom('a', 'b', 'ž'), { nil: null }),
    amount: fc.option(fc.integer(), { nil: null }),
    at: fc.integer({ min: 0, max: 20 }),
  }),
  { maxLength: 60 },
)
const arbitraryMishaps = fc.array(
  fc.constantFrom<Mishap | undefined>('refused', 'unheard', 'late', undefined, undefined),
  { maxLength: 80 },
)
const arbitraryDelays = fc.array(fc.nat(4), { maxLength: 10 })

/** Requests arrive in another order than they were sent. */
function overtaking(delays: readonly number[]): () => Promise<void> {
  let next = 0
  return async () => {
    const turns = delays[next++ % Math.max(1, delays.length)] ?? 0
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('the HBase sink', () => {
  test('leaves the last row of each key, whatever requests fail, are tried again, overtake each other, or arrive late', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryRows, arbitraryMishaps, arbitraryDelays, async (rows, mishaps, delays) => {
        const hbase = new VirtualHbase('orders', ['d'], overtaking(delays))
        hbase.mishaps.push(...mishaps)
        await writeAll(writerOf(hbase, { rows: 3 }), rows)
        hbase.arrive()
        const last = new Map(rows.map(({ id, name, amount }) => [id, { id, name, amount }]))
        expect(cellsOf(hbase).sort()).toEqual(cellsWanted(last.values()).sort())
      }),
      { numRuns: 150 },
    )
  })

  test('when an attempt ends anywhere and the next one writes again what came behind its checkpoint, leaves the last row of each key', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryRows,
        fc.nat(60),
        fc.nat(60),
        arbitraryMishaps,
        arbitraryDelays,
        async (rows, a, b, mishaps, delays) => {
          const [checkpoint = 0, end = 0] = [Math.min(a, b), Math.max(a, b)]
          const hbase = new VirtualHbase('orders', ['d'], overtaking(delays))
          hbase.mishaps.push(...mishaps)
          const ports = portsOf(hbase)
          const sink = connector.sink({ ...OPTIONS, rows: 3 })
          const first = sink.writer(contextOf(ports))
          await writeAll(first, rows.slice(0, checkpoint))
          await first.write(new RowBatch(rows.slice(checkpoint, end)))
          await first.close()
          await sleep(ports.clock, 1000)
          await writeAll(sink.writer(contextOf(ports)), rows.slice(checkpoint))
          hbase.arrive()
          const last = new Map(rows.map(({ id, name, amount }) => [id, { id, name, amount }]))
          expect(cellsOf(hbase).sort()).toEqual(cellsWanted(last.values()).sort())
        },
      ),
      { numRuns: 100 },
    )
  })

  test('a gateway that takes the request and never answers is reported within 15 s, and given up', async () => {
    const never = {
      send: ({ signal }: OutgoingRequest): Promise<never> =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reject(signal.reason as Error)
          })
        }),
    }
    const ports = portsOf(never)
    const started = ports.clock.now()
    const reports: string[] = []
    const context = contextOf(ports)
    const writer: SinkWriter = connector.sink(OPTIONS).writer({
      ...context,
      reportTrouble: (error) => {
        reports.push(`${ports.clock.now() - started <= 15_000} ${String(error)}`)
      },
    })
    await expect(writer.open([])).rejects.toMatchObject({ code: 'HTTP_TIMEOUT' })
    expect(reports[0]).toMatch(/^true .*virtual:8080 did not answer within 10000 ms/)
  })

  test('with timestamp leaves the row of the latest time of each key, also when all are written again in another order', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryRows, arbitraryMishaps, arbitraryDelays, async (all, mishaps, delays) => {
        const rows = all.filter((row, index) => all.findIndex(({ id, at }) => id === row.id && at === row.at) === index)
        const hbase = new VirtualHbase('orders', ['d'], overtaking(delays))
        hbase.mishaps.push(...mishaps)
        const fields = [...FIELDS, AT]
        await writeAll(writerOf(hbase, { timestamp: 'at', rows: 3 }, fields), rows)
        await writeAll(writerOf(hbase, { timestamp: 'at', rows: 3 }, fields), rows.toReversed())
        hbase.arrive()
        const last = new Map(rows.toSorted((a, b) => a.at - b.at).map((row) => [row.id, row]))
        expect(cellsOf(hbase).sort()).toEqual(cellsWanted(last.values()).sort())
      }),
      { numRuns: 80 },
    )
  })

  test('with mode: delete the rows of the keys are gone, whatever requests fail', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryRows, arbitraryMishaps, arbitraryDelays, async (rows, mishaps, delays) => {
        const hbase = new VirtualHbase('orders', ['d'], overtaking(delays))
        await writeAll(
          writerOf(hbase, { timestamp: 'at' }, [...FIELDS, AT]),
          [0, 1, 2, 3, 4, 5].map((id) => ({ id, name: 'x', amount: 1, at: 1000 })),
        )
        hbase.mishaps.push(...mishaps)
        await writeAll(writerOf(hbase, { mode: 'delete', rows: 4 }), rows)
        const left = new Set(cellsOf(hbase).map((cell) => Number(cell.split(' ')[0])))
        expect(left).toEqual(new Set([0, 1, 2, 3, 4, 5].filter((id) => !rows.some((row) => row.id === id))))
      }),
      { numRuns: 40 },
    )
  })

  test('with nulls: skip a null leaves its cell as it is, also within one request', async () => {
    const hbase = new VirtualHbase()
    await writeAll(writerOf(hbase, { nulls: 'skip' }), [
      { id: 1, name: 'a', amount: 5 },
      { id: 1, name: null, amount: 6 },
      { id: 2, name: null, amount: null },
    ])
    expect(cellsOf(hbase)).toEqual(['1 d:name a', '1 d:amount 6'])
    expect(hbase.requests.map(({ method }) => method)).toEqual(['GET', 'PUT'])
  })

  test('a request holds no more rows than rows says', async () => {
    const hbase = new VirtualHbase()
    const rows = Array.from({ length: 25 }, (_, id) => ({ id, name: 'a', amount: id }))
    await writeAll(writerOf(hbase, { rows: 10 }), rows)
    const sizes = hbase.requests
      .filter(({ method }) => method === 'PUT')
      .map(({ body }) => (JSON.parse(body ?? '') as { Row: unknown[] }).Row.length)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(25)
    expect(Math.max(...sizes)).toBe(10)
  })

  test('when the first gateway does not answer, the second is asked', async () => {
    const hbase = new VirtualHbase()
    hbase.mishaps.push('unheard')
    await writeAll(writerOf(hbase, { url: ['http://first:8080/', 'http://second:8080'] }), [
      { id: 1, name: 'a', amount: 5 },
    ])
    expect(hbase.requests.map(({ url }) => new URL(url).hostname)).toEqual(['first', 'first', 'second'])
  })

  test('the login goes with each request, and with none to a host that the Secret does not allow', async () => {
    const hbase = new VirtualHbase()
    const secrets = new Map([
      ['/secret/token', 'T0K3N'],
      ['/secret/allowed-hosts', 'virtual:8080'],
    ])
    const secretFiles = { read: async (path: string) => secrets.get(path) ?? Promise.reject(new Error('none')) }
    const written = (url: string): Promise<void> => {
      const sink = connector.sink({ ...OPTIONS, url, auth: { tokenFile: '/secret/token', insecure: true } })
      return writeAll(sink.writer(contextOf(portsOf(hbase, secretFiles))), [{ id: 1, name: 'a', amount: null }])
    }
    await written('http://virtual:8080')
    expect(hbase.requests.map(({ method, headers }) => [method, headers['authorization']])).toEqual(
      ['GET', 'PUT', 'DELETE'].map((method) => [method, 'Bearer T0K3N']),
    )
    await expect(written('http://elsewhere:8080')).rejects.toMatchObject({ code: 'SECRET_HOST_FORBIDDEN' })
    expect(hbase.requests).toHaveLength(3)
  })

  test('a probe says what is there, and writes nothing', async () => {
    const hbase = new VirtualHbase()
    const said = connector.sink(OPTIONS).probe(contextOf(portsOf(hbase)))
    expect(await said).toBe('2 columns of orders, which has the families d')
    expect(hbase.requests.map(({ method }) => method)).toEqual(['GET'])
  })

  test('columns say where each field goes', async () => {
    const hbase = new VirtualHbase('orders', ['a', 'b'])
    const columns = { 'a:who': 'name', 'b:id': 'id' }
    await writeAll(writerOf(hbase, { columns }), [{ id: 1, name: 'x', amount: 5 }])
    expect(cellsOf(hbase)).toEqual(['1 a:who x', '1 b:id 1'])
  })

  test.each([
    ['a null in the key', { id: null, name: 'a' }, {}, 'id is null'],
    ['an empty key', { id: 1, name: '' }, { rowKey: 'name' }, 'name: a key is never empty'],
    ['a key of more than 32767 bytes', { id: 1, name: 'x'.repeat(32_768) }, { rowKey: 'name' }, 'not 32768'],
    ['a zero byte in a key of a list', { id: 1, name: 'a\0b' }, { rowKey: ['name', 'id'] }, 'name: "a\\u0000b"'],
    ['a text that is no UTF-8', { id: 1, name: '\ud800' }, {}, 'name: '],
    ['a cell of more than 10 MiB', { id: 1, name: 'x'.repeat(10_485_760) }, {}, 'name has 10485760 bytes'],
  ])('%s is an error that names the field', async (_, row, options, words) => {
    const fields = FIELDS.map((field) => ({ ...field, nullable: true }))
    const written = writeAll(writerOf(new VirtualHbase(), options, fields), [{ amount: null, ...row }])
    await expect(written).rejects.toMatchObject({
      code: 'VALUE_INVALID',
      message: expect.stringContaining(words) as string,
    })
  })

  test.each([
    [{ status: 301, body: '' }, 'HBASE_REDIRECTED'],
    [{ status: 404, body: '<html>nginx</html>' }, 'HBASE_NO_GATEWAY'],
    [{ status: 200, body: '<html>hello</html>' }, 'HBASE_NO_GATEWAY'],
    [{ status: 200, body: '{"ColumnSchema":[null]}' }, 'HBASE_FAMILY_UNKNOWN'],
    [{ status: 400, body: 'Bad request\r\njava.lang.IllegalArgumentException: why\r\n' }, 'HBASE_REFUSED'],
    [
      { status: 403, body: 'Forbidden\r\norg.apache.hadoop.hbase.security.AccessDeniedException: no\r\n' },
      'HBASE_FORBIDDEN',
    ],
  ])('the answer %j is the error %s', async (answer, code) => {
    const hbase = new VirtualHbase()
    // what could pass is given up after ten minutes of the clock
    hbase.answers.push(...Array.from({ length: 1000 }, () => answer))
    await expect(writerOf(hbase).open([])).rejects.toMatchObject({ code })
  })

  test.each([
    [{ rowKey: 'nobody' }, 'rowKey', 'there is no field "nobody"'],
    [{ columns: { 'd:x': 'nobody' } }, 'columns.d:x', 'there is no field "nobody"'],
    [{ timestamp: 'name' }, 'timestamp', '"name" is no timestamp'],
  ])('%j is a mistake of the schema', (options, path, message) => {
    const problems = builtinConnectors.sinks['hbase']?.checkSchema?.({ ...OPTIONS, ...options }, { fields: FIELDS })
    expect(problems).toEqual([{ path, message: expect.stringContaining(message) as string }])
  })

  test('fields of a key in a list must have an order, and a row must have a column', () => {
    const check = builtinConnectors.sinks['hbase']?.checkSchema
    const json: Field = { name: 'j', type: 'json', nullable: false }
    expect(check?.({ ...OPTIONS, rowKey: ['j'] }, { fields: [json] })?.[0]?.path).toBe('rowKey')
    expect(check?.(OPTIONS, { fields: FIELDS.slice(0, 1) })?.[0]?.path).toBe('columns')
  })

  test.each([
    [{ url: [] }, 'url'],
    [{ url: ['http://a:1', 'ftp://b'] }, 'url'],
    [{ url: 'http://user:pw@a' }, 'url'],
    [{ table: '../secrets' }, 'table'],
    [{ columns: { nofamily: 'name' } }, 'columns.nofamily'],
    [{ columns: { 'd:a,b': 'name' } }, 'columns.d:a,b'],
    [{ columns: {} }, 'columns'],
    [{ rowKey: ['a', 'a'] }, 'rowKey'],
    [{ mode: 'delete', nulls: 'skip' }, 'nulls'],
    [{ url: ['http://a:1', 'http://b:1'], auth: { username: 'u', passwordFile: '/p' } }, 'auth'],
  ])('%j is a mistake of the options', (options, path) => {
    const problems = builtinConnectors.sinks['hbase']?.options.check({ ...OPTIONS, ...options })
    expect(problems?.map((problem) => problem.path)).toEqual([path])
  })
})
