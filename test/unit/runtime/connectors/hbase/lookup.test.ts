import { describe, expect, test } from 'vitest'
import { connector } from '../../../../../runtime/connectors/hbase/connector.ts'
import { VirtualHbase } from '../../../../../runtime/connectors/hbase/virtual/gateway.ts'
import type { Field } from '../../../../../runtime/model/schema.ts'
import { MillraceError } from '../../../../../runtime/model/errors.ts'
import type { HttpAnswer, OutgoingRequest } from '../../../../../runtime/ports/http-client.ts'
import type { Table } from '../../../../../runtime/ports/table.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'

const OUTPUT: readonly Field[] = [
  { name: 'name', type: 'string', nullable: true },
  { name: 'amount', type: 'long', nullable: true },
]
const OPTIONS = { url: 'http://virtual:8080', table: 'orders', rowKey: 'id', encoding: 'text' }
const { signal } = new AbortController()

function openTable(hbase: Pick<VirtualHbase, 'send'>, options: object = {}, key = ['id']): Promise<Table> {
  return connector.table({ ...OPTIONS, ...options }).open({
    operatorId: 'named',
    key: key.map((column) => ({ column, field: { name: `my_${column}`, type: 'string', nullable: false } })),
    output: OUTPUT,
    ports: Object.defineProperty(jumpingPorts(), 'httpClient', { value: hbase }),
    baseDir: '.',
    stopping: new AbortController().signal,
    reportTrouble: () => undefined,
  })
}

async function put(hbase: VirtualHbase, rows: Record<string, Record<string, string>>): Promise<void> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const Row = Object.entries(rows).map(([key, cells]) => ({
    key: base64(key),
    Cell: Object.entries(cells).map(([column, value]) => ({ column: base64(column), timestamp: 1, $: base64(value) })),
  }))
  const url = 'http://virtual:8080/orders/rows'
  await hbase.send({ method: 'PUT', url, headers: {}, body: JSON.stringify({ Row }), signal })
  hbase.requests.length = 0
}

describe('lookups in HBase', () => {
  test('find the rows of their keys; a cell that is missing is null, a row that is missing is none', async () => {
    const hbase = new VirtualHbase()
    await put(hbase, { a: { 'd:name': 'A', 'd:amount': '5' }, b: { 'd:name': '' }, c: { 'd:other': 'x' } })
    const table = await openTable(hbase)
    const found = await Promise.all(['a', 'b', 'c', 'nobody', ''].map((key) => table.find([key], signal)))
    expect(found).toEqual([[{ name: 'A', amount: 5 }], [{ name: '', amount: null }], [], [], []])
  })

  test('questions that come together go in few requests, each of at most a hundred keys, and a key is asked for once', async () => {
    const hbase = new VirtualHbase()
    await put(hbase, Object.fromEntries(Array.from({ length: 250 }, (_, n) => [`k${n}`, { 'd:amount': String(n) }])))
    const table = await openTable(hbase)
    hbase.requests.length = 0
    const asked = Array.from({ length: 500 }, (_, n) => n % 250)
    const found = await Promise.all(asked.map((n) => table.find([`k${n}`], signal)))
    expect(found.map(([row]) => row?.['amount'])).toEqual(asked)
    const keys = hbase.requests.map(({ url }) => new URL(url).searchParams.getAll('row').length)
    expect(keys).toEqual([100, 100, 50])
  })

  test('long keys do not make an address that the gateway refuses', async () => {
    const hbase = new VirtualHbase()
    const table = await openTable(hbase)
    await Promise.all(Array.from({ length: 20 }, (_, n) => table.find([`${n}`.padEnd(5000, 'x')], signal)))
    const lengths = hbase.requests.map(({ url }) => url.length)
    expect(Math.max(...lengths)).toBeLessThan(20_000)
    await table.find(['y'.repeat(32_767)], signal)
    expect(hbase.requests.at(-1)?.url.length).toBeLessThan(64_000)
  })

  test('an answer that is too large is asked for in halves, and a row that is too large alone is an error of its own', async () => {
    const hbase = new VirtualHbase()
    await put(hbase, { a: { 'd:name': 'A' }, b: { 'd:name': 'B' }, large: { 'd:name': 'L' } })
    const large = Buffer.from('large').toString('base64url')
    const send = (request: OutgoingRequest): Promise<HttpAnswer> =>
      request.url.includes(large)
        ? Promise.reject(new MillraceError('HTTP_TOO_LARGE', 'too large', { domain: 'dependency' }))
        : hbase.send(request)
    const table = await openTable({ send })
    const found = await Promise.allSettled(['a', 'large', 'b'].map((key) => table.find([key], signal)))
    expect(found).toMatchObject([
      { value: [{ name: 'A' }] },
      { reason: { code: 'HBASE_ROW_TOO_LARGE' } },
      { value: [{ name: 'B' }] },
    ])
  })

  test('a cell that the field cannot hold is an error of its row alone', async () => {
    const hbase = new VirtualHbase()
    await put(hbase, { a: { 'd:amount': 'five' }, b: { 'd:amount': '5' } })
    const table = await openTable(hbase)
    const found = await Promise.allSettled(['a', 'b'].map((key) => table.find([key], signal)))
    expect(found).toMatchObject([
      { reason: { code: 'VALUE_INVALID', message: expect.stringContaining('d:amount') as string } },
      { value: [{ amount: 5 }] },
    ])
  })

  test('a question that is given up is answered with the reason, and the others go on', async () => {
    const hbase = new VirtualHbase()
    await put(hbase, { a: { 'd:name': 'A' } })
    const table = await openTable(hbase)
    const impatient = new AbortController()
    const given = table.find(['a'], impatient.signal)
    const kept = table.find(['a'], signal)
    impatient.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    expect(await kept).toEqual([{ name: 'A', amount: null }])
    await expect(table.find(['a'], impatient.signal)).rejects.toThrow('enough')
  })

  test.each([[{ status: 500, body: '{"message":"Request failed."}' }], [{ status: 503, body: 'Unavailable' }]])(
    'after the answer %j the question is asked again',
    async (answer) => {
      const hbase = new VirtualHbase()
      await put(hbase, { a: { 'd:name': 'A' } })
      const table = await openTable(hbase)
      hbase.answers.push(answer)
      expect(await table.find(['a'], signal)).toEqual([{ name: 'A', amount: null }])
    },
  )

  test.each([
    ['{"Row":[{"key":5}]}'],
    ['{"Row":[{"key":"YQ==","Cell":[{"column":null}]}]}'],
    ['[]'],
    ['{"Row":{}}'],
    ['{'],
  ])('the answer %s is none of a gateway', async (body) => {
    const hbase = new VirtualHbase()
    const table = await openTable(hbase)
    hbase.answers.push({ status: 200, body })
    await expect(table.find(['a'], signal)).rejects.toMatchObject({ code: 'HBASE_NO_GATEWAY' })
  })

  test('a 404 of another service is not taken for a row that is missing', async () => {
    const hbase = new VirtualHbase()
    const table = await openTable(hbase)
    hbase.answers.push({ status: 404, body: '<html>gone</html>' })
    await expect(table.find(['a'], signal)).rejects.toMatchObject({ code: 'HBASE_NO_GATEWAY' })
  })

  test.each([
    [{ rowKey: ['id', 'day'] }, ['id'], 'HBASE_LOOKUP_INVALID'],
    [{ rowKey: ['id', 'day'] }, ['day', 'id'], undefined],
    [{ columns: { 'd:x': 'nobody' } }, ['id'], 'HBASE_LOOKUP_INVALID'],
    [{ columns: { 'd:x': 'name', 'd:y': 'name' } }, ['id'], 'HBASE_LOOKUP_INVALID'],
  ])('%j looked up by %j: %s', async (options, key, code) => {
    const opened = openTable(new VirtualHbase(), options, key)
    if (code === undefined) await expect(opened).resolves.toBeDefined()
    else await expect(opened).rejects.toMatchObject({ code })
  })
})
