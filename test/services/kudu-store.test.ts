import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAnyStore } from '../../runtime/builtin-stores.ts'
import type { KuduClient } from '../../runtime/connectors/kudu/client.ts'
import { unreachable } from '../../runtime/connectors/kudu/errors.ts'
import { connectKudu } from '../../runtime/connectors/kudu/real/client.ts'
import { openKuduStore } from '../../runtime/connectors/kudu/store/open-kudu-store.ts'
import { MillraceError } from '../../runtime/model/errors.ts'
import { realClock } from '../../runtime/ports/real/clock.ts'
import { realRng } from '../../runtime/ports/real/rng.ts'
import type { Store } from '../../runtime/ports/store.ts'
import { type KuduBed, kuduBedMissing, startKudu } from '../harness/beds/kudu-bed.ts'
import { createKuduTable } from '../harness/beds/kudu-tables.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { killRun, linesOf, runIdOf } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'
import { ROOT } from '../harness/source-files.ts'

const why = kuduBedMissing()
const PATIENCE_MS = 60_000
const LONG_MS = 240_000
const RACERS = 40
const ROWS = 60_000
const TABLE = 'millrace_state'
const ENVIRONMENT = { clock: realClock, rng: realRng }
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const large = (of: string): Buffer => Buffer.alloc(5_000_003, of)

/** Nothing is known while tablets have no leader for longer than the store is patient. */
function whileAway(error: unknown): string[] {
  if (error instanceof MillraceError && error.code === 'STORE_UNAVAILABLE') return []
  throw error
}

/** The argument of `kudu table create` in the documentation. */
function documentedTable(): string {
  const [, table = ''] = /kudu table create \S+ '([^']+)'/.exec(readFileSync(join(ROOT, 'docs/kudu.md'), 'utf8')) ?? []
  return table
}

describe.skipIf(why !== undefined)(`checkpoints in Kudu${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-kudu-store-'))
  const clients: KuduClient[] = []
  let kudu: KuduBed

  beforeAll(async () => {
    kudu = await startKudu({ dir: join(dir, 'kudu'), tabletServers: 3 })
    await kudu.command('table', 'create', kudu.masters, documentedTable())
  }, LONG_MS)
  afterAll(async () => {
    for (const client of clients) await client.close()
    await kudu?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  function client(): KuduClient {
    const masters = kudu.masters.split(',')
    const connected = connectKudu({
      masters,
      user: 'me',
      clock: realClock,
      idleConnections: 'hold the process',
      clientId: realRng.id(),
    })
    clients.push(connected)
    return connected
  }

  function open(prefix: string, through = client()): Store {
    return openKuduStore({ table: TABLE, prefix }, through, ENVIRONMENT)
  }

  test(
    `of ${RACERS} callers that create the same path exactly one gets created, and its bytes stay`,
    async () => {
      for (const [path, bytesOf] of [
        ['short', (n: number) => text(`caller ${n}`)],
        ['long', (n: number) => Buffer.alloc(150_000, `caller ${n} `)],
      ] as const) {
        const results = await Promise.all(
          Array.from({ length: RACERS }, (_, n) => open('race/').createIfAbsent(path, bytesOf(n))),
        )
        expect(results.filter((result) => result === 'created')).toHaveLength(1)
        const winner = bytesOf(results.indexOf('created'))
        expect(Buffer.compare((await open('race/').get(path)) ?? text(''), winner)).toBe(0)
        expect(await open('race/').createIfAbsent(path, text('later'))).toBe('exists')
      }
      expect(await open('race/').unfinished('')).toEqual([])
    },
    LONG_MS,
  )

  test(
    'files of any size are read as they were put, replaced, listed by their beginning and deleted twice',
    async () => {
      const store = open('put/')
      for (const size of [0, 1, 16_000, 16_001, 60_000, 60_001, 5_000_003]) {
        const bytes = Buffer.alloc(size, `${size} `)
        await store.put(`jobs/x/${size}`, bytes)
        expect(Buffer.compare((await store.get(`jobs/x/${size}`)) ?? text('none'), bytes)).toBe(0)
      }
      await store.put('jobs/x/60000', text('short now'))
      expect(Buffer.from((await store.get('jobs/x/60000')) ?? []).toString()).toBe('short now')
      await store.put('jobs/xü/1', text('umlaut'))
      await store.put('jobs/y', text('other'))
      expect(await store.list('jobs/xü')).toEqual(['jobs/xü/1'])
      expect(await store.list('jobs/x/6000')).toEqual(['jobs/x/60000', 'jobs/x/60001'])
      expect(await store.list('')).toHaveLength(9)
      expect(await store.list('nothing')).toEqual([])
      await store.delete('jobs/x/5000003')
      await store.delete('jobs/x/5000003')
      expect(await store.get('jobs/x/5000003')).toBeUndefined()
      const [left = '', ...others] = await store.unfinished('')
      expect(left).toMatch(/^jobs\/x\/60000#generation=/)
      expect(others).toEqual([])
      await store.delete(left)
      expect(await store.unfinished('')).toEqual([])
      expect(await open('').list('put/jobs/y')).toEqual(['put/jobs/y'])
    },
    LONG_MS,
  )

  test(
    'a path that leaves the folder is refused, and 10 000 files are listed',
    async () => {
      const store = open('many/')
      await expect(store.put('../outside', text('no'))).rejects.toMatchObject({ code: 'STORE_PATH_INVALID' })
      const paths = Array.from({ length: 10_000 }, (_, n) => `deep/${String(n).padStart(5, '0')}`)
      for (let from = 0; from < paths.length; from += 200)
        await Promise.all(paths.slice(from, from + 200).map((path) => store.put(path, text(path))))
      expect(await store.list('deep/')).toEqual(paths)
    },
    LONG_MS,
  )

  /** A client whose reads and writes go through `call`. */
  function around(real: KuduClient, call: <T>(act: () => Promise<T>) => Promise<T>): KuduClient {
    return {
      masters: real.masters,
      openTable: (name) => real.openTable(name),
      tablets: (table, look) => real.tablets(table, look),
      newWrite: (tablet, operations) => real.newWrite(tablet, operations),
      now: (table, tablet) => real.now(table, tablet),
      write: (table, write) => call(() => real.write(table, write)),
      openScan: (table, scan) => call(() => real.openScan(table, scan)),
      close: () => real.close(),
    }
  }

  /** Ends after so many calls as a process does that is killed: before a call, or before its answer comes. */
  function mortal(calls: number, dies: 'before' | 'after'): { through: KuduClient; isDead: () => boolean } {
    const real = client()
    const dead = new MillraceError('DEAD', 'the process was killed', { domain: 'bug' })
    let left = calls
    const call = async <T>(act: () => Promise<T>): Promise<T> => {
      if (left < 0) throw dead
      left--
      if (left < 0 && dies === 'before') throw dead
      const result = await act()
      if (left < 0) throw dead
      return result
    }
    return {
      isDead: () => left < 0,
      through: around(real, call),
    }
  }

  test.each(['before', 'after'] as const)(
    'a writer that is killed %s any of its calls leaves a file whole, as it was, or absent',
    async (dies) => {
      for (let calls = 0, isOver = false; !isOver; calls++) {
        const folder = `killed-${dies}-${calls}/`
        const calm = open(folder)
        await calm.put('replaced', large('a'))
        for (const act of ['put', 'createIfAbsent', 'delete'] as const) {
          const { through, isDead } = mortal(calls, dies)
          const store = open(folder, through)
          const path = act === 'createIfAbsent' ? 'created' : 'replaced'
          const acting = act === 'delete' ? store.delete(path) : store[act](path, large('b'))
          const result = await acting.catch((error: unknown) => {
            if (error instanceof MillraceError && error.code === 'STORE_UNAVAILABLE') return 'killed'
            throw error
          })
          isOver = !isDead()
          const found = await calm.get(path)
          const first = found === undefined ? 'absent' : String.fromCharCode(found[0] ?? 0)
          if (found !== undefined) expect(Buffer.compare(found, large(first))).toBe(0)
          if (result !== 'killed') expect(first).toBe(act === 'delete' ? 'absent' : 'b')
          if (act === 'createIfAbsent' && first === 'absent')
            expect(await calm.createIfAbsent(path, large('c'))).toBe('created')
        }
        for (const path of await calm.unfinished('')) await calm.delete(path)
        for (const path of await calm.list('')) await calm.delete(path)
        expect([await calm.list(''), await calm.unfinished('')]).toEqual([[], []])
      }
    },
    LONG_MS,
  )

  /** Every fourth call is not sent, or its answer is lost. */
  function flaky(seed: number): KuduClient {
    const real = client()
    let calls = seed
    const call = async <T>(act: () => Promise<T>): Promise<T> => {
      const turn = calls++ % 8
      if (turn === 3) throw unreachable('flaky', new Error('not sent'))
      const result = await act()
      if (turn === 6) throw unreachable('flaky', new Error('the answer is lost'))
      return result
    }
    return around(real, call)
  }

  test(
    'when calls and answers are lost, one of many callers creates a file, and knows it',
    async () => {
      for (let round = 0; round < 8; round++) {
        const results = await Promise.all(
          Array.from({ length: 8 }, (_, n) => open('lossy/', flaky(n)).createIfAbsent(`claim-${round}`, text(`${n}`))),
        )
        expect(results.filter((result) => result === 'created')).toHaveLength(1)
        const kept = Buffer.from((await open('lossy/').get(`claim-${round}`)) ?? []).toString()
        expect(kept).toBe(String(results.indexOf('created')))
      }
    },
    LONG_MS,
  )

  test(
    'a job killed with SIGKILL and resumed, and tablet servers killed in turn, lose and repeat no row',
    async () => {
      const store = `kudu://${kudu.masters}/${TABLE}/jobs`
      const numbers = Array.from({ length: ROWS }, (_, n) => JSON.stringify({ number: n, k: n % 10 }))
      writeFileSync(join(dir, 'in.json'), `${numbers.join('\n')}\n`)
      const file = join(dir, 'job.yaml')
      writeFileSync(file, jobOf(store))
      const manifests = async (): Promise<string[]> =>
        (await openAnyStore(store).list('')).filter((path) => path.endsWith('manifest.json'))
      const first = startMillrace('run', file)
      await waitFor('a first checkpoint', PATIENCE_MS, async () => (await manifests()).length > 0, first.stderr)
      await killRun(first)
      const second = startMillrace('run', file, '--resume', runIdOf(first))
      // on a slow machine the job may end before all of them have been killed
      let isOver = false
      const ended = second.ended.finally(() => {
        isOver = true
      })
      for (const server of kudu.tabletServers) {
        const known = new Set(await manifests())
        await server.stop()
        await waitFor(
          'a later checkpoint',
          PATIENCE_MS,
          async () => isOver || (await manifests().catch(whileAway)).some((path) => !known.has(path)),
          second.stderr,
        )
        await server.start()
      }
      const { code, stderr } = await ended
      expect(code, stderr).toBe(0)
      const written = linesOf(join(dir, 'out')).map((line) => (JSON.parse(line) as { number: number }).number)
      expect(written.toSorted((a, b) => a - b)).toEqual(Array.from({ length: ROWS }, (_, n) => n))
    },
    LONG_MS,
  )

  test.each([
    ['a table that does not exist', 'absent', 'has no table "absent"'],
    ['a table of other columns', 'other', 'has no column path'],
  ])(
    'a job whose state is to be kept in %s says so, and so does millrace doctor',
    async (_what, table, words) => {
      if (table === 'other') await createKuduTable(kudu, 'other', { columns: { id: 'INT64' }, keys: ['id'] })
      const file = join(dir, `wrong-${table}.yaml`)
      writeFileSync(file, jobOf(`kudu://${kudu.masters}/${table}`))
      const doctor = await startMillrace('doctor', file).ended
      expect([doctor.code, doctor.stdout]).toEqual([1, expect.stringContaining(words)])
      const job = startMillrace('run', file)
      await waitFor('the report', PATIENCE_MS, async () => job.stderr().includes(words), job.stderr)
      await killRun(job)
    },
    LONG_MS,
  )

  function jobOf(store: string): string {
    return `apiVersion: millrace.dev/v1alpha1
kind: StreamJob
metadata: { name: kept-in-kudu }
spec:
  checkpoints: { store: '${store}', interval: 500ms }
  graph:
    - id: numbers
      source: { file: { path: in.json, format: json, rate: 2000/s } }
      schema: { number: long, k: long }
    - id: latest
      from: numbers
      keyBy: number
      dedupe: { keep: first }
    - id: out
      from: latest
      sink: { file: { path: out } }
`
  }
})
