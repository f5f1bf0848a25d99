import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { druidBedMissing, startDruid, type DruidBed } from '../harness/beds/druid-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { publishToDruid, type SampleRow } from '../harness/druid-batch.ts'
import { killRun, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'
import { ROOT } from '../harness/source-files.ts'

const why = await druidBedMissing()
const START = Date.parse('2026-01-01T00:00:00Z')
const DAY_MS = 86_400_000
const PATIENCE_MS = 120_000

describe.skipIf(why !== undefined)(
  `a job that replaces an interval of a real Druid${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-druid-replace-'))
    const runs = new LocalRuns(dir)
    let druid: DruidBed

    beforeAll(async () => {
      druid = await startDruid({ dir: join(dir, 'druid') })
    }, PATIENCE_MS)

    afterAll(async () => {
      await druid?.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    /** Rows over the days from `firstDay`, 10 000 a day. */
    function sample(count: number, firstDay = 0): SampleRow[] {
      return Array.from({ length: count }, (_, n) => ({
        __time: START + firstDay * DAY_MS + Math.floor(n / 10_000) * DAY_MS + (n % 10_000) * 1000,
        name: n % 3 === 0 ? 'quote " brace } bracket ]' : `n${n % 7}`,
        big: 9_007_199_254_740_993n + BigInt(n),
      }))
    }

    interface JobOptions {
      readonly datasource: string
      readonly rows: readonly SampleRow[]
      readonly days?: number
      readonly rate?: string
    }

    function jobOf({ datasource, rows, days = 5, rate }: JobOptions): { file: string; files: string } {
      const input = join(dir, `${datasource}-${rows.length}.jsonl`)
      writeFileSync(
        input,
        rows.map(({ __time, name, big }) => `{"at":${__time},"name":${JSON.stringify(name)},"big":${big}}\n`).join(''),
      )
      const files = join(dir, `${datasource}-files`)
      mkdirSync(files, { recursive: true })
      const replace = {
        url: druid.routerUrl,
        from: new Date(START).toISOString(),
        to: new Date(START + days * DAY_MS).toISOString(),
        timestamp: 'at',
        files,
      }
      const graph = [
        {
          id: 'rows',
          source: { file: { path: input, format: 'json', ...(rate === undefined ? {} : { rate }) } },
          schema: { at: 'timestamp', name: 'string', big: 'bigint' },
        },
        { id: 'out', from: 'rows', sink: { druid: { datasource, replace } } },
      ]
      return { file: runs.fileOf(graph, 2), files }
    }

    async function sql(query: string): Promise<string[]> {
      const response = await fetch(`${druid.routerUrl}/druid/v2/sql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, resultFormat: 'arrayLines' }),
      })
      const text = await response.text()
      return text.split('\n').filter((line) => line !== '')
    }

    function linesFor(rows: readonly SampleRow[]): string[] {
      return rows
        .map(({ __time, name, big }) => JSON.stringify([new Date(__time).toISOString(), name, String(big)]))
        .sort()
    }

    /** Waits until the servers of Druid have the segments that the job has published. */
    async function expectRows(datasource: string, rows: readonly SampleRow[]): Promise<void> {
      const wanted = linesFor(rows)
      let found: string[] = []
      await waitFor(
        `${wanted.length} rows are in ${datasource}`,
        PATIENCE_MS,
        async () => {
          found = (await sql(`SELECT __time, name, CAST(big AS VARCHAR) FROM "${datasource}"`)).sort()
          return found.length === wanted.length && found[0] === wanted[0] && found.at(-1) === wanted.at(-1)
        },
        () => `${found.length} rows, first ${found[0]}`,
      )
      expect(found).toEqual(wanted)
    }

    async function tasksOf(datasource: string): Promise<number> {
      const response = await fetch(`${druid.routerUrl}/druid/indexer/v1/tasks?datasource=${datasource}`)
      return ((await response.json()) as unknown[]).length
    }

    test('when job and Druid are killed again and again, the interval has every row once, and what was there before is gone', async () => {
      await publishToDruid(druid, {
        datasource: 'loads',
        rows: [...sample(2000), ...sample(1000, 7)],
        rowsASegment: 1000,
        file: join(dir, 'before.json'),
      })
      const rows = sample(50_000)
      const { file, files } = jobOf({ datasource: 'loads', rows, rate: '10000/s' })
      let run = startMillrace('run', file)
      let id = ''
      for (const part of [2, 8]) {
        await waitFor(`${part} files are committed`, PATIENCE_MS, async () => committed(files) >= part, run.stderr)
        id = runIdOf(run) || id
        await killRun(run)
        run = startMillrace('run', file, '--resume', id)
      }
      expect(await tasksOf('loads')).toBe(1)
      await waitFor('Druid has the task', PATIENCE_MS, async () => (await tasksOf('loads')) > 1, run.stderr)
      await killRun(run)
      await druid.kill()
      run = startMillrace('run', file, '--resume', id)
      await druid.restart()
      const { code, stderr } = await run.ended
      expect(code, stderr).toBe(0)
      await expectRows('loads', [...rows, ...sample(1000, 7)])
      expect(readdirSync(files).filter((name) => !name.startsWith('.'))).toEqual([])
    }, 400_000)

    test('when the job runs again, the rows are replaced by the same and not doubled', async () => {
      const rows = sample(12_000)
      for (const _ of [1, 2]) {
        const { code, stderr } = await startMillrace('run', jobOf({ datasource: 'again', rows }).file).ended
        expect(code, stderr).toBe(0)
        await expectRows('again', rows)
      }
    }, 300_000)

    test('when the job has no rows, the interval is empty afterwards', async () => {
      await publishToDruid(druid, {
        datasource: 'emptied',
        rows: [...sample(1000), ...sample(1000, 7)],
        rowsASegment: 1000,
        file: join(dir, 'emptied.json'),
      })
      const { code, stderr } = await startMillrace('run', jobOf({ datasource: 'emptied', rows: [] }).file).ended
      expect(code, stderr).toBe(0)
      await expectRows('emptied', sample(1000, 7))
    }, 300_000)

    test('the doctor finds the overlord for the example of the tour, whose rows the query in it finds', async () => {
      const files = join(dir, 'tour')
      mkdirSync(files)
      const example = readFileSync(join(ROOT, 'examples/tour/druid-load.yaml'), 'utf8')
      const file = join(dir, 'tour.yaml')
      const csv = join(ROOT, 'examples/tour/sales.csv')
      const ours = example.replace('http://druid-router:8888', druid.routerUrl).replace('/mnt/loads', files)
      writeFileSync(file, ours.replace('sales.csv', csv))
      const doctor = await startMillrace('doctor', file).ended
      expect(doctor.stdout).toMatch(/overlord http.* takes tasks for sales/)
      const { code, stderr } = await startMillrace('run', file).ended
      expect(code, stderr).toBe(0)
      const query = /SELECT.*/.exec(example)?.[0] ?? ''
      let found: string[] = []
      await waitFor(
        'Druid serves the rows',
        PATIENCE_MS,
        async () => (found = (await sql(query)).sort()).length === 2,
        () => found.join(),
      )
      expect(found).toEqual(['["Bergen",5]', '["Oslo",42]'])
    }, 200_000)

    test('when a row is outside of the interval, the job fails with its time, and the datasource stays as it was', async () => {
      const before = sample(1000)
      await publishToDruid(druid, {
        datasource: 'outside',
        rows: before,
        rowsASegment: 1000,
        file: join(dir, 'outside.json'),
      })
      const { code, stderr } = await startMillrace(
        'run',
        jobOf({ datasource: 'outside', rows: sample(20_000), days: 1 }).file,
      ).ended
      expect(code).toBe(1)
      expect(stderr).toContain("field 'at' is 2026-01-02T00:00:00.000Z")
      await expectRows('outside', before)
    }, 300_000)
  },
)

function committed(files: string): number {
  return readdirSync(files).filter((name) => !name.startsWith('.')).length
}
