import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type NatsBed, natsBedMissing, startNats } from '../harness/beds/nats-bed.ts'
import { pythonBedMissing, runPython } from '../harness/beds/python-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { hasCheckpoint, killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { startMillrace, type StartedMillrace } from '../harness/processes.ts'
import { ROOT } from '../harness/source-files.ts'

const why = natsBedMissing() ?? pythonBedMissing()
const PATIENCE_MS = 60_000
const LONG_MS = 300_000
const SCHEMA = { n: 'long', t: 'string' }
const MAX_PAYLOAD = 500_000
const SHORT_WINDOW_NS = 1_000_000_000

interface Read {
  readonly subject: string
  readonly sequence: number
  readonly headers: Readonly<Record<string, string>>
  readonly value: string
}

describe.skipIf(why !== undefined)(`a real NATS${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-nats-'))
  let nats: NatsBed
  const runs = new LocalRuns(dir)
  const started: StartedMillrace[] = []

  beforeAll(async () => {
    nats = await startNats({ dir: join(dir, 'nats'), configuration: `max_payload: ${MAX_PAYLOAD}` })
  }, PATIENCE_MS)

  afterAll(async () => {
    for (const run of started) await killRun(run)
    await nats?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  function start(file: string, ...options: string[]): StartedMillrace {
    const run = startMillrace('run', file, ...options)
    started.push(run)
    return run
  }

  /** NATS's own client for Python. */
  async function use(what: string, stream: string, ...more: readonly (string | number)[]): Promise<unknown[]> {
    return runPython('use_nats.py', [`nats://${nats.address}`, what, stream, ...more.map(String)])
  }

  async function createStream(name: string, more: object = {}): Promise<string> {
    await use('create', name, JSON.stringify({ subjects: [`${name}.>`], ...more }))
    return name
  }

  async function lastOf(stream: string): Promise<number> {
    return ((await use('info', stream)) as { last: number }[])[0]?.last ?? 0
  }

  function source(stream: string, more: object = {}): object {
    return { nats: { servers: nats.address, stream, ...more } }
  }

  function copying(stream: string, out: string, more: object = {}): readonly object[] {
    return [
      { id: 'in', source: source(stream, more), schema: SCHEMA },
      { id: 'out', from: 'in', sink: { file: { path: out } } },
    ]
  }

  function numbersIn(lines: readonly string[]): number[] {
    return lines.map((line) => (JSON.parse(line) as { n: number }).n).sort((a, b) => a - b)
  }

  function upTo(count: number): number[] {
    return Array.from({ length: count }, (_, n) => n)
  }

  test(
    'messages are read with subject, stream, sequence, time and headers as another client wrote them',
    async () => {
      const stream = await createStream('places')
      const before = Date.now()
      await use('write', stream, 0, 3000)
      const metadata = { subject: 'at', stream: 'from', sequence: 's', timestamp: 'stored', headers: { Half: 'half' } }
      const out = join(dir, 'places')
      const { code, stderr } = await runs.run([
        {
          id: 'in',
          source: source(stream, { bounded: true, metadata }),
          schema: { ...SCHEMA, at: 'string', from: 'string', s: 'bigint', stored: 'timestamp', half: 'string?' },
        },
        { id: 'out', from: 'in', sink: { file: { path: out } } },
      ])
      expect(code, stderr).toBe(0)
      const rows = linesOf(out).map((line) => JSON.parse(line) as Record<string, unknown>)
      const stored = (await use('read', stream)) as Read[]
      expect(rows.map(({ at, from, s, half, n, t }) => [at, from, String(s), half, n, t])).toEqual(
        stored.map(({ subject, sequence, headers, value }) => {
          const { n, t } = JSON.parse(value) as { n: number; t: string }
          return [subject, stream, String(sequence), headers['Half'], n, t]
        }),
      )
      expect(rows).toHaveLength(3000)
      for (const row of rows) {
        expect(Date.parse(String(row['stored']))).toBeGreaterThanOrEqual(before)
        expect(Date.parse(String(row['stored']))).toBeLessThanOrEqual(Date.now())
      }
    },
    LONG_MS,
  )

  test(
    'when the job is killed twice and the server once, each message of a stream is read once and in order',
    async () => {
      const messages = 150_000
      const stream = await createStream('killed')
      await use('write', stream, 0, messages / 3)
      const out = join(dir, 'killed')
      const file = runs.fileOf(copying(stream, out))
      let run = start(file)
      await waitFor('rows are committed', PATIENCE_MS, async () => linesOf(out).length > 0, run.stderr)
      await killRun(run)
      run = start(file, '--resume', runIdOf(run))
      const before = linesOf(out).length
      const later = use('write', stream, messages / 3, messages / 3)
      await waitFor('more rows are committed', PATIENCE_MS, async () => linesOf(out).length > before, run.stderr)
      await later
      await nats.kill()
      await nats.start()
      await use('write', stream, (2 * messages) / 3, messages / 3)
      await killRun(run)
      run = start(file, '--resume', runIdOf(run))
      await waitFor('all rows are committed', LONG_MS, async () => linesOf(out).length >= messages, run.stderr)
      await killRun(run)
      // the last kill of the server may have cost other clients messages that it had not acknowledged
      const stored = ((await use('read', stream)) as Read[]).map(({ value }) => value)
      expect(numbersIn(linesOf(out))).toEqual(numbersIn(stored))
      expect(numbersIn(stored)).toEqual(upTo(messages))
    },
    LONG_MS,
  )

  test(
    'a server that is killed while it is read is reported in time, and read when it is back',
    async () => {
      const stream = await createStream('away')
      await use('write', stream, 0, 1000)
      const out = join(dir, 'away')
      const run = start(runs.fileOf(copying(stream, out)))
      await waitFor('rows are committed', PATIENCE_MS, async () => linesOf(out).length === 1000, run.stderr)
      await nats.kill()
      const killed = Date.now()
      await waitFor('it says so', PATIENCE_MS, async () => run.stderr().includes('NATS_UNREACHABLE'), run.stderr)
      expect(Date.now() - killed).toBeLessThan(15_000)
      await nats.start()
      await use('write', stream, 1000, 1000)
      await waitFor('the rest is read', PATIENCE_MS, async () => linesOf(out).length >= 2000, run.stderr)
      await killRun(run)
      expect(numbersIn(linesOf(out))).toEqual(upTo(2000))
    },
    LONG_MS,
  )

  test(
    'a stream that was deleted and made again is not read in place of the one before',
    async () => {
      const stream = await createStream('again')
      await use('write', stream, 0, 100)
      const out = join(dir, 'again')
      const run = start(runs.fileOf(copying(stream, out)))
      await waitFor('rows are committed', PATIENCE_MS, async () => linesOf(out).length === 100, run.stderr)
      await use('delete', stream)
      await createStream('again')
      await use('write', stream, 0, 200)
      await waitFor('it says so', PATIENCE_MS, async () => run.stderr().includes('NATS_STREAM_REPLACED'), run.stderr)
      await killRun(run)
      expect(linesOf(out)).toHaveLength(100)
    },
    LONG_MS,
  )

  test(
    'messages that were removed while the job was away end the reading, and those read already may go',
    async () => {
      const stream = await createStream('removed')
      await use('write', stream, 0, 100)
      const out = join(dir, 'removed')
      const file = runs.fileOf(copying(stream, out))
      let run = start(file)
      await waitFor('rows are committed', PATIENCE_MS, async () => linesOf(out).length === 100, run.stderr)
      await use('purge', stream, 100)
      await use('write', stream, 100, 100)
      await waitFor('more rows are committed', PATIENCE_MS, async () => linesOf(out).length === 200, run.stderr)
      await killRun(run)
      await use('write', stream, 200, 100)
      await use('purge', stream, 250)
      run = start(file, '--resume', runIdOf(run))
      await waitFor('it says so', PATIENCE_MS, async () => run.stderr().includes('NATS_MESSAGES_REMOVED'), run.stderr)
      await killRun(run)
      expect(run.stderr()).toContain('the stream removed no longer has sequence 201; it holds 251 to 300')
      expect(linesOf(out)).toHaveLength(200)
    },
    LONG_MS,
  )

  test.each([
    ['earliest', 'earliest', 0],
    ['the time between two writes', 'between', 200],
    ['a time to come', 'future', 300],
  ])(
    'a source that starts from %s reads what was stored then',
    async (_what, from, first) => {
      const stream = await createStream(`from-${from}`)
      await use('write', stream, 0, 200)
      const between = Date.now()
      await use('write', stream, 200, 100)
      const startFrom = { earliest: 'earliest', between, future: Date.now() + 3_600_000 }[from]
      const out = join(dir, stream)
      const { code, stderr } = await runs.run(copying(stream, out, { bounded: true, startFrom }))
      expect(code, stderr).toBe(0)
      expect(numbersIn(linesOf(out))).toEqual(upTo(300).slice(first))
    },
    LONG_MS,
  )

  test.each([
    ['one subject', 'one', ['few.1'], (n: number) => n % 3 === 1],
    ['two subjects', 'two', ['few.0', 'few.2'], (n: number) => n % 3 !== 1],
    ['no subject that there is', 'none', ['few.none'], () => false],
  ])(
    'a source of %s reads these messages only, and ends where the stream did',
    async (_what, name, subjects, isWanted) => {
      if (name === 'one') await use('write', await createStream('few'), 0, 301)
      const out = join(dir, `few-${name}`)
      const { code, stderr } = await runs.run(copying('few', out, { bounded: true, subjects }))
      expect(code, stderr).toBe(0)
      expect(numbersIn(linesOf(out))).toEqual(upTo(301).filter(isWanted))
    },
    LONG_MS,
  )

  test(
    'a source that starts from the latest message reads what is stored later',
    async () => {
      const stream = await createStream('latest')
      await use('write', stream, 0, 100)
      const out = join(dir, 'latest')
      const file = runs.fileOf(copying(stream, out, { startFrom: 'latest' }))
      const run = start(file)
      await waitFor('it runs', PATIENCE_MS, async () => hasCheckpoint(file), run.stderr)
      await use('write', stream, 100, 100)
      await waitFor('all is read', PATIENCE_MS, async () => linesOf(out).length >= 100, run.stderr)
      await killRun(run)
      expect(numbersIn(linesOf(out))).toEqual(upTo(200).slice(100))
    },
    LONG_MS,
  )

  function input(rows: number): object {
    const path = join(dir, `input-${rows}.jsonl`)
    const lines = upTo(rows).map((n) => JSON.stringify({ n, half: String(Math.floor(n / 2)), to: n % 3 }))
    writeFileSync(path, `${lines.join('\n')}\n`)
    return {
      id: 'in',
      source: { file: { paths: path, format: 'json' } },
      schema: { n: 'long', half: 'string', to: 'long' },
    }
  }

  function sinkOf(stream: string, more: object): readonly object[] {
    return [
      { id: 'to', from: 'in', map: { n: 'n', half: 'half', to: `\`${stream}.\${to}\`` } },
      {
        id: 'out',
        from: 'to',
        sink: { nats: { servers: nats.address, stream, subjectField: 'to', headers: { Half: 'half' }, ...more } },
      },
    ]
  }

  test.each([
    ['effectively once', 'once', 'effectivelyOnce', {}],
    [
      'effectively once, with a duplicate window of a second',
      'short',
      'effectivelyOnce',
      { duplicate_window: SHORT_WINDOW_NS },
    ],
    ['at least once', 'least', 'atLeastOnce', {}],
  ])(
    'when the job is killed twice and the server once, rows are written %s',
    async (_what, name, delivery, settings) => {
      const rows = 100_000
      const stream = await createStream(name, settings)
      const files = delivery === 'effectivelyOnce' ? { files: join(dir, `waiting-${name}`) } : {}
      const file = runs.fileOf([input(rows), ...sinkOf(stream, { delivery, ...files })], 2)
      let run = start(file)
      for (let kill = 0; kill < 2; kill++) {
        const before = kill === 0 ? 0 : await lastOf(stream)
        await waitFor('messages are stored', PATIENCE_MS, async () => (await lastOf(stream)) > before, run.stderr)
        await killRun(run)
        // longer than the short window
        const resumesAt = Date.now() + 2000
        await waitFor('the window is over', PATIENCE_MS, async () => Date.now() > resumesAt)
        run = start(file, '--resume', runIdOf(run))
      }
      await nats.kill()
      await nats.start()
      const { code, stderr } = await run.ended
      expect(code, stderr).toBe(0)
      const found = (await use('read', stream)) as Read[]
      const numbers = numbersIn(found.map(({ value }) => value))
      expect(delivery === 'effectivelyOnce' ? numbers : [...new Set(numbers)]).toEqual(upTo(rows))
      for (const { value, subject, headers } of found) {
        const { n } = JSON.parse(value) as { n: number }
        expect([value, subject, headers['Half']]).toEqual([
          `{"n":${n}}`,
          `${stream}.${n % 3}`,
          String(Math.floor(n / 2)),
        ])
      }
    },
    LONG_MS,
  )

  test(
    'the example of the tour keeps the large sales',
    async () => {
      await createStream('sales')
      await createStream('large_sales')
      const rows = ['99.99', '100.00', '1234567.89'].map((price, n) => ({ item: `item ${n}`, price, shop: 'ü' }))
      const written = await runs.run([
        { id: 'in', source: { values: rows }, schema: { item: 'string', price: 'decimal(9,2)', shop: 'string' } },
        {
          id: 'out',
          from: 'in',
          sink: { nats: { servers: nats.address, stream: 'sales', subject: 'sales.web', headers: { Shop: 'shop' } } },
        },
      ])
      expect(written.code, written.stderr).toBe(0)
      const file = join(dir, 'tour.yaml')
      const example = readFileSync(join(ROOT, 'examples/tour/nats.yaml'), 'utf8')
      writeFileSync(file, example.replaceAll('nats:4222', nats.address))
      const { code, stderr } = await startMillrace('run', file, '--in-process').ended
      expect(code, stderr).toBe(0)
      expect(
        ((await use('read', 'large_sales')) as Read[]).map(({ headers, value }) => [headers['Shop'], value]),
      ).toEqual([
        ['ü', '{"item":"item 1","price":"100.00"}'],
        ['ü', '{"item":"item 2","price":"1234567.89"}'],
      ])
      const doctor = await startMillrace('doctor', file).ended
      expect(doctor.stdout, doctor.stderr).toContain('stream large_sales of the subjects large_sales.>')
    },
    LONG_MS,
  )

  test.each([
    ['a stream that does not exist', () => ({ stream: 'missing' }), 'stream not found'],
    ['a port where nobody listens', () => ({ servers: '127.0.0.1:1' }), 'connection refused'],
    ['TLS to a port without', () => ({ tls: true }), 'NATS_UNREACHABLE'],
  ])(
    'a source and a sink with %s say so within 15 s',
    async (_what, wrong, words) => {
      const options = { servers: nats.address, stream: 'places', ...wrong() }
      for (const graph of [
        [
          { id: 'in', source: { nats: options }, schema: SCHEMA },
          { id: 'out', from: 'in', sink: 'console' },
        ],
        [
          { id: 'in', source: { values: [{ n: 1 }] }, schema: { n: 'long' } },
          { id: 'out', from: 'in', sink: { nats: { ...options, subject: 'places.x' } } },
        ],
      ]) {
        const run = start(runs.fileOf(graph))
        const startedAt = Date.now()
        await waitFor('it says so', PATIENCE_MS, async () => run.stderr().includes(words), run.stderr)
        expect(Date.now() - startedAt).toBeLessThan(15_000)
        await killRun(run)
      }
    },
    LONG_MS,
  )

  test.each([
    ['longer than the servers take', 'x'.repeat(MAX_PAYLOAD), 'VALUE_INVALID'],
    ['as long as the servers take', 'x'.repeat(MAX_PAYLOAD - 600), undefined],
  ])(
    'a row that is %s is told by its own error, or stored',
    async (_what, t, code) => {
      const stream = await createStream(code === undefined ? 'taken' : 'refused')
      const run = start(
        runs.fileOf([
          { id: 'in', source: { values: [{ t }] }, schema: { t: 'string' } },
          { id: 'out', from: 'in', sink: { nats: { servers: nats.address, stream, subject: `${stream}.x` } } },
        ]),
      )
      if (code === undefined) {
        const ended = await run.ended
        expect(ended.code, ended.stderr).toBe(0)
        expect(await lastOf(stream)).toBe(1)
      } else {
        await waitFor('it says so', PATIENCE_MS, async () => run.stderr().includes(code), run.stderr)
        await killRun(run)
        expect(await lastOf(stream)).toBe(0)
      }
    },
    LONG_MS,
  )
})
