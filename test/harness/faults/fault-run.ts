import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { LocalJob } from '../../../cli/local-job.ts'
import { builtinConnectors } from '../../../runtime/builtin-connectors.ts'
import type { JobReport } from '../../../runtime/control/job-report.ts'
import { subtasksOf } from '../../../runtime/plan/chaining.ts'
import { planJob } from '../../../runtime/plan/planned-job.ts'
import { JobFolder } from '../job-folder.ts'
import { difference } from '../../../sim/difference.ts'
import { mulberry } from '../../../sim/seeded-random.ts'
import { until } from '../until.ts'
import { faultSpec, LINES, type FaultJob, type OutputRow } from './fault-jobs.ts'

/** While faults come: slow enough that the job outlives them. */
const SLOW = '60/s'
const LIMIT_MS = 120_000

export type FaultKind = 'kill' | 'killCoordinator' | 'killTwo' | 'freeze'

export interface FaultVerdict {
  /** Undefined when the output is right. */
  wrong: string | undefined
  faults: number
  log: readonly string[]
}

export interface FaultRunOptions {
  seed: number
  /** Drawn from the seed when left out. */
  kinds?: readonly FaultKind[]
  say?(line: string): void
}

/** What an uninterrupted run of the job gives, by the job's name. */
const straightOutputs = new Map<string, Promise<string[]>>()

/**
 * Runs the job as real processes: slowly while faults drawn from the seed come, each when the job has got as far as the
 * seed says, then at full speed with another number of replicas. Its output is compared with that of an uninterrupted
 * run; a job that fails or does not get on is wrong too. Throws when the uninterrupted run goes wrong.
 */
export async function runWithFaults(job: FaultJob, { seed, kinds, say = () => undefined }: FaultRunOptions): Promise<FaultVerdict> {
  const expected = await straightOutput(job)
  const random = mulberry(seed)
  const run = new FaultRun(job, random, say)
  try {
    await run.start(1 + Math.floor(random() * 3))
    const drawn = kinds ?? Array.from({ length: 2 + Math.floor(random() * 4) }, () => kindOf(random()))
    for (const kind of drawn) await run.fault(kind)
    await run.finish(1 + Math.floor(random() * 3), random() < 0.5 ? 'disturbed' : 'quiet')
    return { wrong: difference(settledOutput(job, run.folder), expected), faults: run.faults, log: run.log }
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error), faults: run.faults, log: run.log }
  } finally {
    await run.close()
  }
}

function kindOf(drawn: number): FaultKind {
  if (drawn < 0.5) return 'kill'
  if (drawn < 0.75) return 'killCoordinator'
  return drawn < 0.9 ? 'killTwo' : 'freeze'
}

/** The output of a run without faults, checked against the plain computation where there is one. */
function straightOutput(job: FaultJob): Promise<string[]> {
  const known = straightOutputs.get(job.name) ?? runStraight(job)
  straightOutputs.set(job.name, known)
  return known
}

async function runStraight(job: FaultJob): Promise<string[]> {
  const run = new FaultRun(job, () => 0, () => undefined)
  try {
    await run.start(2, 'fast')
    await run.reportWith('finished', ({ phase }) => phase === 'finished')
    const output = settledOutput(job, run.folder)
    const plain = job.plain?.()
    const wrong = plain === undefined ? undefined : difference(output, plain)
    if (wrong !== undefined) throw new Error(`${job.name} without any fault differs from the plain computation: ${wrong}`)
    if (output.length === 0) throw new Error(`${job.name} has no output: it shows nothing`)
    return output
  } finally {
    await run.close()
  }
}

function settledOutput(job: FaultJob, folder: JobFolder): string[] {
  const lines = folder.output()
  return job.settled === undefined ? lines : job.settled(lines.map((line) => JSON.parse(line) as OutputRow))
}

class FaultRun {
  readonly folder = new JobFolder(LINES)
  readonly log: string[] = []
  faults = 0
  readonly #fault: FaultJob
  readonly #random: () => number
  readonly #say: (line: string) => void
  readonly #job: LocalJob
  readonly #startedAt = Date.now()
  /** Processes beside those of the job: what stands in for a frozen one. */
  readonly #standIns = new Set<ChildProcess>()
  readonly #frozen = new Set<ChildProcess>()

  constructor(fault: FaultJob, random: () => number, say: (line: string) => void) {
    this.#fault = fault
    this.#random = random
    this.#say = say
    this.#job = new LocalJob({ name: 'hot-auctions', uid: 'local', token: 'token', store: this.folder.store, baseDir: import.meta.dirname, logLevel: 'silent' })
  }

  async start(replicas: number, pace: 'slow' | 'fast' = 'slow'): Promise<void> {
    const spec = this.#spec(replicas, pace)
    await this.#job.start(subtasksOf(planJob(spec, builtinConnectors).plan))
    await this.#job.setTarget({ revision: pace, spec, desiredState: 'running' })
    this.#note(`started, ${pace}, ${replicas} replicas`)
  }

  /** Goes on at full speed with so many replicas until the input is through; `disturbed`: with a kill on the way. */
  async finish(replicas: number, how: 'quiet' | 'disturbed'): Promise<void> {
    const spec = this.#spec(replicas, 'fast')
    this.#job.addWorkers(subtasksOf(planJob(spec, builtinConnectors).plan))
    await this.#job.setTarget({ revision: 'last', spec, desiredState: 'running' })
    this.#note(`to full speed, ${replicas} replicas, ${how}`)
    if (how === 'disturbed') this.#kill(this.#anyName())
    await this.reportWith('finished', ({ phase, targetRevision }) => phase === 'finished' && targetRevision === 'last')
    this.#note('finished')
  }

  /** One fault, at the progress the seed draws. */
  async fault(kind: FaultKind): Promise<void> {
    const before = await this.#drawnProgress()
    if (before.phase === 'finished') throw new Error('the input was through before the faults were: it has to be longer or slower')
    this.faults += 1
    if (kind === 'freeze') await this.#freeze(this.#anyWorker())
    else if (kind === 'killTwo') { this.#kill(this.#anyWorker()); this.#kill(this.#anyName()) }
    else this.#kill(kind === 'killCoordinator' ? 'coordinator' : this.#anyWorker())
  }

  /** Waits for what the seed says: nothing, a deployed attempt, records of it, its first or a later checkpoint. */
  async #drawnProgress(): Promise<JobReport> {
    const drawn = this.#random()
    const more = 1 + Math.floor(this.#random() * 4)
    const first = await this.reportWith('answering', () => true)
    if (drawn < 0.15) return first
    if (drawn < 0.3) return this.reportWith('running', ({ phase }) => phase === 'running' || phase === 'finished')
    if (drawn < 0.55) return this.reportWith('reading', ({ phase, recordsIn }) => (phase === 'running' && recordsIn > 0) || phase === 'finished')
    const { checkpoint } = await this.reportWith('running', ({ phase }) => phase === 'running' || phase === 'finished')
    return this.reportWith(`${more} checkpoints on`, ({ phase, checkpoint: now }) => (phase === 'running' && (now?.id ?? 0) >= (checkpoint?.id ?? 0) + more) || phase === 'finished')
  }

  #kill(name: string): void {
    this.#note(`SIGKILL ${name}`)
    this.#job.processes.get(name)?.kill('SIGKILL')
  }

  /**
   * SIGSTOP until the coordinator has given the worker up, another process takes its place and the job has got on; then
   * SIGCONT: the one that was given up goes on with what it had under way, and both claim the place until one is killed.
   */
  async #freeze(name: string): Promise<void> {
    const sleeper = this.#job.processes.get(name)
    if (sleeper?.pid === undefined || !isAlive(sleeper)) { this.#note(`${name} is away already`); return }
    this.#note(`SIGSTOP ${name}`)
    const environment = environmentOf(sleeper.pid)
    sleeper.kill('SIGSTOP')
    this.#frozen.add(sleeper)
    await this.reportWith(`without ${name}`, ({ registeredWorkers }) => !registeredWorkers.includes(name))
    const standIn = spawn(process.execPath, sleeper.spawnargs.slice(1), { stdio: ['ignore', 'inherit', 'ignore', 'pipe'], env: environment })
    this.#standIns.add(standIn)
    const { attempt, checkpoint } = await this.reportWith('past a checkpoint with the stand-in', ({ phase, attempt: now, checkpoint: newest, registeredWorkers }) =>
      phase === 'finished' || (phase === 'running' && registeredWorkers.includes(name) && newest?.attempt === now))
    this.#note(`SIGCONT ${name}, attempt ${attempt}, checkpoint ${checkpoint?.id}`)
    sleeper.kill('SIGCONT')
    this.#frozen.delete(sleeper)
    await this.reportWith('further, or disturbed by the one that woke', ({ attempt: now, checkpoint: newest, phase }) =>
      phase === 'finished' || now > attempt || (newest?.id ?? 0) >= (checkpoint?.id ?? 0) + 3)
    standIn.kill('SIGKILL')
    this.#standIns.delete(standIn)
  }

  reportWith(what: string, matches: (report: JobReport) => boolean): Promise<JobReport> {
    let last: JobReport | undefined
    return until(`the job is ${what}`, async () => {
      last = await this.#job.report() ?? last
      if (last?.phase === 'failed') throw new Error(`the job failed: ${last.error?.code} ${last.error?.message}`)
      return last !== undefined && matches(last) ? last : undefined
    }, LIMIT_MS).catch((cause: unknown) => {
      throw new Error(`${this.#fault.name} never was ${what}: ${cause instanceof Error ? cause.message : String(cause)}; last report ${JSON.stringify(last)}`, { cause })
    })
  }

  async close(): Promise<void> {
    for (const frozen of this.#frozen) frozen.kill('SIGKILL')
    for (const standIn of this.#standIns) standIn.kill('SIGKILL')
    await this.#job.close()
    this.folder.delete()
  }

  #spec(replicas: number, pace: 'slow' | 'fast'): object {
    return faultSpec(this.#fault, { folder: this.folder.path, store: this.folder.store, replicas, ...(pace === 'slow' ? { rate: SLOW } : {}) })
  }

  #anyName(): string { return this.#pick([...this.#job.processes.keys()]) }

  #anyWorker(): string { return this.#pick([...this.#job.processes.keys()].filter((name) => name !== 'coordinator')) }

  #pick(names: readonly string[]): string {
    const sorted = [...names].sort()
    return sorted[Math.floor(this.#random() * sorted.length)] ?? ''
  }

  #note(what: string): void {
    const line = `${String(Date.now() - this.#startedAt).padStart(6)} ms  ${what}`
    this.log.push(line)
    this.#say(line)
  }
}

const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null

/** What a running process was started with: one that takes its place gets the same. */
function environmentOf(pid: number): Record<string, string> {
  return Object.fromEntries(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter((entry) => entry.includes('=')).map((entry) => {
    const at = entry.indexOf('=')
    return [entry.slice(0, at), entry.slice(at + 1)]
  }))
}
