import type { Finds, Scenario, Verdict } from './scenario.ts'
import { mulberry } from '../../../sim/seeded-random.ts'
import { simulate, type Fault, type Simulation } from '../../../sim/simulated-job.ts'
import { inputFiles } from './window-job.ts'

/** A job of bids from files, some operators, and a sink `out` into files; what it must give is the tester's to say. */
export interface VerbJob {
  /** Between the source `bids` and what reads `from`. Side outputs that are read need a sink of their own. */
  graph: readonly object[]
  from: string
  eventTime?: object
  /**
   * Limits memory; then something must have gone to disk. With few key groups, each of which keeps its newest rows
   * in memory.
   */
  state?: object
  /** Instead of the usual ones, by path; the source reads /data/in-*.jsonl. */
  files?: ReadonlyMap<string, string>
  /** What the modules of the job, named as here, export; and what services answer. */
  modules?: NonNullable<Simulation['modules']>
  moduleNames?: readonly string[]
  http?: NonNullable<Simulation['http']>
  /** Undefined when the rows that came out are right. */
  wrongness(rows: readonly Record<string, unknown>[]): string | undefined
}

/** Every bid of the input files. */
export const BIDS: readonly { auction: number; price: number; at: number; channel: string }[] = [
  ...inputFiles().values(),
]
  .flatMap((text) => text.trimEnd().split('\n'))
  .map((line) => JSON.parse(line) as (typeof BIDS)[number])

export function specOf({ graph, from, eventTime, state, moduleNames = [] }: VerbJob, replicas: number): object {
  return {
    replicas,
    checkpoints: { interval: '120ms' },
    ...(state === undefined ? {} : { state, maxParallelism: 4 }),
    modules: Object.fromEntries(moduleNames.map((name) => [name, { path: `./${name}.ts` }])),
    graph: [
      {
        id: 'bids',
        source: { file: { path: '/data/in-*.jsonl', format: 'json', rate: '150/s' } },
        schema: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' },
        eventTime: eventTime ?? { field: 'at', outOfOrderness: '300ms' },
      },
      ...graph,
      { id: 'out', from, sink: { file: { path: '/data/out', format: 'json', timestampFormat: 'epochMillis' } } },
    ],
  }
}

/** Runs the job once, with kills, pauses, cut connections and a rescale drawn from the seed; seed 0 without. */
function verbVerdict(job: VerbJob, seed: number): Promise<Verdict> {
  const random = mulberry(seed * 7919)
  const faults = Array.from(
    { length: seed === 0 ? 0 : 1 + Math.floor(random() * 4) },
    (): Fault => ({
      at: Math.floor(random() * 4_000),
      kind: (['kill', 'zombie', 'cut'] as const)[Math.floor(random() * 3)] ?? 'kill',
      who: random() < 0.3 ? 'coordinator' : Math.floor(random() * 8),
    }),
  )
  const replicas = 1 + Math.floor(random() * 3)
  const rescales =
    seed % 2 === 0 ? [] : [{ at: Math.floor(random() * 3_000), spec: specOf(job, 1 + Math.floor(random() * 3)) }]
  return verdictOf(job, { seed, spec: specOf(job, replicas), faults, rescales })
}

/**
 * Runs the job once, rescaled some times, also back and forth, and struck while it is: workers and coordinator are
 * killed, sleep or are cut off, the store is slow or away.
 */
export function switchVerdict(job: VerbJob, seed: number): Promise<Verdict> {
  const random = mulberry(seed * 104_729)
  const one = 1 + Math.floor(random() * 3)
  const other = 1 + ((one + Math.floor(random() * 2)) % 3)
  let rescaledAt = 300 + Math.floor(random() * 2_500)
  const rescales = Array.from({ length: 1 + Math.floor(random() * 5) }, (_, index) => {
    rescaledAt += 50 + Math.floor(random() * 1_000)
    return { at: rescaledAt, spec: specOf(job, index % 2 === 0 ? other : one) }
  })
  const faults = Array.from({ length: Math.floor(random() * 4) }, (): Fault => {
    const at = (rescales[Math.floor(random() * rescales.length)]?.at ?? 0) + Math.floor((random() - 0.3) * 600)
    const drawn = random()
    if (drawn < 0.3) return { at, kind: drawn < 0.2 ? 'storeSlow' : 'storeDown', forMs: Math.floor(random() * 1_500) }
    return {
      at,
      kind: (['kill', 'zombie', 'cut'] as const)[Math.floor(random() * 3)] ?? 'kill',
      who: random() < 0.4 ? 'coordinator' : Math.floor(random() * 8),
    }
  })
  // a coordinator that dies between two rescales knows nothing of what it had prepared
  if (random() < 0.5 && rescales[0] && rescales[1]) {
    const at = rescales[0].at + 20 + Math.floor(random() * 300)
    faults.push({ at, kind: 'kill', who: 'coordinator' })
    rescales[1].at = at + Math.floor(random() * 60)
  }
  return verdictOf(job, { seed, spec: specOf(job, one), faults, rescales })
}

async function verdictOf(
  job: VerbJob,
  drawn: Pick<Simulation, 'seed' | 'spec' | 'faults' | 'rescales'>,
): Promise<Verdict> {
  const { finished, report, output, steps, log } = await simulate(
    {
      ...drawn,
      files: job.files ?? inputFiles(),
      storeFaultRate: 0,
      ...(job.modules === undefined ? {} : { modules: job.modules }),
      ...(job.http === undefined ? {} : { http: job.http }),
    },
    120_000,
  )
  if (job.state !== undefined && !log.some((line) => line.includes(' scratch file ')))
    return { wrong: 'nothing went to disk', steps, log }
  const wrong = finished
    ? job.wrongness(output.map((line) => JSON.parse(line) as Record<string, unknown>))
    : `not finished: ${JSON.stringify(report)}`
  return { wrong, steps, log }
}

/** Runs the job under so many seeds; what went wrong, by seed. */
export async function wrongVerbSeeds(job: VerbJob, seeds: number): Promise<string[]> {
  const wrong: string[] = []
  for (let seed = 0; seed < seeds; seed++) {
    const { wrong: reason } = await verbVerdict(job, seed)
    if (reason !== undefined) wrong.push(`seed ${seed}: ${reason}`)
  }
  return wrong
}

/** The jobs, one after the other from seed to seed, as a scenario of test/simulate.ts. */
export function verbScenario(name: string, jobs: readonly [VerbJob, ...VerbJob[]], finds: Finds): Scenario {
  return { name, finds, run: (seed) => verbVerdict(jobs[seed % jobs.length] ?? jobs[0], seed) }
}

/** For upserts: whether the greatest `value` of every key is the one expected. */
export function finalWrongness(
  rows: readonly Record<string, unknown>[],
  keyOf: (row: Record<string, unknown>) => string,
  value: string,
  expected: ReadonlyMap<string, number>,
): string | undefined {
  const last = new Map<string, number>()
  for (const row of rows) last.set(keyOf(row), Math.max(last.get(keyOf(row)) ?? -Infinity, Number(row[value])))
  const text = (values: ReadonlyMap<string, number>): string =>
    JSON.stringify([...values].sort(([a], [b]) => (a < b ? -1 : 1)))
  return text(last) === text(expected) ? undefined : `${value} is ${text(last)}, not ${text(expected)}`
}
