import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { doctor } from '../../../cli/doctor.ts'
import { cassandraConnector } from '../../../runtime/connectors/cassandra/connector.ts'
import { declaration as cassandra } from '../../../runtime/connectors/cassandra/declaration.ts'
import { VirtualCassandra } from '../../../runtime/connectors/cassandra/virtual/cluster.ts'
import { connector as console } from '../../../runtime/connectors/console/connector.ts'
import { declaration as consoleDeclaration } from '../../../runtime/connectors/console/declaration.ts'
import { connector as deltaConnector } from '../../../runtime/connectors/delta/connector.ts'
import { declaration as delta } from '../../../runtime/connectors/delta/declaration.ts'
import { Connectors } from '../../../runtime/connectors/registry.ts'
import { connector as httpConnector } from '../../../runtime/connectors/http/connector.ts'
import { declaration as http } from '../../../runtime/connectors/http/declaration.ts'
import { connector as values } from '../../../runtime/connectors/values/connector.ts'
import { declaration as valuesDeclaration } from '../../../runtime/connectors/values/declaration.ts'
import { connectKafka } from '../../../runtime/connectors/kafka/real/client.ts'
import { webhookConnector } from '../../../runtime/connectors/webhook/connector.ts'
import { declaration as webhook } from '../../../runtime/connectors/webhook/declaration.ts'
import { listenWebhook } from '../../../runtime/connectors/webhook/real/server.ts'
import type { HttpAnswer, OutgoingRequest } from '../../../runtime/ports/http-client.ts'
import { MillraceError } from '../../../runtime/model/errors.ts'
import type { Clock } from '../../../runtime/ports/clock.ts'
import { realClock } from '../../../runtime/ports/real/clock.ts'
import type { Store } from '../../../runtime/ports/store.ts'
import { fileEntry } from '../../harness/connector-entries.ts'
import { MemoryStore } from '../../harness/memory-store.ts'
import { jumpingClock } from '../../harness/kafka/jumping-clock.ts'
import { quietPorts } from '../../harness/source-context.ts'

const COLUMNS = [
  { name: 'id', type: { kind: 'bigint' } },
  { name: 'name', type: { kind: 'text' } },
] as const
const TABLE = { hosts: 'virtual:9042', keyspace: 'shop', table: 'orders' }

/** One has a file of the job, one has none, one is away. */
function openStore(url: string): Store {
  const store = new MemoryStore()
  if (url.startsWith('s3:')) void store.put('local/job/run-1/file', new Uint8Array())
  if (!url.startsWith('kudu:')) return store
  const away = new MillraceError('STORE_UNAVAILABLE', 'the checkpoint store does not serve', {
    domain: 'dependency',
    retriable: true,
    cause: new Error('no route to it'),
  })
  return Object.assign(store, { list: () => Promise.reject(away) })
}

describe('millrace doctor', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-doctor-'))
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true })
  })

  async function ask(
    graph: readonly object[],
    output: 'text' | 'json' = 'text',
    checkpoints: object = {},
    {
      answers = () => 200,
      clock = jumpingClock(),
    }: { answers?: (request: OutgoingRequest) => number; clock?: Clock } = {},
  ) {
    const requests: OutgoingRequest[] = []
    const send = (request: OutgoingRequest): Promise<HttpAnswer> => {
      requests.push(request)
      return Promise.resolve({ status: answers(request), body: '' })
    }
    const kept = new VirtualCassandra(COLUMNS, { partitionKey: ['id'], clusteringKey: [] })
    const connectors = new Connectors([
      { declaration: cassandra, load: async () => ({ connector: cassandraConnector(() => kept.connect()) }) },
      { declaration: consoleDeclaration, load: async () => ({ connector: console }) },
      { declaration: http, load: async () => ({ connector: httpConnector }) },
      { declaration: valuesDeclaration, load: async () => ({ connector: values }) },
      { declaration: webhook, load: async () => ({ connector: webhookConnector(listenWebhook, connectKafka) }) },
      { declaration: delta, load: async () => ({ connector: deltaConnector }) },
      fileEntry,
    ])
    const file = join(dir, 'job.yaml')
    const job = {
      apiVersion: 'millrace.dev/v1alpha1',
      kind: 'StreamJob',
      metadata: { name: 'job' },
      spec: { graph, checkpoints },
    }
    writeFileSync(file, JSON.stringify(job))
    let out = ''
    let err = ''
    const io = { out: (text: string) => (out += text), err: (text: string) => (err += text) }
    const code = await doctor(
      file,
      { output, connectors, ports: { ...quietPorts(), clock, openStore, httpClient: { send } } },
      io as Parameters<typeof doctor>[2],
    )
    return { code, out, err, requests, statements: kept.statements }
  }

  const rows = { id: 'rows', source: { values: [{ id: 1 }] }, schema: { id: 'long' } }

  test('when all systems answer, says what it found, writes nothing and ends with 0', async () => {
    const { code, out, statements } = await ask([
      rows,
      { id: 'named', from: 'rows', join: { lookup: { cassandra: TABLE, key: 'id', output: { name: 'string?' } } } },
      { id: 'out', from: 'named', sink: { cassandra: TABLE } },
      { id: 'shown', from: 'named', sink: 'console' },
    ])
    expect(out).toBe(
      [
        '✓ rows: source values: 1 split',
        '✓ named: table of cassandra: found by id',
        '✓ out: sink cassandra: 2 of 2 columns of shop.orders',
        '– shown: sink console: its connector cannot be asked\n',
      ].join('\n'),
    )
    expect(code).toBe(0)
    expect(statements).toEqual([])
  })

  test('when the job names a store, says what it finds there, or why it cannot be used', async () => {
    const shown = { id: 'shown', from: 'rows', sink: 'console' }
    const kept = await ask([rows, shown], 'text', { store: 's3://bucket/jobs' })
    expect(kept.out).toContain('✓ checkpoints: store s3: 1 file of this job')
    const fresh = await ask([rows, shown], 'text', { store: 'hdfs://namenode:9870/jobs' })
    expect(fresh.out).toContain('✓ checkpoints: store hdfs: no state of this job')
    const away = await ask([rows, shown], 'text', { store: 'kudu://master/jobs' })
    expect([away.code, away.out]).toEqual([
      1,
      expect.stringContaining(
        '✗ checkpoints: store kudu: STORE_UNAVAILABLE the checkpoint store does not serve: no route',
      ),
    ])
  })

  test('when a table is not there or a column does not fit, names the operator, code and reason, and ends with 1', async () => {
    const { code, out } = await ask([
      rows,
      { id: 'named', from: 'rows', join: { lookup: { cassandra: TABLE, key: 'id', output: { nam: 'string?' } } } },
      { id: 'out', from: 'named', sink: { cassandra: { ...TABLE, table: 'nowhere' } } },
    ])
    expect(code).toBe(1)
    expect(out).toContain(
      '✗ named: table of cassandra: COLUMN_MISSING the Cassandra table shop.orders has no column nam',
    )
    expect(out).toContain('✗ out: sink cassandra: CASSANDRA_TABLE_UNKNOWN no table shop.nowhere')
  })

  test('a source that waits for senders asks nobody, which is said', async () => {
    const { code, out } = await ask([
      { id: 'pushed', source: { webhook: { port: 8088, log: { path: 'log' } } }, schema: { id: 'long' } },
      { id: 'shown', from: 'pushed', sink: 'console' },
    ])
    expect(out).toContain('– pushed: source webhook: its connector cannot be asked')
    expect(code).toBe(0)
  })

  const polled = {
    id: 'polled',
    source: { http: { url: 'http://rows.test/all', every: '1s' } },
    schema: { id: 'long' },
  }
  const posted = { id: 'posted', from: 'polled', sink: { http: { url: 'http://rows.test/in' } } }

  test('services over HTTP are asked with GET, and no row is sent', async () => {
    const { code, out, requests } = await ask(
      [polled, posted],
      'text',
      {},
      {
        answers: ({ url }) => (url.endsWith('/in') ? 405 : 200),
      },
    )
    expect(out).toBe(
      '✓ polled: source http: rows.test answers\n✓ posted: sink http: rows.test answers; no row was sent\n',
    )
    expect(code).toBe(0)
    expect(requests.map(({ method, url }) => `${method} ${url}`).sort()).toEqual([
      'GET http://rows.test/all',
      'GET http://rows.test/in',
    ])
  })

  test.each([
    [401, '✗ polled: source http: HTTP_REFUSED http://rows.test/all answered 401'],
    [404, '✗ polled: source http: HTTP_REFUSED http://rows.test/all answered 404'],
    [403, '✗ posted: sink http: HTTP_REFUSED http://rows.test/in answered 403'],
  ])('a service over HTTP that answers %s is no system that was reached', async (status, wanted) => {
    const { code, out } = await ask([polled, posted], 'text', {}, { answers: () => status })
    expect(out).toContain(wanted)
    expect(code).toBe(1)
  })

  test('folders of files and Delta tables are looked at, and none is made', async () => {
    const graph = [
      rows,
      { id: 'files', from: 'rows', sink: { file: { path: 'out' } } },
      { id: 'table', from: 'rows', sink: { delta: { path: 'table' } } },
    ]
    // the disk has a time of its own
    const { code, out } = await ask(graph, 'text', {}, { clock: realClock })
    expect(out).toContain('✓ files: sink file: there is no such folder; the job makes it\n')
    expect(out).toContain('✓ table: sink delta: there is no table; the job makes it\n')
    expect(code).toBe(0)
    expect(readdirSync(dir)).toEqual(['job.yaml'])
  })

  test('services that are asked per row are named, not asked', async () => {
    const { code, out } = await ask([
      rows,
      {
        id: 'priced',
        from: 'rows',
        asyncMap: { http: { url: 'http://127.0.0.1:9/{id}' }, output: { price: 'double' } },
      },
      { id: 'shown', from: 'priced', sink: 'console' },
    ])
    expect(out).toContain('– priced: a service: what it is asked depends on the rows')
    expect(code).toBe(0)
  })

  test('-o json gives programs the same', async () => {
    const { out } = await ask(
      [rows, { id: 'out', from: 'rows', sink: { cassandra: { ...TABLE, table: 'x' } } }],
      'json',
    )
    expect(JSON.parse(out)).toEqual([
      { operator: 'rows', system: 'source values', outcome: 'reached', message: '1 split' },
      expect.objectContaining({
        operator: 'out',
        outcome: 'failed',
        error: expect.objectContaining({ code: 'CASSANDRA_TABLE_UNKNOWN', retriable: true }) as object,
      }),
    ])
  })

  test('a job with mistakes is not asked about: they are shown, and the exit code is 2', async () => {
    const { code, err, out } = await ask([rows, { id: 'out', from: 'nobody', sink: 'console' }])
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('nobody')
  })
})
