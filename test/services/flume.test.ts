import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { makeCertificate } from '../../embedded/credentials.ts'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import { takeFromAgent } from '../../runtime/connectors/flume/agent-connection.ts'
import { HeldBytes } from '../../runtime/connectors/kit/held-bytes.ts'
import { MOST_HELD_BYTES } from '../../runtime/connectors/kit/intake-surroundings.ts'
import { connector as flume } from '../../runtime/connectors/flume/real/connector.ts'
import type { LogEntry } from '../../runtime/connectors/kit/write-ahead-log/log-frame.ts'
import type { SourceReader } from '../../runtime/connectors/source.ts'
import type { Schema } from '../../runtime/model/schema.ts'
import { realClock } from '../../runtime/ports/real/clock.ts'
import { realNet } from '../../runtime/ports/real/net.ts'
import { flumeBedMissing, startFlumeAgent, startFlumeReceiver, type FlumeAgent } from '../harness/beds/flume-bed.ts'
import { freePorts } from '../harness/beds/free-port.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { hasCheckpoint, killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'
import { silentLogger } from '../harness/silent-logger.ts'
import { sourceContext } from '../harness/source-context.ts'

const why = flumeBedMissing()
const PATIENCE_MS = 120_000
const LONG_MS = 300_000

const NUMBERS: Schema = { fields: [{ name: 'n', type: 'string', nullable: false }] }

describe.skipIf(why !== undefined)(`agents of Flume${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-flume-'))
  const ending: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end()
  })
  afterAll(() => {
    rmSync(dir, { recursive: true })
  })

  async function agent(options: Parameters<typeof startFlumeAgent>[0]): Promise<FlumeAgent> {
    const started = await startFlumeAgent(options)
    ending.push(() => started.kill())
    return started
  }

  async function reader(port: number, folder: string, compression: string): Promise<SourceReader> {
    const source = flume.source({ port, compression, format: 'raw', log: { path: 'log' } })
    const context = {
      ...sourceContext({ verb: { connector: 'flume' }, schema: NUMBERS, baseDir: folder }),
      slot: 0,
      parallelism: 1,
    }
    const open = source.reader(context, compileRowClass(NUMBERS))
    ending.push(() => open.close())
    await open.open(await source.enumerator(context).discover([], 1, 1))
    return open
  }

  test.each(['none', 'deflate'] as const)(
    'of which the real one sends 20 000 events, compressed by %s: each becomes one row, in order',
    async (compression) => {
      const folder = join(dir, compression)
      mkdirSync(folder)
      const [port = 0] = await freePorts(1)
      const events = 20_000
      const source = await reader(port, folder, compression)
      const flume = await agent({
        dir: join(folder, 'agent'),
        input: { kind: 'sequence', events },
        channel: 'memory',
        port,
        batchSize: 100,
        compression,
      })
      const found: string[] = []
      await waitFor(
        'all rows are there',
        PATIENCE_MS,
        async () => {
          const batch = await source.poll(1_000)
          if (batch !== undefined) found.push(...batch.batch.rows().map(({ n }) => String(n)))
          return found.length >= events
        },
        () => flume.log(),
      )
      expect(found).toEqual(Array.from({ length: events }, (_, n) => String(n)))
    },
    LONG_MS,
  )

  test(
    'send a batch again that was answered with FAILED, or whose connection ended before the answer',
    async () => {
      const events = 500
      const [port = 0] = await freePorts(1)
      const batches: string[][] = []
      let settled = Promise.resolve<unknown>(undefined)
      const listener = await realNet.listen({ host: '127.0.0.1', port }, (connection) => {
        const append = async (entries: readonly LogEntry[]): Promise<'kept'> => {
          batches.push(entries.map(({ value }) => String(value)))
          if (batches.length === 2) throw new Error('the disk is full')
          if (batches.length === 4) connection.destroy()
          return 'kept'
        }
        const taken = takeFromAgent(
          connection,
          { compression: 'none', metadata: undefined, maxBatchBytes: 1024 * 1024, maxBatchEvents: 1_000 },
          {
            clock: realClock,
            logger: silentLogger,
            intake: { append, check: () => Promise.resolve() },
            held: new HeldBytes(MOST_HELD_BYTES),
            signal: new AbortController().signal,
          },
        )
        settled = Promise.all([settled, taken])
      })
      ending.push(() => settled)
      ending.push(() => listener.close())
      const flume = await agent({
        dir: join(dir, 'refused'),
        input: { kind: 'sequence', events },
        channel: 'memory',
        port,
        batchSize: 100,
        compression: 'none',
      })
      await waitFor('the last event is there', PATIENCE_MS, async () => batches.at(-1)?.at(-1) === '499', flume.log)
      const batch = (index: number): string[] => Array.from({ length: 100 }, (_, n) => String(index * 100 + n))
      expect(batches).toEqual([0, 1, 1, 2, 2, 3, 4].map(batch))
    },
    LONG_MS,
  )

  test(
    'with a file channel: when agent and job are killed in turn, every line comes out, and deduplicated once',
    async () => {
      const [port = 0] = await freePorts(1)
      const [all, once, logs] = ['all', 'once', 'logs'].map((name) => join(dir, name))
      mkdirSync(logs ?? '')
      const input = join(logs ?? '', 'app.log')
      writeFileSync(input, '')
      const file = new LocalRuns(dir).fileOf([
        {
          id: 'events',
          source: {
            flume: {
              port,
              log: { path: join(dir, 'intake') },
              format: 'json',
              metadata: { headers: { path: 'path' } },
            },
          },
          schema: { id: 'string', path: 'string' },
        },
        { id: 'all', from: 'events', sink: { file: { path: all } } },
        { id: 'first', from: 'events', keyBy: 'id', dedupe: { keep: 'first', ttl: '1h' } },
        { id: 'once', from: 'first', sink: { file: { path: once } } },
      ])
      const flume = await agent({
        dir: join(dir, 'killed'),
        input: { kind: 'files', pattern: input },
        channel: 'file',
        port,
        batchSize: 50,
        compression: 'none',
      })
      const written: string[] = []
      const append = (count: number): void => {
        const lines = Array.from({ length: count }, (_, index) => `line-${written.length + index}`)
        written.push(...lines)
        appendFileSync(input, lines.map((id) => `${JSON.stringify({ id })}\n`).join(''))
      }
      let millrace = startMillrace('run', file)
      ending.push(() => killRun(millrace))
      const idsIn = (out = ''): string[] => linesOf(out).map((line) => (JSON.parse(line) as { id: string }).id)
      append(500)
      await waitFor('a checkpoint is complete', PATIENCE_MS, async () => hasCheckpoint(file), millrace.stderr)
      for (let kill = 0; kill < 2; kill++) {
        append(2_000)
        await flume.kill()
        append(500)
        await flume.restart()
        append(2_000)
        const id = runIdOf(millrace)
        await killRun(millrace)
        append(500)
        millrace = startMillrace('run', file, '--resume', id)
      }
      await waitFor(
        'every line is written',
        PATIENCE_MS,
        async () => new Set(idsIn(once)).size === written.length,
        () => `${millrace.stderr()}\n${flume.log()}`,
      )
      expect(idsIn(once).sort()).toEqual([...written].sort())
      expect([...new Set(idsIn(all))].sort()).toEqual([...written].sort())
    },
    LONG_MS,
  )

  test(
    'that receive rows: when agent and job are killed, every row is there',
    async () => {
      const [port = 0] = await freePorts(1)
      const out = join(dir, 'received')
      const receiver = await startFlumeReceiver({ dir: join(dir, 'receiver'), port, out })
      ending.push(() => receiver.kill())
      const count = 20_000
      const input = join(dir, 'rows.jsonl')
      writeFileSync(input, Array.from({ length: count }, (_, n) => `${JSON.stringify({ id: `row-${n}` })}\n`).join(''))
      const file = new LocalRuns(mkdtempSync(join(dir, 'receiving-'))).fileOf([
        { id: 'rows', source: { file: { paths: input, format: 'json', rate: '4000/s' } }, schema: { id: 'string' } },
        { id: 'out', from: 'rows', sink: { flume: { connect: `127.0.0.1:${port}`, headers: { id: 'id' } } } },
      ])
      let millrace = startMillrace('run', file)
      ending.push(() => killRun(millrace))
      const received = (): string[] =>
        linesOf(out)
          .filter((line) => line.startsWith('{') && line.endsWith('}'))
          .map((line) => (JSON.parse(line) as { id: string }).id)
      await waitFor('a checkpoint is complete', PATIENCE_MS, async () => hasCheckpoint(file), millrace.stderr)
      await receiver.kill()
      await receiver.restart()
      const id = runIdOf(millrace)
      await killRun(millrace)
      millrace = startMillrace('run', file, '--resume', id)
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      await waitFor(
        'the agent has written every row',
        PATIENCE_MS,
        async () => new Set(received()).size === count,
        () => receiver.log(),
      )
      expect(new Set(received())).toEqual(new Set(Array.from({ length: count }, (_, n) => `row-${n}`)))
    },
    LONG_MS,
  )

  test(
    'over TLS: every event of one that sends becomes a row, and every row of a sink is there',
    async () => {
      const [sent = 0, received = 0] = await freePorts(2)
      const folder = mkdtempSync(join(dir, 'tls-'))
      const { key, certificate } = await makeCertificate('127.0.0.1')
      const [keyFile, certificateFile] = [join(folder, 'server.key'), join(folder, 'server.crt')]
      writeFileSync(keyFile, key)
      writeFileSync(certificateFile, certificate)
      const out = join(folder, 'received')
      const receiver = await startFlumeReceiver({
        dir: join(folder, 'receiver'),
        port: received,
        out,
        shown: { certificate: certificateFile, key: keyFile },
      })
      ending.push(() => receiver.kill())
      const tls = { certificateFile, keyFile }
      const file = new LocalRuns(folder).fileOf([
        { id: 'events', source: { flume: { port: sent, log: 'none', format: 'raw', tls } }, schema: { n: 'string' } },
        {
          id: 'out',
          from: 'events',
          sink: { flume: { connect: `127.0.0.1:${received}`, tls: { caFile: certificateFile } } },
        },
      ])
      const millrace = startMillrace('run', file)
      ending.push(() => killRun(millrace))
      const events = 2_000
      const sender = await agent({
        dir: join(folder, 'sender'),
        input: { kind: 'sequence', events },
        channel: 'memory',
        port: sent,
        batchSize: 100,
        compression: 'none',
        trusted: certificateFile,
      })
      const rows = (): string[] =>
        linesOf(out)
          .filter((line) => line.endsWith('}'))
          .map((line) => (JSON.parse(line) as { n: string }).n)
      await waitFor(
        'the agent has written every row',
        PATIENCE_MS,
        async () => rows().length >= events,
        () => `${millrace.stderr()}\n${sender.log()}\n${receiver.log()}`,
      )
      expect([...new Set(rows())].sort()).toEqual(Array.from({ length: events }, (_, n) => String(n)).sort())
    },
    LONG_MS,
  )
})
