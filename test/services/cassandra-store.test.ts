import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAnyStore } from '../../runtime/builtin-stores.ts'
import type { CassandraClient } from '../../runtime/connectors/cassandra/client.ts'
import { connectCassandra } from '../../runtime/connectors/cassandra/real/client.ts'
import { openCassandraStore } from '../../runtime/connectors/cassandra/store/open-cassandra-store.ts'
import { MillraceError } from '../../runtime/model/errors.ts'
import { realClock } from '../../runtime/ports/real/clock.ts'
import { realRng } from '../../runtime/ports/real/rng.ts'
import { type CassandraBed, cassandraBedMissing, startCassandra } from '../harness/beds/cassandra-bed.ts'
import { rowStoreSuite, type Through } from '../harness/row-store-suite.ts'
import { expectExactThroughKills, expectStoreRefused } from '../harness/stored-job.ts'

const why = cassandraBedMissing()
const START_MS = 300_000
const LONG_MS = 400_000
const LOCATION = { keyspace: 'streams', table: 'state', consistency: 'QUORUM' } as const

describe.skipIf(why !== undefined)(`checkpoints in Cassandra${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-cassandra-store-'))
  const clients: CassandraClient[] = []
  let cassandra: CassandraBed
  let admin: Client
  let opened = 0

  beforeAll(async () => {
    cassandra = await startCassandra({ dir: join(dir, 'cassandra') })
    admin = new Client({ contactPoints: [cassandra.address], localDataCenter: 'datacenter1' })
    await admin.execute(
      "CREATE KEYSPACE streams WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    )
    // as of two processes
    for (let n = 0; n < 2; n++)
      clients.push(
        connectCassandra({ hosts: [cassandra.address], datacenter: 'datacenter1', consistency: LOCATION.consistency }),
      )
  }, START_MS)

  afterAll(async () => {
    for (const client of clients) await client.close()
    await admin?.shutdown()
    await cassandra?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  function client(through: Through): CassandraClient {
    const real = clients[opened++ % clients.length]
    if (real === undefined) throw new Error('Cassandra has not started')
    return {
      ...real,
      openTable: (...table) => real.openTable(...table),
      execute: (one) => through(() => real.execute(one)),
    }
  }

  rowStoreSuite({
    open: (prefix, through = (act) => act()) =>
      openCassandraStore({ ...LOCATION, prefix }, client(through), { clock: realClock, rng: realRng }),
    lost: (reason) => new MillraceError('CASSANDRA_UNREACHABLE', reason, { domain: 'dependency', retriable: true }),
    inlineBytes: 16_000,
    partBytes: 512 * 1024,
    listed: 10_000,
  })

  test('the table is the one of the documentation', async () => {
    await openAnyStore(`cassandra://${cassandra.address}/streams/state`).list('nothing')
    const { rows } = await admin.execute(
      "SELECT gc_grace_seconds FROM system_schema.tables WHERE keyspace_name = 'streams' AND table_name = 'state'",
    )
    expect(rows.map((row) => row.get('gc_grace_seconds') as number)).toEqual([86_400])
  })

  test(
    'a job killed with SIGKILL and resumed, and Cassandra killed and restarted, lose and repeat no row',
    async () => {
      await expectExactThroughKills(join(dir, 'job'), `cassandra://${cassandra.address}/streams/jobs/folder`, [
        { isReplicated: false, stop: () => cassandra.kill(), start: () => cassandra.restart() },
      ])
    },
    LONG_MS,
  )

  test(
    'a job whose state is to be kept in a keyspace that does not exist says so, and so does millrace doctor',
    async () => {
      await expectStoreRefused(
        join(dir, 'absent'),
        `cassandra://${cassandra.address}/nowhere/state`,
        'there is no keyspace nowhere',
      )
      const { rows } = await admin.execute("SELECT * FROM system_schema.keyspaces WHERE keyspace_name = 'nowhere'")
      expect(rows).toEqual([])
    },
    LONG_MS,
  )

  test(
    'a job whose state is to be kept in a table of other columns says so, and so does millrace doctor',
    async () => {
      await admin.execute('CREATE TABLE streams.other (id bigint PRIMARY KEY)')
      await expectStoreRefused(
        join(dir, 'other'),
        `cassandra://${cassandra.address}/streams/other`,
        'has no column place',
      )
    },
    LONG_MS,
  )
})
