import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pythonBedMissing, runPython } from '../harness/beds/python-bed.ts'
import { readFlights } from '../harness/flights-oracle.ts'

const ROOT = join(import.meta.dirname, '../..')
const NOTEBOOKS = join(ROOT, 'examples/notebooks')
const DAY_MS = 86_400_000

interface Shown {
  readonly output_type: string
  readonly name?: string
  readonly text?: string
  readonly ename?: string
  readonly data?: Readonly<Record<string, string>>
}

interface Cell {
  readonly source: string
  readonly outputs: readonly Shown[]
}

interface Ran {
  readonly reply: {
    readonly status: string
    readonly ename?: string
    readonly evalue?: string
    readonly traceback?: string[]
  }
  readonly outputs: readonly {
    readonly type: string
    readonly content: {
      readonly name?: string
      readonly text?: string
      readonly data?: Readonly<Record<string, string>>
    }
  }[]
  readonly updates: number
  readonly during: { readonly matches?: readonly string[] } | null
}

type Step = Readonly<Record<string, unknown>>

describe.skipIf(pythonBedMissing() !== undefined)('the kernel under the clients of Jupyter', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-notebook-'))
  const env = { JUPYTER_PATH: join(folder, 'share', 'jupyter'), JUPYTER_RUNTIME_DIR: join(folder, 'runtime') }

  beforeAll(() => {
    kernelCommand('install')
  })
  afterAll(() => {
    rmSync(folder, { recursive: true })
  })

  function kernelCommand(what: 'install' | 'uninstall'): void {
    const args = [join(ROOT, 'cli/main.ts'), 'kernel', what, '--prefix', folder]
    execFileSync(process.execPath, args, { stdio: 'pipe' })
  }

  async function runNotebook(path: string): Promise<readonly Cell[]> {
    const [cells] = await runPython('run_notebook.py', [NOTEBOOKS, path], { packages: 'jupyter', env })
    return cells as readonly Cell[]
  }

  async function drive(steps: readonly Step[]): Promise<{ answers: unknown[]; end: unknown }> {
    const lines = await runPython('drive_kernel.py', [folder, JSON.stringify(steps)], { packages: 'jupyter', env })
    return { answers: lines.slice(0, -1), end: lines.at(-1) }
  }

  test('when nbclient runs the notebook of flights, its tables hold what a plain computation over the file gives', async () => {
    const written = readFileSync(join(NOTEBOOKS, 'flights.ipynb'), 'utf8')
    const copy = join(folder, 'flights.ipynb')
    // every row is compared, and not the ten that the example shows
    writeFileSync(copy, written.replace('%table rows: 10', '%table rows: 1000'))
    const [first, days] = await runNotebook(copy)
    const flights = await readFlights()
    expect(tableOf(first).rows).toEqual(
      flights
        .slice(0, 5)
        .map(({ date, delay, distance, origin, destination }) =>
          [new Date(date).toISOString(), delay, distance, origin, destination].map(String),
        ),
    )
    const expected = new Map<string, { flights: number; delay: number }>()
    for (const { origin, date, delay } of flights.filter((flight) => ['SFO', 'BOS'].includes(flight.origin))) {
      const key = `${origin} ${new Date(date - (date % DAY_MS)).toISOString()}`
      const sum = expected.get(key) ?? { flights: 0, delay: 0 }
      expected.set(key, { flights: sum.flights + 1, delay: sum.delay + delay })
    }
    const { caption, rows } = tableOf(days)
    expect(caption).toBe(`days: ${expected.size} rows`)
    expect(rows.map(([origin, start]) => `${origin} ${start}`).toSorted()).toEqual([...expected.keys()].toSorted())
    for (const [origin, start, , count, average] of rows) {
      const sum = expected.get(`${origin} ${start}`)
      expect(Number(count)).toBe(sum?.flights)
      expect(Number(average)).toBeCloseTo((sum?.delay ?? NaN) / (sum?.flights ?? NaN), 9)
    }
    const plot = days?.outputs.find(({ data }) => data?.['image/svg+xml'] !== undefined)?.data ?? {}
    expect(plot['text/plain']).toBe(`days: flights over windowStart by origin, ${expected.size} points`)
    const points = [...(plot['image/svg+xml'] ?? '').matchAll(/ points="([^"]+)"/g)].map(([, one = '']) =>
      one.split(' '),
    )
    const days2001 = ['SFO', 'BOS'].map((origin) => [...expected.keys()].filter((key) => key.startsWith(origin)).length)
    expect(points.map((one) => one.length).toSorted()).toEqual(days2001.toSorted())
  })

  test('when nbclient runs the notebook in TypeScript, windows count every bid and the endless stream stops at its row', async () => {
    const [windows, endless] = await runNotebook(join(NOTEBOOKS, 'bids.ipynb'))
    expect(windows?.outputs.map(({ output_type: type }) => type)).toEqual(['display_data', 'display_data'])
    // of 50 events of the benchmark 46 are bids, so of 1000 events a second 920
    const lastSecond = tableOf(windows).rows.slice(-2)
    expect(lastSecond.map(([size]) => size).toSorted()).toEqual(['cheap', 'dear'])
    expect(lastSecond.reduce((sum, row) => sum + Number(row[3]), 0)).toBe(920)
    expect(tableOf(endless).caption).toBe('out: the newest 20 of 200 rows')
    expect(readdirSync(NOTEBOOKS).filter((name) => name.startsWith('.millrace-cell'))).toEqual([])
  })

  test('when cells are wrong, each says what is wrong at its line and column, and the next cell runs', async () => {
    const { answers } = await drive([
      { run: GOOD.replace('filter: size > 1', 'filter: sise > 1') },
      { run: '- id: [' },
      { run: "import { job } from 'millrace'\nexport default job({ name: 'none' })" },
      { run: '# %plot x: nothing, y: size\n' + GOOD },
      { run: GOOD },
    ])
    const [field, yaml, module, plot, good] = answers as Ran[]
    expect(field?.reply).toMatchObject({ status: 'error', evalue: expect.stringMatching(/^cell\[1\]:6:11 /) })
    expect(field?.reply.traceback?.join('\n')).toMatch(
      /cell\[1\]:6:11 error .*\n +6 \| {3}filter: sise > 1\n +\| {11}\^/,
    )
    expect(yaml?.reply).toMatchObject({ ename: 'YAML_SYNTAX', evalue: expect.stringMatching(/^cell\[2\]:1:\d+ /) })
    expect(module?.reply).toMatchObject({ status: 'error', evalue: expect.stringMatching(/^cell\[3\]:2:\d+ /) })
    expect(plot?.reply).toMatchObject({ ename: 'PLOT_COLUMN_UNKNOWN' })
    for (const { reply } of [field, yaml, module, plot].filter((one) => one !== undefined)) {
      expect(reply.traceback?.join('\n')).not.toMatch(/^\s+at /m)
      expect(reply.traceback?.join('\n')).not.toContain(folder)
    }
    expect(good?.reply.status).toBe('ok')
  })

  test('when a stream does not end, its table is alive, an interrupt ends it, and another run begins anew', async () => {
    const { answers, end } = await drive([
      { run: ENDLESS, until: 4, during: { complete: '- id: a\n  source: { kaf' } },
      { run: ENDLESS, until: 3, signal: true },
      { run: GOOD },
    ])
    const [stopped, again, good] = answers as Ran[]
    expect(stopped?.reply).toMatchObject({ status: 'error', ename: 'STOPPED' })
    expect(again?.reply).toMatchObject({ status: 'error', ename: 'STOPPED' })
    expect(stopped?.updates).toBeGreaterThan(1)
    expect(stopped?.during?.matches).toEqual(['kafka'])
    const [rows, rowsAgain] = [rowsIn(htmlOf(stopped)), rowsIn(htmlOf(again))]
    // bids are generated by several splits, whose rows mingle in another way in each run
    expect(rows.length).toBeGreaterThan(0)
    expect(rowsAgain).toContainEqual(rows[0])
    expect(rows).toContainEqual(rowsAgain[0])
    expect(good?.reply.status).toBe('ok')
    expect(end).toMatchObject({ left: 0 })
  })

  test('when rows hold HTML, a table shows it as text', async () => {
    const { answers } = await drive([{ run: GOOD.replace('"three"', `"<img src=x onerror='alert(1)'>"`) }])
    const [ran] = answers as Ran[]
    const html = htmlOf(ran)
    expect(html).toContain('<td>&lt;img src=x onerror=&#39;alert(1)&#39;&gt;</td>')
    expect(html).not.toContain('<img')
  })

  test('when a job has no console sink, its cell shows how far it is', async () => {
    const { answers } = await drive([{ run: GOOD.replace('console: {}', 'file: { path: out, format: json }') }])
    const [ran] = answers as Ran[]
    expect(ran?.outputs.map(({ content }) => content.data?.['text/plain'])).toEqual([
      expect.stringMatching(/^cell: finished, attempt 1, 3 in, 2 out, checkpoint 1-\d+$/),
    ])
    const lines = readdirSync(join(folder, 'out')).map((name) => readFileSync(join(folder, 'out', name), 'utf8'))
    expect(lines.join('')).toBe('{"size":2,"text":"two"}\n{"size":3,"text":"three"}\n')
  })

  test('when the cell of the documentation runs, its table has the rows that its filter keeps', async () => {
    const page = readFileSync(join(ROOT, 'docs/notebooks.md'), 'utf8')
    const { answers } = await drive([{ run: /^```yaml\n([^]*?)^```/m.exec(page)?.[1] }])
    expect(rowsIn(htmlOf((answers as Ran[])[0]))).toEqual([['Rome', '14']])
  })

  test('when a function of a cell never returns, an interrupt still ends the cell', async () => {
    const { answers } = await drive([{ run: SPINNING, until: 1 }, { run: GOOD }])
    const [spinning, good] = answers as Ran[]
    expect(spinning?.outputs[0]).toMatchObject({ type: 'stream', content: { name: 'stdout', text: 'spinning\n' } })
    expect(spinning?.reply).toMatchObject({
      ename: 'STOPPED',
      evalue: 'the job did not stop within 5 s and was killed',
    })
    expect(good?.reply.status).toBe('ok')
  })

  test('when the kernel is killed or shut down while a cell runs, no process is left', async () => {
    for (const cell of [ENDLESS, SPINNING]) {
      const killed = await drive([{ run: cell, until: 1, kill: true }])
      expect(killed.answers).toEqual([{ below: 1, left: 0 }])
      const { end } = await drive([{ run: cell, until: 1, leave: true }])
      expect(end).toEqual({ before: 2, left: 0 })
      expect(readdirSync(folder).filter((name) => name.startsWith('.millrace-cell'))).toEqual([])
    }
  })

  test('when a client asks, names are completed and explained from the declarations of verbs and connectors', async () => {
    const { answers } = await drive([
      { complete: '- id: a\n  sour' },
      { complete: 'spec:\n  graph:\n    - id: a\n      sink:\n        file: { pa' },
      { inspect: '- id: a\n  source:\n    file: { path' },
      { inspect: '- id: a\n  source: { nosuch' },
      { isComplete: '- id: a' },
      { isComplete: '- id: a\n' },
    ])
    expect(answers).toMatchObject([
      { matches: ['source'], cursor_start: 10, cursor_end: 14 },
      { matches: expect.arrayContaining(['path']) },
      { found: true, data: { 'text/plain': expect.stringMatching(/^ {2}path: /) } },
      { found: false },
      { status: 'incomplete', indent: '' },
      { status: 'complete' },
    ])
  })

  test('when the kernel is uninstalled, Jupyter does not find it any more', async () => {
    kernelCommand('uninstall')
    await expect(drive([])).rejects.toThrow(/NoSuchKernel/)
    kernelCommand('install')
  })
})

const GOOD = `- id: in
  source: { values: { rows: [ { size: 1, text: "one" }, { size: 2, text: "two" }, { size: 3, text: "three" } ] } }
  schema: { size: long, text: string }
- id: some
  from: in
  filter: size > 1
- id: out
  from: some
  sink: { console: {} }
`

const ENDLESS = `# %table rows: 1000
- id: in
  source: { nexmark: { type: bid, events: 1000000000, eventsPerSecond: 50, rate: 50/s } }
- id: out
  from: in
  sink: { console: {} }
`

const SPINNING = `import { job, nexmark, print, stream } from 'millrace'
const bids = stream('bids', nexmark('bid', { events: 1000 }))
const spin = bids.filter('spin', () => {
  console.log('spinning')
  for (;;);
})
export default job({ name: 'spinning', sinks: [spin.sink('out', print())] })
`

function tableOf(cell: Cell | undefined): { caption: string; rows: string[][] } {
  const html = cell?.outputs.map(({ data }) => data?.['text/html']).find((one) => one !== undefined) ?? ''
  return { caption: /<caption>(.*)<\/caption>/.exec(html)?.[1] ?? '', rows: rowsIn(html) }
}

function htmlOf(ran: Ran | undefined): string {
  return ran?.outputs.map(({ content }) => content.data?.['text/html']).find((one) => one !== undefined) ?? ''
}

function rowsIn(html: string): string[][] {
  return [...html.matchAll(/^<tr>(<td>.*)<\/tr>$/gm)].map(([, row = '']) =>
    [...row.matchAll(/<td>(.*?)<\/td>/g)].map(([, cell = '']) => cell),
  )
}
