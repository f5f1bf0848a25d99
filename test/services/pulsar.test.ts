import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PulsarBed, pulsarBedMissing, startPulsar } from '../harness/beds/pulsar-bed.ts'
import { pythonBedMissing, runPython } from '../harness/beds/python-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { hasCheckpoint, killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { startMillrace, type StartedMillrace } from '../harness/processes.ts'
import { ROOT } from '../harness/source-files.ts'

const why = pulsarBedMissing() ?? pythonBedMissing()
const PATIENCE_MS = 60_000
const LONG_MS = 300_000
const CODECS = ['NONE', 'LZ4', 'ZLib', 'ZSTD', 'SNAPPY']
const SCHEMA = { n: 'long', t: 'string' }

interface Read {
  readonly topic: string
  readonly value: string
  readonly key: string
  readonly properties: Readonly<Record<string, string>>
  readonly eventTime: number
}

describe.skipIf(why !== undefined)(`a real Pulsar${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-pulsar-'))
  let pulsar: PulsarBed
  const runs = new LocalRuns(dir)
  const started: StartedMillrace[] = []

  beforeAll(async () => {
    pulsar = await startPulsar({ dir: join(dir, 'pulsar'), deduplication: 'on' })
  }, PATIENCE_MS)

  afterAll(async () => {
    for (const run of started) await killRun(run)
    await pulsar?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  function start(file: string, ...options: string[]): StartedMillrace {
    const run = startMillrace('run', file, ...options)
    started.push(run)
    return run
  }

  /** Pulsar's own client for Python writes {"n", "t"} with key, property and event time. */
  async function produce(topic: string, first: number, count: number, codec = 'NONE'): Promise<void> {
    await runPython('write_pulsar.py', [pulsar.serviceUrl, topic, String(first), String(count), codec])
  }

  async function readAll(topic: string): Promise<Read[]> {
    return (await runPython('read_pulsar.py', [pulsar.serviceUrl, topic])) as Read[]
  }

  function source(topic: string, more: object = {}): object {
    return { pulsar: { serviceUrl: pulsar.serviceUrl, topic, ...more } }
  }

  function numbersIn(lines: readonly string[]): number[] {
    return lines.map((line) => (JSON.parse(line) as { n: number }).n).sort((a, b) => a - b)
  }

  function upTo(count: number): number[] {
    return Array.from({ length: count }, (_, n) => n)
  }

  test(
    'messages of every codec are read with key, properties, times, topic and id as their producer wrote them',
    async () => {
      const topic = await pulsar.createTopic('codecs', 2)
      for (const [index, codec] of CODECS.entries()) await produce(topic, index * 1000, 1000, codec)
      const metadata = {
        key: 'k',
        eventTime: 'at',
        publishTime: 'published',
        topic: 'from',
        messageId: 'id',
        properties: { half: 'half', none: 'none' },
      }
      const out = join(dir, 'codecs')
      const { code, stderr } = await runs.run([
        {
          id: 'in',
          source: source(topic, { bounded: true, metadata }),
          schema: {
            ...SCHEMA,
            k: 'string',
            at: 'timestamp',
            published: 'timestamp',
            from: 'string',
            id: 'string',
            half: 'string',
            none: 'string?',
          },
        },
        { id: 'out', from: 'in', sink: { file: { path: out } } },
      ])
      expect(code, stderr).toBe(0)
      const rows = linesOf(out).map((line) => JSON.parse(line) as Record<string, unknown>)
      expect(rows).toHaveLength(5000)
      const byNumber = new Map(rows.map((row) => [row['n'], row]))
      for (const n of upTo(5000))
        expect(byNumber.get(n)).toMatchObject({
          t: `text ${n}`,
          k: `key ${n % 7}`,
          at: new Date(1_700_000_000_000 + n).toISOString(),
          half: String(Math.floor(n / 2)),
          none: null,
        })
      expect(new Set(rows.map((row) => row['from']))).toEqual(new Set([`${topic}-partition-0`, `${topic}-partition-1`]))
      expect(new Set(rows.map((row) => `${String(row['from'])} ${String(row['id'])}`)).size).toBe(5000)
    },
    LONG_MS,
  )

  test(
    'when the job is killed twice and the broker once, each message of three partitions is read once',
    async () => {
      const messages = 150_000
      const topic = await pulsar.createTopic('killed', 3)
      await produce(topic, 0, messages / 3, 'ZSTD')
      const out = join(dir, 'killed')
      const file = runs.fileOf(
        [
          { id: 'in', source: source(topic), schema: SCHEMA },
          { id: 'out', from: 'in', sink: { file: { path: out } } },
        ],
        2,
      )
      let run = start(file)
      await waitFor('rows are committed', PATIENCE_MS, async () => linesOf(out).length > 0, run.stderr)
      await killRun(run)
      run = start(file, '--resume', runIdOf(run))
      const later = produce(topic, messages / 3, (2 * messages) / 3, 'LZ4')
      const before = linesOf(out).length
      await waitFor('more rows are committed', PATIENCE_MS, async () => linesOf(out).length > before, run.stderr)
      await later
      await pulsar.kill()
      await pulsar.launch()
      const known = linesOf(out).length
      await killRun(run)
      run = start(file, '--resume', runIdOf(run))
      await waitFor('all rows are committed', LONG_MS, async () => linesOf(out).length >= messages, run.stderr)
      expect(known).toBeLessThanOrEqual(messages)
      expect(numbersIn(linesOf(out))).toEqual(upTo(messages))
      await killRun(run)
    },
    LONG_MS,
  )

  test(
    'the durable subscription keeps what no checkpoint covers, and lets go of the rest',
    async () => {
      const topic = await pulsar.createTopic('kept', 0)
      await produce(topic, 0, 5000)
      const out = join(dir, 'kept')
      const file = runs.fileOf([
        { id: 'in', source: source(topic, { subscription: 'keeps' }), schema: SCHEMA },
        { id: 'out', from: 'in', sink: { file: { path: out } } },
      ])
      const run = start(file)
      const backlog = async (): Promise<number | undefined> => {
        const stats = JSON.parse(await pulsar.admin('GET', 'persistent/public/default/kept/stats')) as {
          subscriptions: Record<string, { msgBacklog: number }>
        }
        return stats.subscriptions['keeps']?.msgBacklog
      }
      await waitFor('all rows are committed', PATIENCE_MS, async () => linesOf(out).length === 5000, run.stderr)
      // one entry is kept: reading goes on behind it
      await waitFor('one entry is left', PATIENCE_MS, async () => (await backlog()) === 1)
      await killRun(run)
      await produce(topic, 5000, 1000)
      expect(await backlog()).toBeGreaterThan(1)
      const again = start(file, '--resume', runIdOf(run))
      await waitFor('the rest is read', PATIENCE_MS, async () => linesOf(out).length >= 6000, again.stderr)
      await killRun(again)
      expect(numbersIn(linesOf(out))).toEqual(upTo(6000))
    },
    LONG_MS,
  )

  test(
    'when a topic was created again, a source that has read of the old one fails and says where it was',
    async () => {
      const topic = await pulsar.createTopic('again', 0)
      await produce(topic, 0, 100)
      const out = join(dir, 'again')
      const file = runs.fileOf([
        { id: 'in', source: source(topic), schema: SCHEMA },
        { id: 'out', from: 'in', sink: { file: { path: out } } },
      ])
      const run = start(file)
      await waitFor('rows are committed', PATIENCE_MS, async () => linesOf(out).length === 100, run.stderr)
      await killRun(run)
      await pulsar.admin('DELETE', 'persistent/public/default/again?force=true')
      await pulsar.createTopic('again', 0)
      await produce(topic, 0, 100)
      const again = start(file, '--resume', runIdOf(run))
      await waitFor(
        'it says so',
        PATIENCE_MS,
        async () => again.stderr().includes('PULSAR_POSITION_REMOVED'),
        again.stderr,
      )
      await killRun(again)
      expect(again.stderr()).toContain(`${topic} of the Pulsar at ${pulsar.serviceUrl} no longer has entry`)
      expect(linesOf(out)).toHaveLength(100)
    },
    LONG_MS,
  )

  test.each([
    ['earliest', 'earliest', 300],
    ['the time between two batches', 'between', 100],
    ['a time to come', 'future', 0],
  ])(
    'a source that starts from %s reads what was published then',
    async (_what, from, count) => {
      const name = `from-${from}`
      const topic = await pulsar.createTopic(name, 2)
      await produce(topic, 0, 200)
      const times = (await readAll(topic)).length
      expect(times).toBe(200)
      await waitFor('the clock goes on', PATIENCE_MS, later(50))
      const between = Date.now()
      await produce(topic, 200, 100)
      // Pulsar counts in seconds how far back it starts
      if (from === 'future') await waitFor('all messages are old', PATIENCE_MS, later(2_000))
      const startFrom = { earliest: 'earliest', between, future: Date.now() + 3_600_000 }[from]
      const out = join(dir, name)
      const { code, stderr } = await runs.run([
        { id: 'in', source: source(topic, { bounded: true, startFrom }), schema: SCHEMA },
        { id: 'out', from: 'in', sink: { file: { path: out } } },
      ])
      expect(code, stderr).toBe(0)
      expect(numbersIn(linesOf(out))).toEqual(upTo(300).slice(300 - count))
    },
    LONG_MS,
  )

  test(
    'a source that starts from the latest message reads what is published later, also in a partition that is added',
    async () => {
      const topic = await pulsar.createTopic('latest', 1)
      await produce(topic, 0, 100)
      const out = join(dir, 'latest')
      const file = runs.fileOf([
        { id: 'in', source: source(topic, { startFrom: 'latest', partitionDiscovery: '200ms' }), schema: SCHEMA },
        { id: 'out', from: 'in', sink: { file: { path: out } } },
      ])
      const run = start(file)
      await waitFor('it runs', PATIENCE_MS, async () => hasCheckpoint(file), run.stderr)
      await produce(topic, 100, 100)
      await pulsar.admin('POST', 'persistent/public/default/latest/partitions', 3)
      await produce(topic, 200, 300)
      await waitFor('all is read', PATIENCE_MS, async () => linesOf(out).length >= 400, run.stderr)
      await killRun(run)
      expect(numbersIn(linesOf(out))).toEqual(upTo(500).slice(100))
    },
    LONG_MS,
  )

  function input(rows: number): object {
    const path = join(dir, `input-${rows}.jsonl`)
    const lines = upTo(rows).map((n) =>
      JSON.stringify({ n, k: `key ${n % 7}`, half: String(Math.floor(n / 2)), at: n + 1 }),
    )
    writeFileSync(path, `${lines.join('\n')}\n`)
    return {
      id: 'in',
      source: { file: { paths: path, format: 'json' } },
      schema: { n: 'long', k: 'string', half: 'string', at: 'timestamp' },
    }
  }

  function sink(topic: string, more: object): object {
    const fields = { key: 'k', properties: { half: 'half' }, eventTime: 'at' }
    return { id: 'out', from: 'in', sink: { pulsar: { serviceUrl: pulsar.serviceUrl, topic, ...fields, ...more } } }
  }

  test.each([
    ['effectively once', 'effectivelyOnce', 'none'],
    ['at least once', 'atLeastOnce', 'zstd'],
  ])(
    'when the job is killed twice and the broker once, rows are written %s',
    async (_what, delivery, compression) => {
      const rows = 200_000
      const topic = await pulsar.createTopic(delivery, 3)
      const files = delivery === 'effectivelyOnce' ? { files: join(dir, 'waiting') } : {}
      const file = runs.fileOf([input(rows), sink(topic, { delivery, compression, ...files })], 2)
      let run = start(file)
      for (let kill = 0; kill < 2; kill++) {
        const before = kill === 0 ? 0 : await countOf(delivery)
        await waitFor('messages are stored', PATIENCE_MS, async () => (await countOf(delivery)) > before, run.stderr)
        await killRun(run)
        run = start(file, '--resume', runIdOf(run))
      }
      await pulsar.kill()
      await pulsar.launch()
      const { code, stderr } = await run.ended
      expect(code, stderr).toBe(0)
      const found = await readAll(topic)
      const numbers = numbersIn(found.map(({ value }) => value))
      expect(delivery === 'effectivelyOnce' ? numbers : [...new Set(numbers)]).toEqual(upTo(rows))
      for (const { value, key, properties, eventTime } of found) {
        const { n } = JSON.parse(value) as { n: number }
        expect([value, key, properties['half'], eventTime]).toEqual([
          `{"n":${n},"k":"key ${n % 7}"}`,
          `key ${n % 7}`,
          String(Math.floor(n / 2)),
          n + 1,
        ])
      }
    },
    LONG_MS,
  )

  /** Entries that were added to the topic since the broker was started. */
  async function countOf(name: string): Promise<number> {
    const stats = JSON.parse(await pulsar.admin('GET', `persistent/public/default/${name}/partitioned-stats`)) as {
      msgInCounter: number
    }
    return stats.msgInCounter
  }

  test.each([
    ['javaStringHash', 'JavaStringHash'],
    ['murmur3', 'Murmur3_32Hash'],
  ] as const)(
    'keys go to the partitions to which the client for Java sends them with %s',
    async (hashing, theirs) => {
      const keys = ['', 'a', 'key 1', 'ß', '日本語', '🦆 duck', 'x'.repeat(1000), '0123456789']
      const [ours, other] = [
        await pulsar.createTopic(`ours-${hashing}`, 7),
        await pulsar.createTopic(`theirs-${hashing}`, 7),
      ]
      await pulsar.writeKeys(other, theirs, keys)
      const { code, stderr } = await runs.run([
        { id: 'in', source: { values: keys.map((k) => ({ k })) }, schema: { k: 'string' } },
        { id: 'out', from: 'in', sink: { pulsar: { serviceUrl: pulsar.serviceUrl, topic: ours, key: 'k', hashing } } },
      ])
      expect(code, stderr).toBe(0)
      const placed = async (topic: string): Promise<unknown> =>
        (await readAll(topic)).map(({ topic: at, key }) => [key, at.slice(topic.length)]).sort()
      expect(await placed(ours)).toEqual(await placed(other))
    },
    LONG_MS,
  )

  test(
    'the example of the tour keeps the large sales',
    async () => {
      const [sales, large] = [await pulsar.createTopic('sales', 2), await pulsar.createTopic('large_sales', 0)]
      const rows = ['99.99', '100.00', '1234567.89'].map((price, n) => ({ item: `item ${n}`, price, shop: 'ü' }))
      const written = await runs.run([
        { id: 'in', source: { values: rows }, schema: { item: 'string', price: 'decimal(9,2)', shop: 'string' } },
        { id: 'out', from: 'in', sink: { pulsar: { serviceUrl: pulsar.serviceUrl, topic: sales, key: 'shop' } } },
      ])
      expect(written.code, written.stderr).toBe(0)
      const file = join(dir, 'tour.yaml')
      const example = readFileSync(join(ROOT, 'examples/tour/pulsar.yaml'), 'utf8')
      writeFileSync(file, example.replaceAll('pulsar://pulsar:6650', pulsar.serviceUrl))
      const { code, stderr } = await startMillrace('run', file, '--in-process').ended
      expect(code, stderr).toBe(0)
      expect((await readAll(large)).map(({ key, value }) => [key, value]).sort()).toEqual([
        ['ü', '{"item":"item 1","price":"100.00","shop":"ü"}'],
        ['ü', '{"item":"item 2","price":"1234567.89","shop":"ü"}'],
      ])
      const doctor = await startMillrace('doctor', file).ended
      expect(doctor.stdout, doctor.stderr).toContain(`topic ${large} with no partitions`)
    },
    LONG_MS,
  )

  test(
    'a namespace that does not deduplicate is refused where rows are to be written effectively once',
    async () => {
      await pulsar.admin('PUT', 'namespaces/public/doubles')
      await pulsar.admin('POST', 'namespaces/public/doubles/deduplication', false)
      await pulsar.admin('PUT', 'persistent/public/doubles/rows')
      const sinkOf = { delivery: 'effectivelyOnce', files: join(dir, 'doubles') }
      const run = start(runs.fileOf([input(10), sink('public/doubles/rows', sinkOf)]))
      await waitFor('it says so', PATIENCE_MS, async () => run.stderr().includes('PULSAR_NO_DEDUPLICATION'), run.stderr)
      await killRun(run)
    },
    LONG_MS,
  )

  test.each([
    ['a topic that does not exist', () => ({ topic: 'missing' }), 'TopicNotFound'],
    ['the port of HTTP', () => ({ serviceUrl: pulsar.webUrl.replace('http', 'pulsar') }), 'PULSAR_PROTOCOL'],
    ['a port where nobody listens', () => ({ serviceUrl: 'pulsar://127.0.0.1:1' }), 'PULSAR_UNREACHABLE'],
    [
      'TLS to a port without',
      () => ({ serviceUrl: pulsar.serviceUrl.replace('pulsar', 'pulsar+ssl') }),
      'PULSAR_UNREACHABLE',
    ],
  ])(
    'a source and a sink with %s say so',
    async (_what, wrong, words) => {
      const options = { serviceUrl: pulsar.serviceUrl, topic: 'missing', ...wrong() }
      for (const graph of [
        [
          { id: 'in', source: { pulsar: options }, schema: SCHEMA },
          { id: 'out', from: 'in', sink: 'console' },
        ],
        [
          { id: 'in', source: { values: [{ n: 1 }] }, schema: { n: 'long' } },
          { id: 'out', from: 'in', sink: { pulsar: options } },
        ],
      ]) {
        const run = start(runs.fileOf(graph))
        await waitFor('it says so', PATIENCE_MS, async () => run.stderr().includes(words), run.stderr)
        await killRun(run)
      }
    },
    LONG_MS,
  )
})

/** True so many milliseconds after it was made. */
function later(ms: number): () => Promise<boolean> {
  const at = Date.now() + ms
  return async () => Date.now() >= at
}
