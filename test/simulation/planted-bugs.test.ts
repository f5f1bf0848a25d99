import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { PLANT_BUDGET } from '../harness/simulation/scenario.ts'
import { SCENARIOS } from '../harness/simulation/scenarios.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** A guard against hanging, also on a machine that is busy with other things. */
const LIMIT_MS = 600_000

interface Ended {
  readonly code: number
  readonly text: string
}

/** Runs a program of the repository in a process of its own: a planted bug is in all that the process loads. */
async function runProgram(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT, env: { ...process.env, ...env } })
    return { code: 0, text: stdout }
  } catch (error) {
    const { code = 1, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string }
    return { code, text: stdout + stderr }
  }
}

test.concurrent.each(
  SCENARIOS.flatMap(({ name, finds }) => Object.entries(finds).map(([bug, seed]) => [bug, name, seed] as const)),
)(
  'the planted bug %s is found by the scenario %s',
  async (bug, scenario, seed) => {
    const ended = await runProgram([
      'test/simulate.ts',
      '--scenario',
      scenario,
      '--plant',
      bug,
      '--first',
      `${seed}`,
      '--seeds',
      `${PLANT_BUDGET}`,
    ])
    expect(ended, ended.text).toMatchObject({ code: 0, text: expect.stringContaining(`${bug} planted, found`) })
  },
  LIMIT_MS,
)

test(
  'when the runtime commits before a checkpoint is complete, millrace sim shows it to the author of a job',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-planted-'))
    try {
      const job = join(folder, 'job.yaml')
      writeFileSync(
        job,
        `apiVersion: millrace.dev/v1alpha1
kind: StreamJob
metadata: { name: planted }
spec:
  replicas: 2
  graph:
    - id: bids
      source: { nexmark: { events: 300, type: bid } }
      eventTime: { field: dateTime }
    - id: hot
      from: bids
      keyBy: auction
      window: { tumble: 1s }
      aggregate: { n: count() }
    - { id: out, from: hot, sink: { file: { path: out, format: json } } }
`,
      )
      const sim = ['cli/main.ts', 'sim', job, '--seeds', '40']
      expect(await runProgram(sim)).toMatchObject({ code: 0 })
      const planted = ['--import', './test/harness/simulation/plant-from-environment.ts', ...sim]
      expect(await runProgram(planted, { MILLRACE_TEST_PLANT: 'commitOnSnapshot' })).toMatchObject({ code: 1 })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  LIMIT_MS,
)
