import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request, type RequestOptions } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeCertificate } from '../../../../../embedded/credentials.ts'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import type { SourceReader } from '../../../../../runtime/connectors/source.ts'
import { connectKafka } from '../../../../../runtime/connectors/kafka/real/client.ts'
import { webhookConnector } from '../../../../../runtime/connectors/webhook/connector.ts'
import { listenWebhook } from '../../../../../runtime/connectors/webhook/real/server.ts'
import type { Options } from '../../../../../runtime/graph/connector-declaration.ts'
import type { Schema } from '../../../../../runtime/model/schema.ts'
import type { Split } from '../../../../../runtime/model/snapshot.ts'
import { sourceContext } from '../../../../harness/source-context.ts'
import { until } from '../../../../harness/until.ts'

const EVENTS: Schema = {
  fields: [
    { name: 'id', type: 'string', nullable: false },
    { name: 'count', type: 'long', nullable: true },
  ],
}

let folder = ''
const readers: SourceReader[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-webhook-'))
})
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.close()
  rmSync(folder, { recursive: true })
})

interface Listening {
  reader: SourceReader
  url: string
  port: number
  bad: { where: string; reason: string }[]
}

let attempts = 0

/** A source that listens on a free port, from the given splits. */
async function listen(options: Options, known: readonly Split[] = [], schema: Schema = EVENTS): Promise<Listening> {
  let port = 0
  const connector = webhookConnector(async (wanted, handle) => {
    const server = await listenWebhook({ ...wanted, port: 0 }, handle)
    port = server.port
    return server
  }, connectKafka)
  const source = connector.source({ port: 8088, log: { path: 'log' }, ...options })
  const context = sourceContext({ verb: { connector: 'webhook' }, schema, baseDir: folder })
  attempts += 1
  const splits = await source.enumerator(context).discover(known, 1, attempts)
  const reader = source.reader({ ...context, slot: 0, parallelism: 1 }, compileRowClass(schema))
  readers.push(reader)
  await reader.open(splits)
  await until('it listens', () => port > 0 || undefined)
  return { reader, url: `http://127.0.0.1:${port}/`, port, bad: context.bad }
}

async function post(url: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<number> {
  return (await fetch(url, { method: 'POST', body, headers })).status
}

async function refusal(url: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<unknown> {
  const answer = await fetch(url, { method: 'POST', body, headers })
  const { error } = (await answer.json()) as { error: { code: string; message: string } }
  return { status: answer.status, ...error }
}

async function rows(reader: SourceReader, count: number): Promise<object[]> {
  const found: object[] = []
  await until(`${count} rows`, async () => {
    const batch = await reader.poll(100)
    if (batch !== undefined) found.push(...batch.batch.rows().map((row) => ({ ...row })))
    return found.length >= count || undefined
  })
  return found
}

/** The status that a request over TLS is answered with, or the code of what ended the connection. */
function postEncrypted(port: number, body: string, options: RequestOptions): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = request({ ...options, host: '127.0.0.1', port, method: 'POST', agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    sent.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message)
    })
    sent.end(body)
  })
}

describe('a webhook', () => {
  test('makes a row of each request that it has acknowledged, in order', async () => {
    const { reader, url } = await listen({})
    for (let count = 0; count < 5; count++) expect(await post(url, JSON.stringify({ id: 'a', count }))).toBe(200)
    expect(await rows(reader, 5)).toEqual([0, 1, 2, 3, 4].map((count) => ({ id: 'a', count })))
  })

  test('with an authority takes requests over TLS only, from senders with a certificate of it', async () => {
    const [own, stranger] = [await makeCertificate('127.0.0.1'), await makeCertificate('127.0.0.1')]
    const [certificateFile, keyFile] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')]
    writeFileSync(certificateFile, own.certificate)
    writeFileSync(keyFile, own.key)
    const { reader, port, url } = await listen({ tls: { certificateFile, keyFile, caFile: certificateFile } })
    const trusted = { ca: own.certificate }
    const { certificate: cert, key } = own
    expect(await postEncrypted(port, '{"id":"a","count":1}', { ...trusted, cert, key })).toBe(200)
    const foreign = { cert: stranger.certificate, key: stranger.key }
    expect(await postEncrypted(port, '{"id":"b"}', { ...trusted, ...foreign })).not.toBe(200)
    expect(await postEncrypted(port, '{"id":"c"}', trusted)).not.toBe(200)
    await expect(post(url, '{"id":"d"}')).rejects.toThrow()
    expect(await postEncrypted(port, '{"id":"e","count":2}', { ...trusted, cert, key })).toBe(200)
    expect(await rows(reader, 2)).toEqual([
      { id: 'a', count: 1 },
      { id: 'e', count: 2 },
    ])
  })

  test('gives what an attempt acknowledged and did not cover to the next attempt, and nothing twice', async () => {
    const first = await listen({})
    for (let count = 0; count < 4; count++) await post(first.url, JSON.stringify({ id: 'a', count }))
    const batch = await first.reader.poll(2)
    const emitted = batch?.batch.count ?? 0
    expect(emitted).toBeGreaterThan(0)
    const splits = JSON.parse(JSON.stringify(first.reader.snapshot())) as Split[]
    await first.reader.close()
    const { reader, url } = await listen({}, splits)
    await post(url, JSON.stringify({ id: 'later' }))
    const rest = [emitted, emitted + 1, emitted + 2, emitted + 3].filter((count) => count < 4)
    expect(await rows(reader, rest.length + 1)).toEqual([
      ...rest.map((count) => ({ id: 'a', count })),
      { id: 'later', count: null },
    ])
  })

  test('says how many acknowledged records wait', async () => {
    const { reader, url } = await listen({ body: 'lines' })
    expect(reader.lagRecords?.()).toBe(0)
    await post(url, '{"id":"a"}\n{"id":"b"}\n{"id":"c"}')
    expect(reader.lagRecords?.()).toBe(3)
    await rows(reader, 3)
    expect(reader.lagRecords?.()).toBe(0)
  })

  test.each([
    ['lines', '{"id":"a","count":1}\n\n{"id":"b","count":2}\r\n'],
    ['array', ' [ {"id":"a","count":1},\n{"id":"b","count":2} ] '],
  ])('takes several records of a request as %s', async (body, text) => {
    const { reader, url } = await listen({ body })
    expect(await post(url, text)).toBe(200)
    expect(await rows(reader, 2)).toEqual([
      { id: 'a', count: 1 },
      { id: 'b', count: 2 },
    ])
  })

  test('puts headers, the time and the sender into fields', async () => {
    const schema: Schema = {
      fields: [
        ...EVENTS.fields,
        { name: 'event', type: 'string', nullable: true },
        { name: 'at', type: 'timestamp', nullable: false },
        { name: 'from', type: 'string', nullable: false },
      ],
    }
    const metadata = { headers: { 'X-Event-Id': 'event' }, receivedAt: 'at', sender: 'from' }
    const { reader, url } = await listen({ metadata }, [], schema)
    await post(url, '{"id":"a"}', { 'x-event-id': 'e-1' })
    await post(url, '{"id":"b"}')
    const found = await rows(reader, 2)
    expect(found).toMatchObject([
      { id: 'a', event: 'e-1', from: expect.stringContaining('127.0.0.1') as string },
      { id: 'b', event: null },
    ])
    expect((found[0] as { at: number }).at).toBeGreaterThan(1_700_000_000_000)
  })
})

describe('a request that is refused', () => {
  test('names the record that is wrong, and none of its records is taken', async () => {
    const { reader, url, bad } = await listen({ body: 'lines' })
    expect(await refusal(url, '{"id":"a"}\n{"id":7}')).toEqual({
      status: 400,
      code: 'RECORD_INVALID',
      message: expect.stringMatching(/^record 1: .*id/) as string,
    })
    await post(url, '{"id":"z"}')
    expect(await rows(reader, 1)).toEqual([{ id: 'z', count: null }])
    expect(bad).toEqual([])
  })

  test('is one for a header that its field needs', async () => {
    const schema: Schema = { fields: [...EVENTS.fields, { name: 'event', type: 'string', nullable: false }] }
    const { url } = await listen({ metadata: { headers: { 'X-Event-Id': 'event' } } }, [], schema)
    expect(await refusal(url, '{"id":"a"}')).toMatchObject({
      status: 400,
      message: expect.stringContaining('event') as string,
    })
  })

  test('is one with too many tiny lines', async () => {
    const { url } = await listen({ body: 'lines' })
    expect(await refusal(url, 'x\n'.repeat(400_000))).toMatchObject({ status: 413, code: 'TOO_MANY_RECORDS' })
  })

  test.each([
    ['a body that is too long', { maxBodyBytes: '1Ki' }, Buffer.alloc(2000, 'x'), {}, 413, 'BODY_TOO_LARGE'],
    [
      'a small body that unpacks to a long one',
      { maxBodyBytes: '64Ki' },
      gzipSync(Buffer.alloc(50_000_000)),
      { 'content-encoding': 'gzip' },
      413,
      'BODY_TOO_LARGE',
    ],
    [
      'a body that is not packed as it says',
      {},
      Buffer.from('x'),
      { 'content-encoding': 'gzip' },
      400,
      'BODY_UNREADABLE',
    ],
    ['an unknown packing', {}, Buffer.from('x'), { 'content-encoding': 'lzma' }, 400, 'BODY_UNREADABLE'],
    ['an array that is none', { body: 'array' }, Buffer.from('{"id":"a"}'), {}, 400, 'BODY_INVALID'],
    ['half an array', { body: 'array' }, Buffer.from('[{"id":"a"}'), {}, 400, 'BODY_INVALID'],
    ['a million tiny items', { body: 'array' }, Buffer.from(`[${'0,'.repeat(400_000)}0]`), {}, 413, 'TOO_MANY_RECORDS'],
    [
      'items that nest too deep',
      { body: 'array' },
      Buffer.from(`[${'['.repeat(5_000)}${']'.repeat(5_000)}]`),
      {},
      400,
      'ANSWER_NESTED',
    ],
  ])('is one with %s', async (_what, options, body, headers, status, code) => {
    const { url } = await listen(options)
    expect(await refusal(url, body, headers as Record<string, string>)).toMatchObject({ status, code })
    expect(await post(url, 'body' in options ? '[{"id":"a"}]' : '{"id":"a"}')).toBe(200)
  })

  test('is one to another path or by another method', async () => {
    const { url } = await listen({ path: '/events' })
    expect(await post(url, '{"id":"a"}')).toBe(404)
    expect(await post(`${url}events?from=x`, '{"id":"a"}')).toBe(200)
    expect((await fetch(`${url}events`)).status).toBe(405)
  })

  test('asks to come again when the log is full, and is taken once a checkpoint has made room', async () => {
    const { reader, url } = await listen(
      { log: { path: 'log', maxBytes: '1Mi' }, maxBodyBytes: '256Ki', format: 'raw' },
      [],
      {
        fields: [{ name: 'text', type: 'string', nullable: false }],
      },
    )
    const body = 'x'.repeat(100_000)
    let taken = 0
    let answer = await fetch(url, { method: 'POST', body })
    for (; answer.status === 200; taken += 1) answer = await fetch(url, { method: 'POST', body })
    expect(answer.status).toBe(429)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(taken).toBeGreaterThan(8)
    expect(await rows(reader, taken)).toHaveLength(taken)
    await reader.notifyCheckpointComplete?.(reader.snapshot())
    expect(await post(url, body)).toBe(200)
  })

  test('is one without the token', async () => {
    writeFileSync(join(folder, 'token'), 'secret-1\n')
    const { url } = await listen({ tokenFile: join(folder, 'token') })
    expect(await post(url, '{"id":"a"}')).toBe(401)
    expect(await post(url, '{"id":"a"}', { authorization: 'Bearer secret-2' })).toBe(401)
    expect(await post(url, '{"id":"a"}', { authorization: 'Bearer secret-1' })).toBe(200)
    writeFileSync(join(folder, 'token'), 'secret-2')
    expect(await post(url, '{"id":"a"}', { authorization: 'Bearer secret-2' })).toBe(200)
    writeFileSync(join(folder, 'token'), '')
    expect(await post(url, '{"id":"a"}', { authorization: 'Bearer ' })).toBe(401)
  })

  test.each([
    ['sha256', 'hex', 'sha256='],
    ['sha1', 'hex', ''],
    ['sha512', 'base64', 'v1:'],
  ] as const)('is one without the %s signature of its body', async (algorithm, encoding, prefix) => {
    writeFileSync(join(folder, 'key'), 'the key')
    const { url } = await listen({
      signature: {
        header: 'X-Signature',
        secretFile: join(folder, 'key'),
        algorithm,
        encoding,
        ...(prefix === '' ? {} : { prefix }),
      },
    })
    const body = '{"id":"ä"}'
    const sign = (key: string, text: string): string =>
      `${prefix}${createHmac(algorithm, key).update(text).digest(encoding)}`
    expect(await post(url, body)).toBe(401)
    expect(await post(url, body, { 'x-signature': sign('other', body) })).toBe(401)
    expect(await post(url, body, { 'x-signature': sign('the key', `${body} `) })).toBe(401)
    expect(await post(url, body, { 'x-signature': sign('the key', body) })).toBe(200)
  })
})

describe('a sender that misbehaves', () => {
  test('is cut off when its request takes too long, and others are served', async () => {
    const { url, port } = await listen({ timeout: '300ms' })
    const slow = connect(port, '127.0.0.1')
    const over = new Promise<string>((resolve) => {
      let text = ''
      slow.on('data', (bytes) => (text += bytes.toString()))
      slow.on('close', () => {
        resolve(text)
      })
    })
    slow.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"id"')
    expect(await post(url, '{"id":"a"}')).toBe(200)
    expect(await over).toMatch(/^(HTTP\/1\.1 408 |$)/)
  })

  test('gets 400 for what is no HTTP', async () => {
    const { url, port } = await listen({})
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.end('hello\r\n\r\n'))
      let text = ''
      socket.on('data', (bytes) => (text += bytes.toString()))
      socket.on('close', () => {
        resolve(text)
      })
    })
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(await post(url, '{"id":"a"}')).toBe(200)
  })

  test('is not acknowledged when a newer attempt has taken over', async () => {
    const old = await listen({})
    await post(old.url, '{"id":"before"}')
    const next = await listen({})
    expect(await post(old.url, '{"id":"late"}')).toBe(503)
    await expect(until('the old reader ends', async () => void (await old.reader.poll(10)))).rejects.toMatchObject({
      code: 'LOG_CLOSED',
    })
    expect((await rows(next.reader, 1))[0]).toMatchObject({ id: 'before' })
  })
})
