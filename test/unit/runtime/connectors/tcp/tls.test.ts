import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeCertificate } from '../../../../../embedded/credentials.ts'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { connector as tcp } from '../../../../../runtime/connectors/tcp/real/connector.ts'
import { declaration } from '../../../../../runtime/connectors/tcp/declaration.ts'
import type { Options } from '../../../../../runtime/graph/connector-declaration.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Schema } from '../../../../../runtime/model/schema.ts'
import type { SourceReader } from '../../../../../runtime/connectors/source.ts'
import type { Net } from '../../../../../runtime/ports/net.ts'
import { realNet } from '../../../../../runtime/ports/real/net.ts'
import { quietPorts, sourceContext } from '../../../../harness/source-context.ts'
import { until } from '../../../../harness/until.ts'

const SCHEMA: Schema = { fields: [{ name: 'n', type: 'long', nullable: false }] }
const ROWS = compileRowClass(SCHEMA)

let folder = ''
const closing: (() => Promise<void> | void)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-tcp-tls-'))
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  rmSync(folder, { recursive: true })
})

/** The files of a certificate that is its own authority. */
async function certificate(name: string): Promise<{ certificateFile: string; keyFile: string; text: string }> {
  const { key, certificate: text } = await makeCertificate('127.0.0.1')
  const [certificateFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)]
  writeFileSync(certificateFile, text)
  writeFileSync(keyFile, key)
  return { certificateFile, keyFile, text }
}

/** A source that listens with these options. */
async function source(options: Options): Promise<{ reader: SourceReader; port: number }> {
  const { reader, listens } = await opened(options, [])
  return { reader, port: await listens() }
}

/** The same, whether it can listen or not; `trouble` gets what is reported. */
async function opened(
  options: Options,
  trouble: string[],
): Promise<{ reader: SourceReader; listens: () => Promise<number> }> {
  let port = 0
  const net: Net = {
    connect: (address) => realNet.connect(address),
    async listen(address, onConnection) {
      const listener = await realNet.listen({ ...address, port: 0 }, onConnection)
      port = listener.address.port
      return listener
    },
  }
  const connector = tcp.source({ listen: 9000, log: 'none', ...options })
  const ports = { ...quietPorts(), plainNet: net }
  const context = {
    ...sourceContext({ verb: { connector: 'tcp' }, schema: SCHEMA, baseDir: folder, ports }),
    slot: 0,
    parallelism: 1,
    reportTrouble: (error: Error | null) => void trouble.push(error?.message ?? ''),
  }
  const reader = connector.reader(context, ROWS)
  closing.push(() => reader.close())
  await reader.open(await connector.enumerator(context).discover([], 1, 1))
  return { reader, listens: () => until('it listens', () => (port > 0 ? port : undefined)) }
}

async function rowsOf(reader: SourceReader, count: number): Promise<number[]> {
  const found: number[] = []
  await until(`${count} rows`, async () => {
    for (const { n } of (await reader.poll(100))?.batch.rows() ?? []) found.push(Number(n))
    return found.length >= count || undefined
  })
  return found
}

/** How a client fares that sends one record. */
function sent(port: number, options: ConnectionOptions): Promise<'sent' | 'refused'> {
  return new Promise((resolve) => {
    const socket = connectTls({ host: '127.0.0.1', port, ...options }, () => socket.end('{"n":1}\n'))
    socket.on('error', () => {
      resolve('refused')
    })
    socket.on('close', (hadError) => {
      resolve(hadError ? 'refused' : 'sent')
    })
    socket.resume()
    closing.push(() => void socket.destroy())
  })
}

async function write(options: Options, trouble: string[], rows: readonly number[]): Promise<void> {
  const writer = tcp.sink(options).writer({
    jobUid: 'uid',
    predecessors: [],
    operatorId: 'out',
    slot: 0,
    attempt: 1,
    schema: SCHEMA,
    ports: quietPorts(),
    baseDir: folder,
    stopping: new AbortController().signal,
    reportTrouble: (error) => void trouble.push(error?.message ?? ''),
  })
  closing.push(() => writer.close())
  await writer.open([])
  await writer.write(new RowBatch(rows.map((n) => new ROWS(n))))
  await writer.prepareCommit(1)
}

describe('TLS of the tcp connector', () => {
  test('lets those in that trust the certificate, and no plain text', async () => {
    const server = await certificate('server')
    const { reader, port } = await source({ tls: { certificateFile: server.certificateFile, keyFile: server.keyFile } })
    expect(await sent(port, { ca: server.text })).toBe('sent')
    expect(await rowsOf(reader, 1)).toEqual([1])
    expect(await sent(port, {})).toBe('refused')
    const plain = connectPlain(port, '127.0.0.1')
    closing.push(() => void plain.destroy())
    const ended = new Promise((resolve) => plain.once('close', resolve))
    plain.on('error', () => undefined)
    plain.write('{"n":2}\n')
    await ended
    expect(await reader.poll(100)).toBeUndefined()
  })

  test('holds at most 256 connections whose handshake has not ended, and takes senders once they are gone', async () => {
    const server = await certificate('server')
    const { reader, port } = await source({ tls: { certificateFile: server.certificateFile, keyFile: server.keyFile } })
    let refused = 0
    const silent = Array.from({ length: 300 }, () => {
      const socket = connectPlain(port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.once('close', () => (refused += 1))
      closing.push(() => void socket.destroy())
      return socket
    })
    await until('those beyond the limit are closed', () => refused === 300 - 256 || undefined)
    for (const socket of silent) socket.destroy()
    await until('a sender is taken', async () => (await sent(port, { ca: server.text })) === 'sent' || undefined)
    expect(await rowsOf(reader, 1)).toContain(1)
  })

  test('asks for a certificate of its authority where it names one', async () => {
    const [server, sender, stranger] = [
      await certificate('server'),
      await certificate('sender'),
      await certificate('stranger'),
    ]
    const { reader, port } = await source({
      tls: { certificateFile: server.certificateFile, keyFile: server.keyFile, caFile: sender.certificateFile },
    })
    const trouble: string[] = []
    const client = { caFile: server.certificateFile }
    await write(
      {
        connect: `127.0.0.1:${port}`,
        tls: { ...client, certificateFile: sender.certificateFile, keyFile: sender.keyFile },
      },
      trouble,
      [7, 8],
    )
    expect(await rowsOf(reader, 2)).toEqual([7, 8])
    expect(trouble.filter((message) => message !== '')).toEqual([])
    void write(
      {
        connect: `127.0.0.1:${port}`,
        acknowledge: 'count',
        tls: { ...client, certificateFile: stranger.certificateFile, keyFile: stranger.keyFile },
      },
      trouble,
      [9],
    ).catch(() => undefined)
    await until('the stranger is refused', () => trouble.some((message) => message !== '') || undefined)
    expect(await reader.poll(100)).toBeUndefined()
  })

  test('of a sink refuses a server that it does not trust, and goes on when the file is right', async () => {
    const [server, other] = [await certificate('server'), await certificate('other')]
    const trusted = join(folder, 'trusted.crt')
    writeFileSync(trusted, other.text)
    const { reader, port } = await source({
      acknowledge: 'count',
      tls: { certificateFile: server.certificateFile, keyFile: server.keyFile },
    })
    const trouble: string[] = []
    const written = write(
      { connect: `127.0.0.1:${port}`, acknowledge: 'count', tls: { caFile: trusted } },
      trouble,
      [1, 2],
    )
    await until('it is refused', () => trouble.some((message) => message.includes(`127.0.0.1:${port}`)) || undefined)
    writeFileSync(trusted, server.text)
    const [rows] = await Promise.all([rowsOf(reader, 2), written])
    expect(rows).toEqual([1, 2])
  })

  test('reports a certificate that is none, and listens once it is one', async () => {
    const server = await certificate('server')
    const broken = join(folder, 'broken.crt')
    writeFileSync(broken, 'none')
    const trouble: string[] = []
    const { reader, listens } = await opened({ tls: { certificateFile: broken, keyFile: server.keyFile } }, trouble)
    await until('it is reported', () => trouble.find((text) => text.includes('tls cannot use its certificate')))
    writeFileSync(broken, server.text)
    expect(await sent(await listens(), { ca: server.text })).toBe('sent')
    expect(await rowsOf(reader, 1)).toEqual([1])
  })

  test('needs a certificate where it listens', () => {
    const problems = declaration.source?.options.check({ listen: 9000, log: 'none', tls: true }) ?? []
    expect(problems).toMatchObject([
      { path: 'tls', message: 'needs certificateFile and keyFile: a server shows a certificate' },
    ])
    expect(declaration.source?.options.check({ connect: 'a:1', log: 'none', tls: true })).toEqual([])
  })
})
