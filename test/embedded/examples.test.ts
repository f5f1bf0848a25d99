import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { readJobFile } from '../../runtime/front/job-file.ts'
import { canonicalJson } from '../../runtime/model/canonical-json.ts'
import { BY_ARRIVAL, rounded, rowsOf, settled } from '../harness/kept-savepoints.ts'
import { until } from '../harness/until.ts'
import { startMillraceIn } from '../harness/processes.ts'
import { ROOT } from '../harness/source-files.ts'

interface Sink {
  id: string
  from?: unknown
  sink?: { file: { path: string } } | 'console'
}

describe('the tour', () => {
  test('the numbers of a list come out doubled', async () => {
    const { code, stdout, stderr } = await startMillraceIn(ROOT, 'run', 'examples/tour/numbers.yaml', '--in-process')
      .ended
    expect(code, stderr).toBe(0)
    expect(stdout.trim().split('\n')).toEqual([2, 4, 6, 8, 10].map((number) => JSON.stringify({ number })))
  })

  test('rows that went into a Delta table come back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-tour-'))
    try {
      cpSync(join(ROOT, 'examples', 'tour'), folder, { recursive: true })
      const outputs: string[] = []
      for (const job of ['delta.yaml', 'delta-back.yaml']) {
        const { code, stdout, stderr } = await startMillraceIn(ROOT, 'run', join(folder, job), '--in-process').ended
        expect(code, stderr).toBe(0)
        outputs.push(stdout)
      }
      const prices = (outputs[1] ?? '')
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { price: string }).price)
      expect(prices.sort()).toEqual(['12.30', '12.31', '9.99'])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

test('orders that are sent to the webhook of the tour are added up, each event once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-tour-'))
  cpSync(join(ROOT, 'examples', 'tour', 'webhook.yaml'), join(folder, 'webhook.yaml'))
  const millrace = startMillraceIn(folder, 'run', 'webhook.yaml', '--in-process')
  try {
    const send = (event: string, customer: string, amount: string): Promise<number | undefined> =>
      fetch('http://127.0.0.1:18088/', {
        method: 'POST',
        headers: { 'x-event-id': event },
        body: `{"customer": "${customer}", "amount": ${amount}}`,
      }).then(
        ({ status }) => status,
        () => undefined,
      )
    expect(await until('the job listens', () => send('e-1', 'ada', '12.30')), millrace.stderr()).toBe(200)
    for (const event of ['e-1', 'e-2', 'e-2']) expect(await send(event, 'ada', '12.30')).toBe(200)
    expect(await send('e-3', 'ada', '"a lot"')).toBe(400)
    expect(await send('e-4', 'bob', '0.01')).toBe(200)
    await until('both have their totals', () => (millrace.stdout().split('\n').length > 3 ? true : undefined))
    const totals = millrace.stdout().trim().split('\n')
    expect(totals.map((line) => JSON.parse(line) as object)).toEqual([
      { customer: 'ada', orders: 1, total: '12.30' },
      { customer: 'ada', orders: 2, total: '24.60' },
      { customer: 'bob', orders: 1, total: '0.01' },
    ])
  } finally {
    millrace.process.kill('SIGKILL')
    await millrace.ended
    rmSync(folder, { recursive: true })
  }
})

// A job that ends with nothing to show for it is not an example: its filter may name what the data does not have.
describe('examples of verbs', () => {
  const files = readdirSync(join(ROOT, 'examples', 'verbs')).filter((file) => file.endsWith('.yaml'))
  const verbs = copyOfExamples()
  const sorted = copyOfExamples()
  for (const file of files) {
    const job = parse(readFileSync(join(sorted, file), 'utf8')) as unknown
    writeFileSync(join(sorted, file), canonicalJson(job))
  }

  test.each(files)('when %s is run as it stands, every sink gets rows', async (file) => {
    const { spec } = readJobFile(readFileSync(join(verbs, file), 'utf8')) as { spec: { graph: Sink[] } }
    const { code, stdout, stderr } = await startMillraceIn(verbs, 'run', file, '--in-process').ended
    expect(code, stderr).toBe(0)
    const empty = spec.graph.filter(({ from, sink }) => {
      // each of a file's parts is in order, so nothing comes late
      if (sink === undefined || String(from).endsWith('.late')) return false
      if (sink === 'console') return stdout === ''
      const path = join(verbs, sink.file.path)
      return !existsSync(path) || rowsOf(path).length === 0
    })
    expect(empty.map(({ id }) => id)).toEqual([])
  })

  // An API server sorts the keys of mappings: what runs on a laptop must give the same rows there.
  test.each(files.filter((file) => !BY_ARRIVAL.includes(file.replace('.yaml', ''))))(
    'when the keys of %s are sorted, its sinks get the same rows',
    async (file) => {
      const { code, stderr } = await startMillraceIn(sorted, 'run', file, '--in-process').ended
      expect(code, stderr).toBe(0)
      expect(outputsOf(file, sorted)).toEqual(outputsOf(file, verbs))
    },
  )

  function outputsOf(file: string, folder: string): unknown {
    const { spec } = readJobFile(readFileSync(join(folder, file), 'utf8')) as { spec: { graph: Sink[] } }
    return rounded(
      Object.fromEntries(
        spec.graph.flatMap(({ id, sink }) => {
          if (sink === undefined || sink === 'console') return []
          const rows = rowsOf(join(folder, sink.file.path)).map((row) => JSON.parse(canonicalJson(row)) as typeof row)
          return [[id, settled(`${file.replace('.yaml', '')}/${id}`, rows)]]
        }),
      ),
    )
  }
})

/** The folder of the verbs in a copy of all examples, with node_modules where they look for data. */
function copyOfExamples(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-examples-'))
  cpSync(join(ROOT, 'examples'), join(folder, 'examples'), {
    recursive: true,
    filter: (path) => !path.includes('.millrace'),
  })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return join(folder, 'examples', 'verbs')
}
