import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Certificate, makeCertificate } from '../../embedded/credentials.ts'
import { openAnyStore } from '../../runtime/builtin-stores.ts'
import { type CassandraBed, cassandraBedMissing, startCassandra } from '../harness/beds/cassandra-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { LocalRuns } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'

const why = cassandraBedMissing()
const START_MS = 300_000
const PATIENCE_MS = 60_000
const LONG_MS = 120_000

describe.skipIf(why !== undefined)(
  `a Cassandra that wants TLS and certificates${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-cassandra-secure-'))
    const runs = new LocalRuns(dir)
    let cassandra: CassandraBed
    let certificate: Certificate
    let admin: Client

    beforeAll(async () => {
      certificate = await makeCertificate('127.0.0.1')
      cassandra = await startCassandra({ dir: join(dir, 'cassandra'), asksForPasswords: true, secure: certificate })
      writeFileSync(join(dir, 'password'), 'cassandra')
      writeFileSync(join(dir, 'authority.pem'), certificate.certificate)
      writeFileSync(join(dir, 'key.pem'), certificate.key)
      const { key, certificate: cert } = certificate
      admin = new Client({
        contactPoints: [cassandra.address],
        localDataCenter: 'datacenter1',
        credentials: { username: 'cassandra', password: 'cassandra' },
        sslOptions: { ca: cert, cert, key, rejectUnauthorized: true },
        socketOptions: { readTimeout: PATIENCE_MS },
      })
      await admin.execute(
        "CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
      )
    }, START_MS)

    afterAll(async () => {
      await admin?.shutdown()
      await cassandra?.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    function table(name: string, tls: object): object {
      return {
        hosts: cassandra.address,
        keyspace: 'shop',
        table: name,
        consistency: 'ONE',
        auth: { username: 'cassandra', passwordFile: join(dir, 'password') },
        ...tls,
      }
    }

    function files(authority = 'authority.pem'): object {
      return {
        tls: {
          caFile: join(dir, authority),
          certificateFile: join(dir, 'authority.pem'),
          keyFile: join(dir, 'key.pem'),
        },
      }
    }

    function writing(sink: object): readonly object[] {
      return [
        { id: 'rows', source: { values: [{ id: 1 }] }, schema: { id: 'long' } },
        { id: 'out', from: 'rows', sink: { cassandra: sink } },
      ]
    }

    async function idsOf(name: string): Promise<unknown[]> {
      const { rows } = await admin.execute(`SELECT JSON id FROM shop.${name}`)
      return rows.map((row) => JSON.parse(String(row['[json]'])) as unknown)
    }

    test(
      'rows are written and looked up over TLS, with the certificate of the job',
      async () => {
        await admin.execute('CREATE TABLE shop.encrypted (id bigint PRIMARY KEY, amount bigint)')
        const written = await runs.run(writing(table('encrypted', files())))
        expect(written.code, written.stderr).toBe(0)
        expect(await idsOf('encrypted')).toEqual([{ id: 1 }])
        await admin.execute('UPDATE shop.encrypted SET amount = 7 WHERE id = 1')
        const lookup = { cassandra: table('encrypted', files()), key: { id: 'id' }, output: { amount: 'long' } }
        const found = await runs.run([
          { id: 'rows', source: { values: [{ id: 1 }, { id: 2 }] }, schema: { id: 'long' } },
          { id: 'both', from: 'rows', join: { lookup } },
          { id: 'shown', from: 'both', sink: { console: {} } },
        ])
        expect(found.code, found.stderr).toBe(0)
        expect(found.stdout.trim()).toBe('{"id":1,"amount":7}')
      },
      LONG_MS,
    )

    test(
      'checkpoints are kept over TLS, with the certificate and the password of the job',
      async () => {
        const query = new URLSearchParams({ user: 'cassandra', passwordFile: join(dir, 'password'), tls: 'true' })
        for (const [name, file] of Object.entries({
          caFile: 'authority.pem',
          certificateFile: 'authority.pem',
          keyFile: 'key.pem',
        }))
          query.set(name, join(dir, file))
        const url = `cassandra://${cassandra.address}/shop/state?${query.toString()}`
        const store = openAnyStore(url)
        expect(await store.list('')).toEqual([])
        expect(await store.createIfAbsent('a', Buffer.alloc(600_000, 'a'))).toBe('created')
        expect(await openAnyStore(url).get('a')).toHaveLength(600_000)
        await expect(openAnyStore(url.replace('user=cassandra', 'user=nobody')).list('')).rejects.toMatchObject({
          cause: { code: 'CASSANDRA_LOGIN_REFUSED' },
        })
      },
      LONG_MS,
    )

    test(
      'a server whose certificate nobody vouches for gets no row and no password, until the Secret names its authority',
      async () => {
        await admin.execute('CREATE TABLE shop.mended (id bigint PRIMARY KEY)')
        const foreign = await makeCertificate('127.0.0.1')
        writeFileSync(join(dir, 'foreign.pem'), foreign.certificate)
        const job = startMillrace('run', runs.fileOf(writing(table('mended', files('foreign.pem')))), '--in-process')
        await waitFor(
          'it is reported',
          PATIENCE_MS,
          async () => job.stderr().includes('CASSANDRA_UNREACHABLE'),
          job.stderr,
        )
        expect(job.stderr()).toMatch(/certificate/)
        expect(await idsOf('mended')).toEqual([])
        writeFileSync(join(dir, 'foreign.pem'), certificate.certificate)
        const { code, stderr } = await job.ended
        expect(code, stderr).toBe(0)
        expect(await idsOf('mended')).toEqual([{ id: 1 }])
      },
      LONG_MS,
    )
  },
)
