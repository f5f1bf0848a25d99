import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeCertificate } from '../../embedded/credentials.ts'
import { connectKudu } from '../../runtime/connectors/kudu/real/client.ts'
import type { KuduTls } from '../../runtime/connectors/kudu/client.ts'
import { realClock } from '../../runtime/ports/real/clock.ts'
import { type KuduBed, kuduBedMissing, startKudu } from '../harness/beds/kudu-bed.ts'
import { createKuduTable, scanKuduTable } from '../harness/beds/kudu-tables.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { hasCheckpoint, killRun, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'

const why = kuduBedMissing()
const PATIENCE_MS = 60_000
const LONG_MS = 300_000
/** One in fifty once waited for an answer that never came. */
const CONNECTIONS = 200
const SCHEMA = { id: 'long', name: 'string?' }

describe.skipIf(why !== undefined)(`a Kudu that demands TLS${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-kudu-tls-'))
  const runs = new LocalRuns(dir)
  let kudu: KuduBed

  beforeAll(async () => {
    kudu = await startKudu({ dir: join(dir, 'kudu'), encryptedBy: 'authority' })
    await createKuduTable(kudu, 'names', {
      columns: { id: 'INT64', name: 'STRING?' },
      keys: ['id'],
      hash: [{ columns: ['id'], num_buckets: 3 }],
    })
  }, PATIENCE_MS)

  afterAll(async () => {
    await kudu?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  const encrypted = (name: string) => ({ masters: kudu.masters, table: name, tls: { caFile: kudu.caFile } })

  async function openNames(tls: KuduTls): Promise<string> {
    const masters = [kudu.masters]
    const client = connectKudu({
      masters,
      user: 'me',
      tls: async () => tls,
      clock: realClock,
      idleConnections: 'hold the process',
      clientId: 'tls',
    })
    try {
      return (await client.openTable('names')).name
    } finally {
      await client.close()
    }
  }

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is reached by %s, one connection after the other',
    async (version) => {
      const ca = readFileSync(kudu.caFile, 'utf8')
      const material = { ca, maxVersion: version, minVersion: version }
      for (let round = 0; round < CONNECTIONS; round++)
        expect(await openNames({ material, certificates: 'check' })).toBe('names')
    },
    LONG_MS,
  )

  test(
    'is refused when another authority signed its certificate, and reached when nobody looks',
    async () => {
      const { certificate } = await makeCertificate('127.0.0.1')
      await expect(openNames({ material: { ca: certificate }, certificates: 'check' })).rejects.toMatchObject({
        code: 'KUDU_UNTRUSTED',
      })
      expect(await openNames({ material: { ca: certificate }, certificates: 'ignore' })).toBe('names')
    },
    LONG_MS,
  )

  test(
    'rows are written, read and looked up',
    async () => {
      await createKuduTable(kudu, 'nicks', {
        columns: { id: 'INT64', nick: 'STRING?' },
        keys: ['id'],
        hash: [{ columns: ['id'], num_buckets: 2 }],
      })
      const nicks = await runs.run([
        { id: 'rows', source: { values: [{ id: 7, nick: 'seven' }] }, schema: { id: 'long', nick: 'string?' } },
        { id: 'out', from: 'rows', sink: { kudu: encrypted('nicks') } },
      ])
      expect(nicks.code, nicks.stderr).toBe(0)
      const rows = [...Array(1000).keys()].map((id) => ({ id, name: `n${id}` }))
      const written = await runs.run([
        { id: 'rows', source: { values: rows }, schema: SCHEMA },
        { id: 'out', from: 'rows', sink: { kudu: encrypted('names') } },
      ])
      expect(written.code, written.stderr).toBe(0)
      const { code, stdout, stderr } = await runs.run([
        { id: 'rows', source: { kudu: encrypted('names') }, schema: SCHEMA },
        {
          id: 'found',
          from: 'rows',
          join: { lookup: { kudu: encrypted('nicks'), key: { id: 'id' }, output: { nick: 'string?' } } },
        },
        { id: 'out', from: 'found', sink: 'console' },
      ])
      expect(code, stderr).toBe(0)
      expect(
        stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
      ).toEqual([{ id: 7, name: 'n7', nick: 'seven' }])
    },
    LONG_MS,
  )

  test(
    'a job that trusts another authority waits and says so',
    async () => {
      const { certificate } = await makeCertificate('127.0.0.1')
      const caFile = join(dir, 'another.pem')
      writeFileSync(caFile, certificate)
      const file = runs.fileOf([
        { id: 'rows', source: { kudu: { ...encrypted('names'), tls: { caFile } } }, schema: SCHEMA },
        { id: 'out', from: 'rows', sink: 'console' },
      ])
      const millrace = startMillrace('run', file, '--in-process')
      await waitFor(
        'the trouble is reported',
        PATIENCE_MS,
        async () => /KUDU_UNTRUSTED: the certificate of the Kudu server [\d.:]+ is not trusted/.test(millrace.stderr()),
        millrace.stderr,
      )
      writeFileSync(caFile, readFileSync(kudu.caFile))
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
    },
    LONG_MS,
  )

  test(
    'a job without tls is told in the words of Kudu and how to mend it',
    async () => {
      const { tls: _left, ...plain } = encrypted('names')
      const { code, stderr } = await runs.run([
        { id: 'rows', source: { kudu: plain }, schema: SCHEMA },
        { id: 'out', from: 'rows', sink: 'console' },
      ])
      expect(code).toBe(1)
      expect(stderr).toMatch(/client does not support required TLS encryption/)
      expect(stderr).toMatch(/set `tls` of the connector/)
    },
    LONG_MS,
  )
})

describe.skipIf(why !== undefined)(
  `a Kudu with certificates of its own${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-kudu-own-tls-'))
    const runs = new LocalRuns(dir)
    let kudu: KuduBed

    beforeAll(async () => {
      kudu = await startKudu({ dir: join(dir, 'kudu'), encryptedBy: 'cluster' })
    }, PATIENCE_MS)

    afterAll(async () => {
      await kudu?.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    const unchecked = (table: string) => ({ masters: kudu.masters, table, tls: true, serverCertificates: 'ignore' })

    test(
      'rows go from table to table while job and tablet server are killed, and none is missing',
      async () => {
        const flags = ['--num_rows_per_thread=500000', '--num_threads=1', '--keep_auto_table', '--table_num_replicas=1']
        const output = await kudu.command('perf', 'loadgen', kudu.masters, ...flags)
        const from = /'(default\.loadgen_auto_\w+)'/.exec(output)?.[1] ?? ''
        await createKuduTable(kudu, 'copied', {
          columns: { key: 'INT64', doubled: 'INT64' },
          keys: ['key'],
          hash: [{ columns: ['key'], num_buckets: 3 }],
        })
        const file = runs.fileOf(
          [
            { id: 'rows', source: { kudu: unchecked(from) }, schema: { key: 'long', int_val: 'long?' } },
            { id: 'doubled', from: 'rows', map: { key: 'key', doubled: 'key * 2' } },
            { id: 'out', from: 'doubled', sink: { kudu: unchecked('copied') } },
          ],
          2,
        )
        let millrace = startMillrace('run', file)
        await waitFor('it runs', PATIENCE_MS, async () => hasCheckpoint(file), millrace.stderr)
        const id = runIdOf(millrace)
        await killRun(millrace)
        const before = (await scanKuduTable(kudu, 'copied')).length
        const [server] = kudu.tabletServers
        await server?.stop()
        millrace = startMillrace('run', file, '--resume', id)
        await waitFor(
          'the trouble is reported',
          PATIENCE_MS,
          async () => millrace.stderr().includes('KUDU_'),
          millrace.stderr,
        )
        await server?.start()
        const { code, stderr } = await millrace.ended
        expect(code, stderr).toBe(0)
        const wanted = (await scanKuduTable(kudu, from)).map((line) => {
          const key = BigInt(/int64 key=(\d+)/.exec(line)?.[1] ?? 0)
          return `(int64 key=${key}, int64 doubled=${key * 2n})`
        })
        expect(before).toBeLessThan(wanted.length)
        expect(await scanKuduTable(kudu, 'copied')).toEqual(wanted.sort())
      },
      LONG_MS,
    )
  },
)
