import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { druidBedMissing, startDruid, type DruidBed } from '../harness/beds/druid-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { publishToDruid, type SampleRow } from '../harness/druid-batch.ts'
import { killRun, linesOf, runIdOf } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'
import { ROOT } from '../harness/source-files.ts'

const why = await druidBedMissing()
const START = Date.parse('2026-01-01T00:00:00Z')
const PATIENCE_MS = 120_000

describe.skipIf(why !== undefined)(`a real Druid as source${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-druid-source-'))
  let druid: DruidBed

  beforeAll(async () => {
    druid = await startDruid({ dir: join(dir, 'druid') })
  }, PATIENCE_MS)

  afterAll(async () => {
    await druid?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  function publish(datasource: string, rows: readonly SampleRow[], rowsASegment: number): Promise<void> {
    return publishToDruid(druid, {
      datasource,
      rows,
      rowsASegment,
      file: join(dir, `${datasource}-${rows.length}.json`),
    })
  }

  function jobOf(name: string, source: object): { file: string; out: string } {
    const folder = join(dir, name)
    mkdirSync(folder)
    const out = join(folder, 'out')
    const file = join(folder, 'job.yaml')
    const graph = [
      {
        id: 'rows',
        source: { druid: { url: druid.routerUrl, ...source } },
        schema: { __time: 'timestamp', name: 'string', big: 'bigint' },
        eventTime: { field: '__time' },
      },
      { id: 'out', from: 'rows', sink: { file: { path: out, timestampFormat: 'epochMillis' } } },
    ]
    const spec = { replicas: 2, checkpoints: { interval: '200ms', store: join(folder, 'store') }, graph }
    writeFileSync(
      file,
      JSON.stringify({ apiVersion: 'millrace.dev/v1alpha1', kind: 'StreamJob', metadata: { name }, spec }),
    )
    return { file, out }
  }

  function linesFor(rows: readonly SampleRow[]): string[] {
    return rows
      .map(({ __time, name, big }) => `{"__time":${__time},"name":${JSON.stringify(name)},"big":${big}}`)
      .sort()
  }

  function sample(count: number, from: number): SampleRow[] {
    return Array.from({ length: count }, (_, n) => ({
      __time: START + Math.floor((from + n) / 5000) * 86_400_000 + ((from + n) % 5000) * 1000,
      name: n % 3 === 0 ? 'quote " brace } bracket ]' : `n${n % 7}`,
      big: 9_007_199_254_740_993n + BigInt(from + n),
    }))
  }

  test('when the job and Druid are killed in the middle, every published row comes once, with all its digits', async () => {
    const rows = sample(100_000, 0)
    await publish('killed', rows, 1000)
    const { file, out } = jobOf('killed', { datasource: 'killed' })
    let run = startMillrace('run', file)
    let id = ''
    for (const part of [10_000, 40_000]) {
      await waitFor(`${part} rows are committed`, PATIENCE_MS, async () => linesOf(out).length >= part, run.stderr)
      id = runIdOf(run) || id
      await killRun(run)
      expect(linesOf(out).length).toBeLessThan(rows.length)
      run = startMillrace('run', file, '--resume', id)
    }
    await waitFor('it reads again', PATIENCE_MS, async () => /running, .* [1-9]\d* in/.test(run.stderr()), run.stderr)
    await druid.kill()
    await druid.restart()
    const { code, stderr } = await run.ended
    expect(code, stderr).toBe(0)
    expect(linesOf(out).sort()).toEqual(linesFor(rows))
  }, 300_000)

  test('a continuous job that was killed reads nothing twice, and does not end', async () => {
    const rows = sample(6000, 0)
    await publish('growing', rows, 1000)
    const { file, out } = jobOf('growing', { datasource: 'growing', continuous: { every: '1s', lag: '0s' } })
    const run = startMillrace('run', file)
    await waitFor('rows are committed', PATIENCE_MS, async () => linesOf(out).length > 0, run.stderr)
    const id = /run (run-[0-9a-f]{12})/.exec(run.stderr())?.[1] ?? ''
    await killRun(run)
    const resumed = startMillrace('run', file, '--resume', id)
    await waitFor('all are', PATIENCE_MS, async () => linesOf(out).length >= rows.length, resumed.stderr)
    expect(resumed.process.exitCode).toBeNull()
    await killRun(resumed)
    expect(linesOf(out).sort()).toEqual(linesFor(rows))
  }, 300_000)

  test('an interval is cut to the millisecond, and Druid itself leaves out what the filter refuses', async () => {
    const rows = sample(4000, 0)
    await publish('cut', rows, 1000)
    const to = new Date(START + 2_000_000).toISOString()
    const filter = { type: 'equals', column: 'name', matchValueType: 'STRING', matchValue: 'n1' }
    const { file, out } = jobOf('cut', { datasource: 'cut', from: '2026-01-01T00:10:00Z', to, filter })
    const { code, stderr } = await startMillrace('run', file, '--in-process').ended
    expect(code, stderr).toBe(0)
    const wanted = rows.filter(
      ({ __time, name }) => name === 'n1' && __time >= START + 600_000 && __time < Date.parse(to),
    )
    expect(wanted.length).toBeGreaterThan(100)
    expect(linesOf(out).sort()).toEqual(linesFor(wanted))
  }, 200_000)

  test('the result of a query is read with all its digits', async () => {
    const rows = sample(4000, 0)
    await publish('asked', rows, 1000)
    const query = 'SELECT MIN(__time) AS __time, name, MAX(big) AS big FROM asked GROUP BY name ORDER BY name'
    const { file, out } = jobOf('asked', { query })
    const { code, stderr } = await startMillrace('run', file, '--in-process').ended
    expect(code, stderr).toBe(0)
    const names = [...new Set(rows.map(({ name }) => name))]
    const wanted = names.map((name) => {
      const own = rows.filter((row) => row.name === name)
      return {
        __time: Math.min(...own.map(({ __time }) => __time)),
        name,
        big: own.map(({ big }) => big).reduce((a, b) => (a > b ? a : b)),
      }
    })
    expect(linesOf(out).sort()).toEqual(linesFor(wanted))
  }, 200_000)

  test('the example of the tour counts per name and day as Druid itself does', async () => {
    await publish('clicks', sample(12_000, 0), 4000)
    const file = join(dir, 'tour.yaml')
    const example = readFileSync(join(ROOT, 'examples/tour/druid-source.yaml'), 'utf8')
    writeFileSync(file, example.replaceAll('http://druid-router:8888', druid.routerUrl))
    const { code, stdout, stderr } = await startMillrace('run', file, '--in-process').ended
    expect(code, stderr).toBe(0)
    const query = 'SELECT name, COUNT(*) AS clicks, MAX(big) AS largest FROM clicks GROUP BY name, FLOOR(__time TO DAY)'
    const response = await fetch(`${druid.routerUrl}/druid/v2/sql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, resultFormat: 'objectLines' }),
    })
    // compared as texts, since a double does not hold the digits
    const shown = (line: string): string =>
      [/"name":"(?:[^"\\]|\\.)*"/, /"clicks":\d+/, /"largest":\d+/].map((part) => part.exec(line)?.[0]).join()
    const wanted = (await response.text()).trim().split('\n').map(shown).sort()
    expect(wanted.length).toBeGreaterThan(20)
    expect(stdout.trim().split('\n').map(shown).sort()).toEqual(wanted)
  }, 200_000)

  test('a wrong query is refused in the words of Druid', async () => {
    const { file } = jobOf('wrong', { query: 'SELECT nope FROM nowhere' })
    const { code, stderr } = await startMillrace('run', file, '--in-process').ended
    expect(code).toBe(1)
    expect(stderr).toContain('DRUID_REFUSED subtask rows-0: the Druid at')
    expect(stderr).toContain("answered 400: Object 'nowhere' not found")
  }, 60_000)
})
