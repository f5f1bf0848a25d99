import { MillraceError } from '../runtime/model/errors.ts'
import { comparedLines, type Comparison } from './comparison.ts'
import { difference } from './difference.ts'
import { mulberry } from './seeded-random.ts'
import { simulate, type Fault, type Simulation, type SimulationResult, type Victim } from './simulated-job.ts'
import type { UserJob } from './user-job.ts'

/** What every run must give, as it is compared, and how long it takes when nothing happens. */
export interface StraightRun {
  comparison: Comparison
  rowsOut: number
  output: readonly string[]
  steps: number
  virtualMs: number
}

export interface SeedVerdict {
  seed: number
  /** What is wrong with the output, or why there is none; undefined when it is that of the straight run. */
  wrong: string | undefined
  /** Those of the seed, in the order in which they struck. */
  faults: readonly string[]
  steps: number
  log: readonly string[]
}

const LIMIT_MS = 600_000
const STRAIGHT = { faults: [], storeFaultRate: 0 } as const

/**
 * The run without faults. Throws SIM_FAILED when the job does not even come to its end so, SIM_EMPTY when it puts out
 * nothing, and SIM_ORDER when its output
 * is another with other replicas and another order of events, or will be: then nothing could be said about runs
 * with faults.
 */
export async function straightRun(job: UserJob, comparison: Comparison): Promise<StraightRun> {
  if (comparison.kind === 'whole' && job.orderBound.length > 0)
    throw orderMatters(`${job.orderBound.join(', ')} puts out rows as others arrive`)
  const first = await simulate({ seed: 0, ...simulationOf(job, job.replicas), ...STRAIGHT }, LIMIT_MS)
  if (!first.finished)
    throw new MillraceError('SIM_FAILED', `without any fault the job does not come to its end: ${troubleOf(first)}`, {
      domain: 'user',
    })
  if (first.output.length === 0) {
    throw new MillraceError('SIM_EMPTY', 'without any fault the job puts out no row, so there is nothing to compare', {
      domain: 'user',
      hint: 'give it input that gets as far as its sinks, or a larger --limit',
    })
  }
  const second = await simulate(
    { seed: 1, ...simulationOf(job, Math.min(job.maxReplicas, job.replicas + 1)), ...STRAIGHT },
    LIMIT_MS,
  )
  const other = second.finished
    ? difference(comparedLines(second.output, comparison), comparedLines(first.output, comparison))
    : troubleOf(second)
  if (other !== undefined) throw orderMatters(`two runs without any fault differ: ${other}`)
  return {
    comparison,
    rowsOut: first.output.length,
    output: comparedLines(first.output, comparison),
    steps: first.steps,
    virtualMs: first.virtualMs,
  }
}

function orderMatters(why: string): MillraceError {
  return new MillraceError(
    'SIM_ORDER',
    `the output hangs on the order in which rows arrive, which is another in every run: ${why}`,
    {
      domain: 'user',
      hint: 'say what is the same in each: --key a,b compares these fields alone, with --order c those of the row with the greatest c of each key',
    },
  )
}

/** One run with what the seed draws; equal seeds run equally, event by event. */
export async function runSeed(job: UserJob, straight: StraightRun, seed: number): Promise<SeedVerdict> {
  const random = mulberry(seed)
  const replicas = (): number => Math.min(job.maxReplicas, 1 + Math.floor(random() * 3))
  const at = (): number => Math.floor(random() * straight.steps)
  const result = await simulate(
    {
      seed,
      ...simulationOf(job, random() < 0.5 ? job.replicas : replicas()),
      faults: Array.from({ length: 1 + Math.floor(random() * 4) }, () => drawFault(random, at())),
      storeFaultRate: random() < 0.3 ? 0.03 : 0,
      ...(random() < 0.5 ? { rescales: [{ at: at(), spec: job.specOf(replicas()) }] } : {}),
    },
    straight.virtualMs + LIMIT_MS,
  )
  return {
    seed,
    wrong: result.finished
      ? difference(comparedLines(result.output, straight.comparison), straight.output)
      : `it does not come to its end: ${troubleOf(result)}`,
    faults: result.log.flatMap((line) => line.split(' FAULT ')[1] ?? []),
    steps: result.steps,
    log: result.log,
  }
}

function drawFault(random: () => number, at: number): Fault {
  const drawn = random()
  const who: Victim = random() < 0.3 ? 'coordinator' : Math.floor(random() * 16)
  const forMs = Math.floor(100 + random() * 20_000)
  if (drawn < 0.3) return { at, kind: 'kill', who }
  if (drawn < 0.5) return { at, kind: 'zombie', who }
  if (drawn < 0.6) return { at, kind: 'cut', who }
  if (drawn < 0.75) return { at, kind: 'partition', who, forMs }
  return { at, kind: drawn < 0.85 ? 'storeDown' : drawn < 0.93 ? 'storeSlow' : 'diskFull', forMs }
}

function simulationOf(
  { specOf, files, modules, baseDir, outputFolders }: UserJob,
  replicas: number,
): Pick<Simulation, 'spec' | 'files' | 'modules' | 'baseDir' | 'outputFolders'> {
  return { spec: specOf(replicas), files, modules: () => modules, baseDir, outputFolders }
}

function troubleOf({ report, virtualMs }: SimulationResult): string {
  const error = report?.error ? `, ${report.error.code}: ${report.error.message}` : ''
  return `${report?.phase ?? 'nothing runs'} at attempt ${report?.attempt ?? 0} after ${Math.round(virtualMs / 1000)} virtual seconds${error}`
}
