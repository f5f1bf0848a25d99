import { describe, expect, test } from 'vitest'
import { connector } from '../../../../../runtime/connectors/http/connector.ts'
import { sinkOptions } from '../../../../../runtime/connectors/http/declaration.ts'
import { retryAfterMs } from '../../../../../runtime/connectors/http/refusal.ts'
import type { SinkWriter } from '../../../../../runtime/connectors/sink.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Schema } from '../../../../../runtime/model/schema.ts'
import { sleep } from '../../../../../runtime/ports/clock.ts'
import type { HttpAnswer, OutgoingRequest } from '../../../../../runtime/ports/http-client.ts'
import { sinkContext } from '../../../../harness/kafka/connector-contexts.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'

const SCHEMA: Schema = { fields: [{ name: 'n', type: 'long', nullable: false }] }
const OK: HttpAnswer = { status: 204, body: '' }

interface Sent {
  readonly body: string
  readonly key: string
  readonly at: number
  readonly headers: Readonly<Record<string, string>>
}

/** A service that answers with what `answers` has, and then with 204. */
function bed(options: object, answers: (HttpAnswer | Error)[] = [], secrets: Readonly<Record<string, string>> = {}) {
  const ports = jumpingPorts()
  const sent: Sent[] = []
  const troubles: (string | null)[] = []
  const send = async ({ body = '', headers }: OutgoingRequest): Promise<HttpAnswer> => {
    sent.push({ body, key: headers['idempotency-key'] ?? '', at: ports.clock.now(), headers })
    const answer = answers.shift() ?? OK
    if (answer instanceof Error) throw answer
    return answer
  }
  Object.defineProperty(ports, 'httpClient', { value: { send } })
  const read = async (path: string): Promise<string> => {
    const found = Object.entries(secrets).find(([name]) => name === path)
    if (found !== undefined) return found[1]
    throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' })
  }
  Object.defineProperty(ports, 'secretFiles', { value: { read } })
  const context = {
    ...sinkContext(ports),
    schema: SCHEMA,
    reportTrouble: (error: Error | null) => {
      troubles.push(error === null ? null : error.message)
    },
  }
  const writer: SinkWriter = connector.sink({ url: 'http://127.0.0.1:1/in', ...options }).writer(context)
  return { writer, sent, troubles, clock: ports.clock }
}

function write(writer: SinkWriter, from: number, to: number): Promise<void> {
  return writer.write(new RowBatch(Array.from({ length: to - from }, (_, at) => ({ n: from + at }))))
}

describe('rows are sent', () => {
  test.each([
    ['lines', { rows: 2 }, ['{"n":0}\n{"n":1}\n', '{"n":2}\n']],
    ['array', { rows: 2 }, ['[{"n":0},{"n":1}]', '[{"n":2}]']],
    ['row', {}, ['{"n":0}', '{"n":1}', '{"n":2}']],
  ])('as %s, in order, and all before a checkpoint is prepared', async (body, options, bodies) => {
    const { writer, sent } = bed({ body, linger: '1h', ...options })
    await writer.open([])
    await write(writer, 0, 3)
    await writer.prepareCommit(1)
    expect(sent.map((request) => request.body)).toEqual(bodies)
    expect(new Set(sent.map(({ key }) => key)).size).toBe(bodies.length)
  })

  test('when they have waited for more as long as linger says', async () => {
    const { writer, sent, clock } = bed({ linger: '50ms' })
    await writer.open([])
    const started = clock.now()
    await write(writer, 0, 3)
    expect(sent).toEqual([])
    await sleep(clock, 1000)
    expect(sent).toHaveLength(1)
    expect((sent[0]?.at ?? 0) - started).toBe(50)
  })

  test('with the headers of the job, and with a login that is read for each request', async () => {
    const secrets = { '/s/token': 'one\n' }
    const { writer, sent } = bed({ headers: { 'X-Team': 'a' }, auth: { tokenFile: '/s/token' }, rows: 1 }, [], secrets)
    await writer.open([])
    await write(writer, 0, 1)
    await writer.prepareCommit(1)
    secrets['/s/token'] = 'two'
    await write(writer, 1, 2)
    await writer.prepareCommit(2)
    expect(sent.map(({ headers }) => headers['authorization'])).toEqual(['Bearer one', 'Bearer two'])
    expect(sent[0]?.headers['X-Team']).toBe('a')
  })
})

describe('a request is repeated', () => {
  test.each([
    ['503', { status: 503, body: 'busy' }],
    ['429', { status: 429, body: '' }],
    ['408', { status: 408, body: '' }],
  ])('after %s, unchanged and with its key', async (_what, answer) => {
    const { writer, sent } = bed({ rows: 2 }, [answer, answer])
    await writer.open([])
    await write(writer, 0, 2)
    await writer.prepareCommit(1)
    expect(sent).toHaveLength(3)
    expect(new Set(sent.map(({ key, body }) => `${key} ${body}`)).size).toBe(1)
  })

  test('no sooner than the service asks for, and what it says shows in the status', async () => {
    const { writer, sent, troubles } = bed({ rows: 1 }, [
      { status: 429, body: 'slow down', headers: { 'retry-after': '7' } },
      { status: 503, body: '', headers: { 'retry-after': '7' } },
    ])
    await writer.open([])
    await write(writer, 0, 1)
    await writer.prepareCommit(1)
    const [first = 0, second = 0] = sent.map(({ at }) => at)
    expect(second - first).toBeGreaterThanOrEqual(7000)
    expect(troubles).toEqual(['http://127.0.0.1:1 answered 503'.replace(':1 ', ':1/in '), null])
  })
})

describe('an attempt ends', () => {
  test('with the words of a service that refuses, and sends nothing behind it', async () => {
    const { writer, sent } = bed({ rows: 1 }, [OK, { status: 422, body: '{"error":"n is negative"}' }])
    await writer.open([])
    await expect(write(writer, 0, 5).then(() => writer.prepareCommit(1))).rejects.toMatchObject({
      code: 'HTTP_REFUSED',
      message: 'http://127.0.0.1:1/in answered 422: {"error":"n is negative"}',
    })
    expect(sent.map(({ body }) => body)).toEqual(['{"n":0}\n', '{"n":1}\n'])
  })

  test('before there is a row when its Secret is missing, or may not be sent there', async () => {
    const missing = bed({ auth: { tokenFile: '/s/token' } })
    await expect(missing.writer.open([])).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' })
    const elsewhere = bed({ auth: { tokenFile: '/s/token' } }, [], {
      '/s/token': 'x',
      '/s/allowed-hosts': 'api.example',
    })
    await expect(elsewhere.writer.open([])).rejects.toMatchObject({
      code: 'SECRET_HOST_FORBIDDEN',
      message: 'the Secret of /s/token may not be sent to 127.0.0.1:1',
    })
  })

  test('at once when the sink is closed while it waits', async () => {
    const { writer } = bed(
      { rows: 1 },
      Array.from({ length: 1000 }, () => ({ status: 503, body: '' })),
    )
    await writer.open([])
    await write(writer, 0, 1)
    await writer.close()
    await expect(writer.prepareCommit(1)).rejects.toMatchObject({ code: 'HTTP_CLOSED' })
  })
})

test.each([
  ['3', 3000],
  ['Thu, 01 Jan 1970 00:00:10 GMT', 9000],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ['86400', 300_000],
  ['soon', undefined],
])('of Retry-After %j it waits %s ms', (text, ms) => {
  expect(retryAfterMs(text, 1000)).toBe(ms)
})

test.each([
  [{}, 'url'],
  [{ url: 'ftp://x' }, 'url'],
  [{ url: 'http://u:p@x' }, 'url'],
  [{ url: 'http://x', headers: { 'a b': 'c' } }, 'headers.a b'],
  [{ url: 'http://x', headers: { a: 'b\r\nc: d' } }, 'headers.a'],
  [{ url: 'http://x', headers: { Authorization: 'Bearer x' } }, 'headers.Authorization'],
  [{ url: 'http://x', body: 'row', rows: 5 }, 'rows'],
  [{ url: 'https://x', auth: {} }, 'auth'],
  [{ url: 'https://x', auth: { username: 'u' } }, 'auth'],
  [{ url: 'https://x', auth: { tokenFile: '/t', username: 'u', passwordFile: '/p' } }, 'auth'],
  [{ url: 'http://x', auth: { tokenFile: '/t' } }, 'auth'],
])('when a sink says %j, the problem is at %s', (options, path) => {
  expect(sinkOptions.check(options).map((problem) => problem.path)).toContain(path)
})

test('a login without TLS is taken where the job says so, and to the machine itself', () => {
  expect(sinkOptions.check({ url: 'http://x', auth: { tokenFile: '/t', insecure: true } })).toEqual([])
  expect(sinkOptions.check({ url: 'http://127.0.0.1', auth: { tokenFile: '/t' } })).toEqual([])
})

test('the files of a login and of TLS are named, so that the operator can say whether the job may open them', () => {
  const opened = sinkOptions.opens({
    url: 'https://x',
    auth: { username: 'u', passwordFile: '/secrets/p' },
    tls: { caFile: '/secrets/ca' },
  })
  expect(opened).toEqual([
    { path: 'auth.passwordFile', file: '/secrets/p', as: 'secret' },
    { path: 'tls.caFile', file: '/secrets/ca', as: 'secret' },
  ])
})
