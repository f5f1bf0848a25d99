import { dirname, resolve } from 'node:path'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { NodeModules } from '../runtime/ports/real/modules.ts'
import type { Comparison } from '../sim/comparison.ts'
import { prepareUserJob } from '../sim/user-job.ts'
import { runSeed, straightRun, type SeedVerdict } from '../sim/user-job-run.ts'
import type { Console } from './console.ts'
import { findingsText, readJob } from './read-job.ts'

const PROGRESS_EVERY_MS = 2_000

export interface SimOptions {
  file: string
  /** The seeds 1 to `count`, or the one given with all that happens in it. */
  seeds: { kind: 'many'; count: number } | { kind: 'one'; seed: number }
  /** At most so many rows of each file; undefined: all. */
  limit: number | undefined
  comparison: Comparison
  output: 'text' | 'json'
}

/**
 * `millrace sim job.yaml`: the job in this process under virtual time, killed, paused, cut off, rescaled, its store
 * failing, slow or full, as each seed draws it; its output must be that of a run without faults. 0 when it always
 * is, 1 when it is not or the job cannot be simulated (SIM_OUTSIDE, SIM_ORDER, SIM_EMPTY, SIM_FAILED).
 */
export async function sim(options: SimOptions, { out, err }: Console): Promise<number> {
  const { file, seeds, limit, comparison, output } = options
  const read = await readJob(file, builtinConnectors)
  err(findingsText(read.findings))
  if (read.findings.some((finding) => finding.severity === 'error')) return 1
  const startedAt = Date.now()
  const seconds = (): number => Math.round((Date.now() - startedAt) / 100) / 10
  const job = await prepareUserJob({
    spec: read.spec,
    baseDir: dirname(resolve(file)),
    limit: limit ?? Infinity,
    modules: new NodeModules(),
  })
  const straight = await straightRun(job, comparison)
  err(
    `${read.name}: without faults ${job.rows} rows in, ${straight.rowsOut} out, ${straight.steps} events, ${seconds()} s for two runs\n`,
  )

  const wanted = seeds.kind === 'one' ? [seeds.seed] : Array.from({ length: seeds.count }, (_, index) => index + 1)
  const wrong: SeedVerdict[] = []
  let faults = 0
  let events = 0
  let toldAt = Date.now()
  for (const [index, seed] of wanted.entries()) {
    const verdict = await runSeed(job, straight, seed)
    faults += verdict.faults.length
    events += verdict.steps
    if (seeds.kind === 'one') err(`${verdict.log.join('\n')}\n`)
    if (verdict.wrong !== undefined) {
      wrong.push(verdict)
      if (output === 'text')
        out(
          `seed ${seed}: ${verdict.wrong}\n  what happened: ${verdict.faults.join('; ')}\n  again: ${again(options, seed)}\n`,
        )
    }
    if (Date.now() - toldAt < PROGRESS_EVERY_MS) continue
    toldAt = Date.now()
    err(`${read.name}: ${index + 1} of ${wanted.length} seeds, ${wrong.length} wrong, ${seconds()} s\n`)
  }

  if (output === 'json') {
    out(
      `${JSON.stringify({
        job: read.name,
        seeds: wanted.length,
        rowsIn: job.rows,
        rowsOut: straight.rowsOut,
        faults,
        events,
        seconds: seconds(),
        wrong: wrong.map((verdict) => ({
          seed: verdict.seed,
          reason: verdict.wrong,
          faults: verdict.faults,
          again: again(options, verdict.seed),
        })),
      })}\n`,
    )
  } else
    out(
      `${read.name}: ${wanted.length - wrong.length} of ${wanted.length} seeds right, ${faults} faults, ${events} events, ${seconds()} s\n`,
    )
  return wrong.length === 0 ? 0 : 1
}

function again({ file, limit, comparison }: SimOptions, seed: number): string {
  const compared =
    comparison.kind === 'whole'
      ? ''
      : ` --key ${comparison.key.join(',')}${comparison.kind === 'last' ? ` --order ${comparison.order}` : ''}`
  return `millrace sim ${file} --seed ${seed}${limit === undefined ? '' : ` --limit ${limit}`}${compared}`
}
