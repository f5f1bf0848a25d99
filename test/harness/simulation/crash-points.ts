import { isFields } from '../../../runtime/model/fields.ts'
import { difference } from '../../../sim/difference.ts'
import {
  simulate,
  type Fault,
  type Simulation,
  type SimulationResult,
  type Victim,
} from '../../../sim/simulated-job.ts'
import { FAULT_JOBS, type FaultJob, type OutputRow } from '../faults/fault-jobs.ts'
import { perSecond } from '../faults/functions.ts'
import type { Scenario, Verdict } from './scenario.ts'
import { inputFiles } from './window-job.ts'

/** Few rows: every event of the run is to be struck. */
const LINES_A_FILE = 20
const RATE = '60/s'
const REPLICAS = 2
const LIMIT_MS = 120_000
const JOBS = FAULT_JOBS.filter(({ over }) => over === undefined)
const KINDS = ['kill', 'zombie', 'together'] as const
/** How many events after two processes have fallen asleep together a third one dies. */
const LATER = 400

/** A run without faults: what must come out, and where it can be struck. */
interface Straight {
  output: readonly string[]
  steps: number
  victims: readonly Victim[]
}

const straightRuns = new Map<FaultJob, Promise<Straight>>()

/**
 * Each event of a short run × each process × what happens to it, one job per verb: it dies, it sleeps and wakes
 * when it has been replaced, or it does so together with the coordinator, as with the machine they share, and
 * another dies later. Seed n strikes the job n modulo their number; a job's points come in an order that spreads
 * any number of seeds evenly over the whole run, and none comes twice before all have come.
 */
export const crashPointScenario: Scenario = {
  name: 'crash-points',
  finds: { commitOnSnapshot: 20, noRecommit: 13, noAlign: 638 },
  run: runPoint,
}

async function runPoint(seed: number): Promise<Verdict> {
  const job = JOBS[seed % JOBS.length] as FaultJob
  const straight = await straightOf(job)
  const faults = faultsAt(straight, Math.floor(seed / JOBS.length))
  const result = await run(job, faults)
  const wrong = result.finished
    ? difference(settled(job, result.output), straight.output)
    : `not finished: ${JSON.stringify(result.report)}`
  return {
    wrong: wrong === undefined ? undefined : `${job.name}, ${JSON.stringify(faults)}: ${wrong}`,
    steps: result.steps,
    log: result.log,
  }
}

const pointsOf = ({ steps, victims }: Straight): number => steps * victims.length * KINDS.length

function faultsAt(straight: Straight, index: number): Fault[] {
  const points = pointsOf(straight)
  const point = (index * strideOf(points)) % points
  const { victims } = straight
  const at = Math.floor(point / (victims.length * KINDS.length))
  const place = Math.floor(point / KINDS.length) % victims.length
  const who = victims[place] ?? 'coordinator'
  const kind = KINDS[point % KINDS.length] ?? 'kill'
  if (kind !== 'together') return [{ at, who, kind }]
  return [
    { at, who, kind: 'zombie' },
    { at, who: 'coordinator', kind: 'zombie' },
    { at: at + LATER, who: victims[(place + 1) % victims.length] ?? 0, kind: 'kill' },
  ]
}

/** About the golden section, and without a divisor in common: every point is met once. */
function strideOf(points: number): number {
  let stride = Math.max(1, Math.floor(points * 0.618))
  while (divisor(stride, points) !== 1) stride += 1
  return stride
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b)
}

function straightOf(job: FaultJob): Promise<Straight> {
  const known = straightRuns.get(job) ?? runStraight(job)
  straightRuns.set(job, known)
  return known
}

async function runStraight(job: FaultJob): Promise<Straight> {
  const { finished, report, output, steps } = await run(job, [])
  if (!finished || output.length === 0)
    throw new Error(`${job.name} without any fault gives nothing: it is ${report?.phase}`)
  return {
    output: settled(job, output),
    steps,
    victims: ['coordinator', ...(report?.expectedWorkers ?? []).map((_, index) => index)],
  }
}

function settled(job: FaultJob, lines: string[]): string[] {
  return job.settled === undefined ? lines : job.settled(lines.map((line) => JSON.parse(line) as OutputRow))
}

/** With so few rows hardly a pair passes the condition of a join that is there to keep thousands small. */
function wide(entry: object): object {
  return 'join' in entry && isFields(entry.join) ? { ...entry, join: { ...entry.join, where: undefined } } : entry
}

function run({ graph, from }: FaultJob, faults: readonly Fault[]): Promise<SimulationResult> {
  const simulation: Simulation = {
    seed: 1,
    faults,
    storeFaultRate: 0,
    files: inputFiles('/data', LINES_A_FILE),
    modules: () => ({ own: { perSecond } }),
    spec: {
      replicas: REPLICAS,
      checkpoints: { interval: '120ms' },
      modules: { own: { path: './own.ts' } },
      graph: [
        {
          id: 'bids',
          source: { file: { path: '/data/in-*.jsonl', format: 'json', rate: RATE } },
          schema: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' },
          eventTime: { field: 'at', outOfOrderness: '300ms' },
        },
        ...graph.map(wide),
        { id: 'out', from, sink: { file: { path: '/data/out', format: 'json', timestampFormat: 'epochMillis' } } },
      ],
    },
  }
  return simulate(simulation, LIMIT_MS)
}
