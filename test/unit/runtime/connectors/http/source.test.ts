import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { connector } from '../../../../../runtime/connectors/http/connector.ts'
import { sourceOptions } from '../../../../../runtime/connectors/http/declaration.ts'
import type { SourceReader, Split } from '../../../../../runtime/connectors/source.ts'
import type { Schema } from '../../../../../runtime/model/schema.ts'
import { sleep } from '../../../../../runtime/ports/clock.ts'
import type { HttpAnswer, OutgoingRequest } from '../../../../../runtime/ports/http-client.ts'
import { expectExactRestores, readAll } from '../../../../harness/connector-conformance.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'
import { quietPorts, sourceContext } from '../../../../harness/source-context.ts'

const SCHEMA: Schema = {
  fields: [
    { name: 'id', type: 'long', nullable: false },
    { name: 'amount', type: 'string', nullable: false, logical: { kind: 'bigint' } },
  ],
}
const LARGE = 9_007_199_254_740_993n

function rowText(id: number): string {
  return `{"id":${id},"amount":${LARGE + BigInt(id)}}`
}

/** A service with rows 0 to `count`, whose pages begin behind the parameter `after`. */
class Service {
  count: number
  readonly pageRows: number
  readonly asked: OutgoingRequest[] = []
  readonly mishaps: (HttpAnswer | Error)[] = []
  tag: string | undefined

  constructor(count: number, pageRows: number) {
    this.count = count
    this.pageRows = pageRows
  }

  readonly send = async (request: OutgoingRequest): Promise<HttpAnswer> => {
    this.asked.push(request)
    const mishap = this.mishaps.shift()
    if (mishap instanceof Error) throw mishap
    if (mishap !== undefined) return mishap
    const { searchParams } = new URL(request.url)
    const from = Number(searchParams.get('after') ?? -1) + 1
    const to = Math.min(this.count, from + this.pageRows)
    const rows = Array.from({ length: Math.max(0, to - from) }, (_, at) => rowText(from + at))
    const next = to < this.count ? `"/items?after=${to - 1}"` : 'null'
    const cursor = rows.length === 0 ? 'null' : String(to - 1)
    return {
      status: 200,
      body: `{"data":{"items":[${rows.join(', ')}]},"next":${next},"cursor":${cursor}}`,
      headers: this.tag === undefined ? {} : { etag: this.tag },
    }
  }
}

function bed(service: Service, options: object) {
  const ports = Object.defineProperty(jumpingPorts(), 'httpClient', { value: service })
  const troubles: (string | null)[] = []
  const context = {
    ...sourceContext({ verb: { connector: 'http' }, schema: SCHEMA, baseDir: '.', ports }),
    reportTrouble: (error: Error | null) => {
      troubles.push(error === null ? null : error.message)
    },
  }
  const source = connector.source({ url: 'http://service/items?kind=a', rows: 'data.items', ...options })
  const open = async (splits: readonly Split[] = [{ id: 'poll', position: null, finished: false }]) => {
    const reader: SourceReader = source.reader({ ...context, slot: 0, parallelism: 1 }, compileRowClass(SCHEMA))
    await reader.open(splits)
    return reader
  }
  return { source, context, open, troubles, clock: ports.clock }
}

async function idsOf(reader: SourceReader, count: number, clock: Parameters<typeof sleep>[0]): Promise<number[]> {
  const ids: number[] = []
  for (let polls = 0; ids.length < count; polls++) {
    expect(polls, `after ${ids.length} rows`).toBeLessThan(1000)
    const batch = await reader.poll(4)
    if (batch === undefined) await sleep(clock, 500)
    ids.push(...(batch?.batch.rows() ?? []).map((row) => Number(row['id'])))
  }
  return ids
}

const BY_ROW = { cursor: { parameter: 'after', row: 'id' } }
const BY_ANSWER = { cursor: { parameter: 'after', answer: 'cursor' } }
const BY_LINK = { next: 'next' }

describe('a service', () => {
  test.each([
    ['a cursor in its last row', BY_ROW],
    ['a cursor in its answer', BY_ANSWER],
    ['links to the next page', BY_LINK],
  ])('with %s is read once, wherever the reading stops, with all digits', async (_what, options) => {
    const { source, context } = bed(new Service(50, 7), { bounded: true, ...options })
    const under = { connector: source, context, maxRows: 4, interruptions: 15 }
    expect(await readAll(under)).toEqual(
      [...Array(50).keys()].map((id) => JSON.stringify({ id, amount: String(LARGE + BigInt(id)) })).sort(),
    )
    await expectExactRestores(under, 1, 2)
  })

  test('is asked again behind its last row, and keeps its own parameters', async () => {
    const service = new Service(10, 7)
    const { open, clock } = bed(service, { ...BY_ROW, every: '5s' })
    const reader = await open()
    await idsOf(reader, 10, clock)
    service.count = 13
    expect(await idsOf(reader, 3, clock)).toEqual([10, 11, 12])
    expect(service.asked.at(-1)?.url).toBe('http://service/items?kind=a&after=9')
    expect(reader.isFinished()).toBe(false)
  })

  test('that has not changed by its tag is not read again, also where it does not look at the tag', async () => {
    const service = new Service(5, 100)
    service.tag = '"v1"'
    const { open, clock } = bed(service, { every: '1s' })
    const reader = await open()
    await idsOf(reader, 5, clock)
    for (let polls = 0; polls < 20; polls++) {
      expect(await reader.poll(10)).toBeUndefined()
      await sleep(clock, 500)
    }
    expect(service.asked.at(-1)?.headers['if-none-match']).toBe('"v1"')
    service.tag = '"v2"'
    expect(await idsOf(reader, 5, clock)).toHaveLength(5)
  })

  test.each([
    ['no answer', new Error('reset')],
    ['503', { status: 503, body: 'busy', headers: { 'retry-after': '2' } }],
    ['half an answer', { status: 200, body: '{"data":{"items":[{"id":' }],
    ['an answer without its list', { status: 200, body: '{"data":[]}' }],
  ])('is asked again after %s, and no row is lost or doubled', async (_what, mishap) => {
    const { MillraceError } = await import('../../../../../runtime/model/errors.ts')
    const service = new Service(20, 7)
    const { open, clock } = bed(service, BY_ROW)
    const reader = await open()
    const read = await idsOf(reader, 7, clock)
    const failure =
      mishap instanceof Error
        ? new MillraceError('HTTP_FAILED', 'reset', { domain: 'dependency', retriable: true })
        : mishap
    service.mishaps.push(failure, failure)
    read.push(...(await idsOf(reader, 13, clock)))
    expect(read).toEqual([...Array(20).keys()])
  })

  test('that refuses ends the job with its words', async () => {
    const service = new Service(5, 7)
    service.mishaps.push({ status: 403, body: 'no such key' })
    const { open, clock } = bed(service, BY_ROW)
    await expect(open().then((reader) => idsOf(reader, 1, clock))).rejects.toMatchObject({
      code: 'HTTP_REFUSED',
      message: 'http://service/items answered 403: no such key',
    })
  })

  test('that points to a page at another server is not followed there', async () => {
    const service = new Service(5, 7)
    const answer = { status: 200, body: '{"data":{"items":[]},"next":"http://evil/items"}' }
    service.mishaps.push(...Array<HttpAnswer>(200).fill(answer))
    const { open, troubles, clock } = bed(service, BY_LINK)
    const reader = await open()
    for (let polls = 0; troubles.length === 0; polls++) {
      expect(polls).toBeLessThan(1000)
      await reader.poll(1)
      await sleep(clock, 100)
    }
    expect(troubles[0]).toContain('names a next page at another server, http://evil')
    expect(new Set(service.asked.map(({ url }) => new URL(url).host))).toEqual(new Set(['service']))
  })
})

test('a real server that cuts connections and answers in pages is read once', async () => {
  const service = new Service(200, 30)
  let requests = 0
  const server = createServer((request, response) => {
    if (++requests % 3 === 0) {
      request.socket.destroy()
      return
    }
    void service
      .send({ method: 'GET', url: `http://service${request.url}`, headers: {}, signal: new AbortController().signal })
      .then(({ body }) => response.end(body))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  try {
    const { port } = server.address() as AddressInfo
    const context = {
      ...sourceContext({ verb: { connector: 'http' }, schema: SCHEMA, baseDir: '.', ports: quietPorts() }),
      reportTrouble: () => undefined,
    }
    const source = connector.source({
      url: `http://127.0.0.1:${port}/items`,
      rows: 'data.items',
      bounded: true,
      ...BY_ROW,
    })
    expect(await readAll({ connector: source, context, maxRows: 50, interruptions: 1 })).toHaveLength(200)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test.each([
  [{}, 'url'],
  [{ url: 'http://x', cursor: { parameter: 'after' } }, 'cursor'],
  [{ url: 'http://x', cursor: { parameter: 'after', row: 'id', answer: 'next' } }, 'cursor'],
  [{ url: 'http://x', cursor: { row: 'id' } }, 'cursor.parameter'],
  [{ url: 'http://x', rows: 5 }, 'rows'],
  [{ url: 'http://x', every: '0s' }, 'every'],
])('when a source says %j, the problem is at %s', (options, path) => {
  expect(sourceOptions.check(options).map((problem) => problem.path)).toContain(path)
})

test('a position that is none of such a source is refused', async () => {
  const { open } = bed(new Service(1, 1), {})
  const elsewhere = { cursor: null, next: 'http://evil/items', skip: 0, tag: null }
  const negative = { ...elsewhere, next: null, skip: -1 }
  for (const position of [5, { cursor: 1 }, negative, elsewhere, { ...elsewhere, next: 'items' }])
    await expect(open([{ id: 'poll', position, finished: false }])).rejects.toMatchObject({ code: 'SPLIT_INVALID' })
})
