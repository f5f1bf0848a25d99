import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import type { SourceReader } from '../../../../../runtime/connectors/source.ts'
import type { SinkWriter } from '../../../../../runtime/connectors/sink.ts'
import { connector as tcp } from '../../../../../runtime/connectors/tcp/real/connector.ts'
import type { Options } from '../../../../../runtime/graph/connector-declaration.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Schema } from '../../../../../runtime/model/schema.ts'
import type { Net } from '../../../../../runtime/ports/net.ts'
import { realNet } from '../../../../../runtime/ports/real/net.ts'
import { quietPorts, sourceContext } from '../../../../harness/source-context.ts'
import { until } from '../../../../harness/until.ts'

const SCHEMA: Schema = { fields: [{ name: 'n', type: 'long', nullable: false }] }
const ROWS = compileRowClass(SCHEMA)

let folder = ''
const closing: (() => Promise<void> | void)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-tcp-'))
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  rmSync(folder, { recursive: true })
})

interface Source {
  reader: SourceReader
  port: number
  trouble: (Error | null)[]
}

/** A source with a log; where it listens, on a free port. */
async function source(options: Options): Promise<Source> {
  let port = 0
  const net: Net = {
    connect: (address) => realNet.connect(address),
    async listen(address, onConnection) {
      const listener = await realNet.listen({ ...address, port: 0 }, onConnection)
      port = listener.address.port
      return listener
    },
  }
  const ports = { ...quietPorts(), plainNet: net }
  const written = { log: { path: 'log' }, ...options }
  const connector = tcp.source('connect' in options ? written : { listen: 9000, ...written })
  const trouble: (Error | null)[] = []
  const context = {
    ...sourceContext({ verb: { connector: 'tcp' }, schema: SCHEMA, baseDir: folder, ports }),
    slot: 0,
    parallelism: 1,
    reportTrouble: (error: Error | null) => void trouble.push(error),
  }
  const reader = connector.reader(context, ROWS)
  closing.push(() => reader.close())
  await reader.open(await connector.enumerator(context).discover([], 1, 1))
  if (!('connect' in options)) await until('it listens', () => port > 0 || undefined)
  return { reader, port, trouble }
}

async function rows(reader: SourceReader, count: number): Promise<number[]> {
  const found: number[] = []
  await until(`${count} rows`, async () => {
    const batch = await reader.poll(100)
    if (batch !== undefined) found.push(...batch.batch.rows().map(({ n }) => Number(n)))
    return found.length >= count || undefined
  })
  return found
}

/** Connects to a port and collects what it answers. */
function client(port: number): { socket: Socket; text: () => string; ended: Promise<void> } {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (bytes) => (text += bytes.toString()))
  socket.on('error', () => undefined)
  closing.push(() => void socket.destroy())
  return { socket, text: () => text, ended: new Promise((resolve) => socket.on('close', () => resolve())) }
}

async function sink(options: Options, rowCount: number): Promise<{ writer: SinkWriter; write(): Promise<void> }> {
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
    reportTrouble: () => undefined,
  })
  closing.push(() => writer.close())
  await writer.open([])
  const write = async (): Promise<void> => {
    for (let n = 0; n < rowCount; n += 10)
      await writer.write(new RowBatch(Array.from({ length: 10 }, (_, index) => new ROWS(n + index))))
    await writer.prepareCommit(1)
  }
  return { writer, write }
}

/** Passes bytes on to a port, and cuts each connection after so many bytes. */
async function cuttingProxy(target: number, limits: number[]): Promise<number> {
  const server = createServer((from) => {
    const to = connect(target, '127.0.0.1')
    let left = limits.shift() ?? Infinity
    const cut = (): void => {
      from.destroy()
      to.destroy()
    }
    from.on('data', (bytes: Buffer) => {
      to.write(bytes.subarray(0, left))
      left -= bytes.length
      if (left <= 0) cut()
    })
    to.pipe(from)
    from.on('close', cut).on('error', cut)
    to.on('close', cut).on('error', cut)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => void server.close())
  return (server.address() as AddressInfo).port
}

describe('a TCP source that listens', () => {
  test('makes a row of each line, and says how many it keeps', async () => {
    const { reader, port } = await source({ acknowledge: 'count' })
    const { socket, text } = client(port)
    socket.write('{"n":1}\n{"n":')
    socket.write('2}\n{"n":3}\r\n')
    expect(await rows(reader, 3)).toEqual([1, 2, 3])
    await until('all are acknowledged', () => text().endsWith('3\n') || undefined)
  })

  test('closes a connection whose record is too long, and serves others', async () => {
    const { reader, port } = await source({ maxRecordBytes: '1Ki' })
    const bad = client(port)
    bad.socket.write('x'.repeat(5000))
    await bad.ended
    client(port).socket.write('{"n":1}\n')
    expect(await rows(reader, 1)).toEqual([1])
  })

  test('refuses connections above its limit', async () => {
    const { reader, port } = await source({ maxConnections: 2 })
    const held = [client(port), client(port)]
    for (const [n, { socket }] of held.entries()) socket.write(`{"n":${n}}\n`)
    await rows(reader, 2)
    await client(port).ended
    held[0]?.socket.destroy()
    await until('there is room again', async () => {
      const next = client(port)
      next.socket.write('{"n":7}\n')
      const first = await Promise.race([next.ended.then(() => 'refused'), rows(reader, 1).then(() => 'taken')])
      return first === 'taken' || undefined
    })
  })

  test('leaves out a record that a cut connection did not finish', async () => {
    const { reader, port } = await source({})
    const { socket, ended } = client(port)
    socket.end('{"n":1}\n12')
    await ended
    client(port).socket.write('{"n":2}\n')
    expect(await rows(reader, 2)).toEqual([1, 2])
  })

  test('does not read on while its log is full, and loses nothing', async () => {
    const { reader, port } = await source({
      log: { path: 'log', maxBytes: '1Mi' },
      maxRecordBytes: '1Ki',
      acknowledge: 'count',
    })
    const { socket, text } = client(port)
    const count = 60_000
    for (let n = 0; n < count; n++) socket.write(`{"n":${n}}   ${' '.repeat(30)}\n`)
    await until('the log is full', () => {
      const acknowledged = Number(text().trim().split('\n').at(-1))
      return (acknowledged > 5_000 && acknowledged < count) || undefined
    })
    const found: number[] = []
    while (found.length < count) {
      found.push(...(await rows(reader, 1)))
      await reader.notifyCheckpointComplete?.(reader.snapshot())
    }
    expect(found).toEqual(Array.from({ length: count }, (_, n) => n))
  })
})

describe('a TCP source that connects', () => {
  test('connects again whenever its server ends the connection, and tells of one that is away', async () => {
    const server = createServer((socket) => socket.end(`{"n":${served++}}\n`))
    let served = 0
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const { reader, trouble } = await source({ connect: `127.0.0.1:${port}` })
    expect(await rows(reader, 3)).toEqual([0, 1, 2])
    await new Promise((resolve) => server.close(resolve))
    await until('the trouble is told', () => trouble.find((error) => error?.message.includes(String(port)) === true))
  })
})

describe('a TCP sink', () => {
  test.each(['lines', 'length'] as const)(
    'gives every row to a source over cut connections, framed by %s',
    async (framing) => {
      const { reader, port } = await source({ framing, acknowledge: 'count' })
      const proxy = await cuttingProxy(port, [3, 200, 1_000, 17, 5_000])
      const count = 2_000
      const { write } = await sink({ connect: `127.0.0.1:${proxy}`, framing, acknowledge: 'count' }, count)
      await write()
      const found = await rows(reader, count)
      const counts = new Map<number, number>()
      for (const n of found) counts.set(n, (counts.get(n) ?? 0) + 1)
      expect([...counts.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n))
    },
  )

  test('ends the attempt when a connection without acknowledgements ends with rows on it', async () => {
    const { port } = await source({})
    const proxy = await cuttingProxy(port, Array<number>(1000).fill(500))
    const { write } = await sink({ connect: `127.0.0.1:${proxy}` }, 1_000)
    const writing = until('a write fails', async () => void (await write()))
    await expect(writing).rejects.toMatchObject({ code: 'TCP_FAILED', retriable: true })
  })

  test('takes another server when the first is away', async () => {
    const { reader, port } = await source({ acknowledge: 'count' })
    const gone = await cuttingProxy(1, [])
    const { write } = await sink({ connect: [`127.0.0.1:${gone}`, `127.0.0.1:${port}`], acknowledge: 'count' }, 10)
    await write()
    expect(await rows(reader, 10)).toHaveLength(10)
  })

  test('says that a receiver which answers something else does not count', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => void server.close())
    const { port } = server.address() as AddressInfo
    const trouble: (Error | null)[] = []
    const writer = tcp.sink({ connect: `127.0.0.1:${port}`, acknowledge: 'count' }).writer({
      jobUid: 'uid',
      predecessors: [],
      operatorId: 'out',
      slot: 0,
      attempt: 1,
      schema: SCHEMA,
      ports: quietPorts(),
      baseDir: folder,
      stopping: new AbortController().signal,
      reportTrouble: (error) => void trouble.push(error),
    })
    await writer.open([])
    await writer.write(new RowBatch([new ROWS(1)]))
    const ended = writer.prepareCommit(1).catch((error: unknown) => error)
    await until('it is told', () => trouble.find((error) => error?.message.includes('HTTP/1.1 400') === true))
    await writer.close()
    expect(await ended).toMatchObject({ code: 'TCP_FAILED' })
  })
})
