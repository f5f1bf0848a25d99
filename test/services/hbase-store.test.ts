import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAnyStore } from '../../runtime/builtin-stores.ts'
import { openHbaseStore } from '../../runtime/connectors/hbase/store/open-hbase-store.ts'
import { MillraceError } from '../../runtime/model/errors.ts'
import { hbaseLocationOf } from '../../runtime/ports/hbase-location.ts'
import { storeEnvironment } from '../../runtime/ports/real/open-store.ts'
import type { Store } from '../../runtime/ports/store.ts'
import { type HbaseBed, hbaseBedMissing, startHbase } from '../harness/beds/hbase-bed.ts'
import { rowStoreSuite, type Through } from '../harness/row-store-suite.ts'
import { ROOT } from '../harness/source-files.ts'
import { expectExactThroughKills, expectStoreRefused } from '../harness/stored-job.ts'

const why = hbaseBedMissing()
const START_MS = 300_000
const LONG_MS = 400_000

describe.skipIf(why !== undefined)(`checkpoints in HBase${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-hbase-store-'))
  // as of two processes, each with connections of its own
  const processes = [storeEnvironment(undefined), storeEnvironment(undefined)]
  let opened = 0
  let hbase: HbaseBed

  beforeAll(async () => {
    hbase = await startHbase({ dir: join(dir, 'hbase') })
    await createTable('state', 'd')
    await createTable('other', 'x')
  }, START_MS)

  afterAll(async () => {
    await hbase?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  async function createTable(name: string, family: string): Promise<void> {
    const { status } = await fetch(`${hbase.url}/${name}/schema`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, ColumnSchema: [{ name: family, VERSIONS: '1' }] }),
    })
    expect([200, 201]).toContain(status)
  }

  function urlOf(table: string): string {
    return `hbase://${new URL(hbase.url).host}/${table}`
  }

  function open(folder: string, through: Through = (act) => act()): Store {
    const environment = processes[opened++ % processes.length] ?? storeEnvironment(undefined)
    const { httpClient } = environment
    return openHbaseStore(
      { ...hbaseLocationOf(urlOf('state')), prefix: folder },
      { ...environment, httpClient: { send: (request) => through(() => httpClient.send(request)) } },
    )
  }

  rowStoreSuite({
    open,
    lost: (reason) => new MillraceError('HTTP_FAILED', reason, { domain: 'dependency', retriable: true }),
    inlineBytes: 16_000,
    partBytes: 512 * 1024,
    listed: 10_000,
  })

  test('files whose region server has deleted them with a later time are written until they are seen', async () => {
    const store = open('hidden/')
    await store.put('a', Buffer.from('first'))
    const key = Buffer.from('hhidden/a').toString('base64url')
    const family = Buffer.from('d').toString('base64url')
    // as by a server whose clock is ahead
    await fetch(`${hbase.url}/state/${key}/${family}/${Date.now() + 1500}?e=b64`, { method: 'DELETE' })
    expect(await store.get('a')).toBeUndefined()
    expect(await store.createIfAbsent('a', Buffer.from('second'))).toBe('created')
    expect(Buffer.from((await open('hidden/').get('a')) ?? []).toString()).toBe('second')
    expect(await store.createIfAbsent('a', Buffer.from('third'))).toBe('exists')
  })

  test('a put whose parts are swept while the answer about their mark is lost fails, and leaves no file', async () => {
    const sweeper = open('swept/')
    let swept: string[] | undefined
    const writer = open('swept/', async (act) => {
      const result = await act()
      if (swept !== undefined) return result
      swept = await sweeper.unfinished('')
      for (const path of swept) await sweeper.delete(path)
      throw new MillraceError('HTTP_FAILED', 'the answer is lost', { domain: 'dependency', retriable: true })
    })
    await expect(writer.put('a', Buffer.alloc(3_000_000))).rejects.toMatchObject({
      cause: { code: 'STORE_WRITE_SWEPT' },
    })
    expect(swept).toHaveLength(1)
    expect(await sweeper.list('')).toEqual([])
  })

  test(
    'a job killed with SIGKILL and resumed, and the gateway and HBase killed and restarted, lose and repeat no row',
    async () => {
      await createTable('jobs', 'd')
      await expectExactThroughKills(join(dir, 'job'), `${urlOf('jobs')}/folder`, [
        { isReplicated: false, stop: () => hbase.gateway.kill(), start: () => relaunched('gateway') },
        { isReplicated: false, stop: () => hbase.server.kill(), start: () => relaunched('server') },
      ])
    },
    LONG_MS,
  )

  async function relaunched(daemon: 'gateway' | 'server'): Promise<void> {
    await hbase[daemon].launch()
    await hbase.served()
  }

  test.each([
    ['a table that does not exist', 'absent', 'TableNotFoundException'],
    ['a table without the family d', 'other', 'no column family d'],
  ])(
    'a job whose state is to be kept in %s says so, and so does millrace doctor',
    async (_what, table, words) => {
      await expectStoreRefused(join(dir, table), urlOf(table), words)
    },
    LONG_MS,
  )

  test('the table of the documentation has the family that the store writes', async () => {
    const [, family] =
      /create 'millrace_state', \{ NAME => '(\w+)'/.exec(readFileSync(join(ROOT, 'docs/hbase.md'), 'utf8')) ?? []
    await createTable('documented', family ?? '')
    await openAnyStore(urlOf('documented')).put('a', Buffer.from('x'))
    expect(await openAnyStore(urlOf('documented')).list('')).toEqual(['a'])
  })
})
