import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { LocalJob } from '../../../cli/local-job.ts'
import { builtinConnectors } from '../../../runtime/builtin-connectors.ts'
import type { JobReport } from '../../../runtime/control/job-report.ts'
import { subtasksOf } from '../../../runtime/plan/chaining.ts'
import { planJob } from '../../../runtime/front/planned-job.ts'
import { JobFolder } from '../job-folder.ts'
import { difference } from '../../../sim/difference.ts'
import { mulberry } from '../../../sim/seeded-random.ts'
import { until } from '../until.ts'
import { faultBed, type FaultBed } from './fault-bed.ts'
import { bidLines, faultSpec, LINES, type FaultJob, type OutputRow } from './fault-jobs.ts'
import { KafkaPlace } from './kafka-place.ts'
import type { StorePlace } from './store-place.ts'

/** While faults come: slow enough that the job outlives them. */
const SLOW = '30/s'
/** Between the batches of a topic, likewise. */
const FEED_EVERY_MS = 600
const LIMIT_MS = 120_000

/**
 * `silence`: packets of a process are lost for a while; `diskFull`: that of store and output is; `slowDisk`: it
 * takes its time. These three in a bed only. `killStore`: where checkpoints lie at a server.
 */
export type FaultKind =
  | 'kill'
  | 'killCoordinator'
  | 'killTwo'
  | 'freeze'
  | 'silence'
  | 'diskFull'
  | 'slowDisk'
  | 'killBroker'
  | 'killStore'

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
  /** Where checkpoints lie; a folder when left out. */
  place?: StorePlace | undefined
  say?(line: string): void
}

/** What an uninterrupted run of the job gives, by the job's name. */
const straightOutputs = new Map<string, Promise<string[]>>()

/**
 * Runs the job as real processes: slowly while faults drawn from the seed come, each when the job has got as far as the
 * seed says, then at full speed with another number of replicas. Its output is compared with that of an uninterrupted
 * run; a job that fails or does not get on is wrong too. Throws when the uninterrupted run goes wrong.
 */
export async function runWithFaults(
  job: FaultJob,
  { seed, kinds, place, say = () => undefined }: FaultRunOptions,
): Promise<FaultVerdict> {
  const expected = await straightOutput(job)
  const random = mulberry(seed)
  const run = new FaultRun(job, random, say, place)
  try {
    await run.start(1 + Math.floor(random() * 3))
    const drawn = kinds ?? Array.from({ length: 2 + Math.floor(random() * 4) }, () => kindOf(random(), job, place))
    for (const kind of drawn) await run.fault(kind)
    await run.finish(1 + Math.floor(random() * 3), random() < 0.5 ? 'disturbed' : 'quiet')
    return { wrong: difference(settledOutput(job, await run.output()), expected), faults: run.faults, log: run.log }
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error), faults: run.faults, log: run.log }
  } finally {
    await run.close()
  }
}

/** What cannot be done here, or to this job, is a kill instead. */
function kindOf(drawn: number, job: FaultJob, place: StorePlace | undefined): FaultKind {
  if (drawn < 0.25) return 'kill'
  if (drawn < 0.4) return 'killCoordinator'
  if (drawn < 0.5) return 'killTwo'
  if (drawn < 0.6) return 'freeze'
  if (place !== undefined && (drawn < 0.7 || drawn >= 0.85)) return 'killStore'
  if (drawn < 0.7) return job.over === 'kafka' ? 'killBroker' : 'kill'
  if (faultBed() === undefined) return 'kill'
  if (drawn < 0.85) return 'silence'
  return drawn < 0.93 || faultBed()?.slowDisk === undefined ? 'diskFull' : 'slowDisk'
}

let kafka: Promise<KafkaPlace> | undefined

/** Ends what all runs share. */
export async function endFaultRuns(): Promise<void> {
  await (await kafka)?.stop()
}

/** The output of a run without faults, checked against the plain computation where there is one. */
function straightOutput(job: FaultJob): Promise<string[]> {
  const known =
    straightOutputs.get(job.name) ?? (job.over === 'kafka' ? Promise.resolve(job.plain?.() ?? []) : runStraight(job))
  straightOutputs.set(job.name, known)
  return known
}

async function runStraight(job: FaultJob): Promise<string[]> {
  const run = new FaultRun(
    job,
    () => 0,
    () => undefined,
  )
  try {
    await run.start(2, 'fast')
    await run.reportWith('finished', ({ phase }) => phase === 'finished')
    const output = settledOutput(job, await run.output())
    const plain = job.plain?.()
    const wrong = plain === undefined ? undefined : difference(output, plain)
    if (wrong !== undefined)
      throw new Error(`${job.name} without any fault differs from the plain computation: ${wrong}`)
    if (output.length === 0) throw new Error(`${job.name} has no output: it shows nothing`)
    return output
  } finally {
    await run.close()
  }
}

function settledOutput(job: FaultJob, lines: string[]): string[] {
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
  readonly #killed = new WeakSet<ChildProcess>()
  readonly #bed: FaultBed | undefined = faultBed()
  readonly #place: StorePlace | undefined
  readonly #store: string
  #topics: { place: KafkaPlace; input: string; output: string; feed: { hurry(): Promise<void> } } | undefined

  constructor(fault: FaultJob, random: () => number, say: (line: string) => void, place?: StorePlace) {
    this.#place = place
    this.#store = place?.freshUrl() ?? this.folder.store
    this.#fault = fault
    this.#random = random
    this.#say = say
    this.#job = new LocalJob({
      name: 'hot-auctions',
      uid: 'local',
      token: 'token',
      store: this.#store,
      baseDir: import.meta.dirname,
      logLevel: 'silent',
    })
  }

  async start(replicas: number, pace: 'slow' | 'fast' = 'slow'): Promise<void> {
    if (this.#fault.over === 'kafka') await this.#startTopics()
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
    if (this.#topics) {
      await this.#readTopicToItsEnd(this.#topics, spec)
      return
    }
    await this.reportWith('finished', ({ phase, targetRevision }) => phase === 'finished' && targetRevision === 'last')
    this.#note('finished')
  }

  async #startTopics(): Promise<void> {
    kafka ??= KafkaPlace.start()
    const place = await kafka
    const topics = await place.topics()
    this.#topics = { place, ...topics, feed: place.feed(topics.input, bidLines(), FEED_EVERY_MS) }
  }

  /**
   * A topic has no end: when all has been written and the job has caught up, it is suspended, which leaves nothing
   * uncommitted.
   */
  async #readTopicToItsEnd({ feed }: { feed: { hurry(): Promise<void> } }, spec: object): Promise<void> {
    await feed.hurry()
    const isThrough = ({ phase, error, lagRecords, targetRevision, revision }: JobReport): boolean =>
      phase === 'running' && error === null && lagRecords === 0 && targetRevision === 'last' && revision === 'last'
    const { attempt, checkpoint } = await this.reportWith('through', isThrough)
    await this.reportWith(
      'at rest',
      (report) =>
        isThrough(report) && (report.attempt > attempt || (report.checkpoint?.id ?? 0) > (checkpoint?.id ?? 0) + 8),
    )
    await this.#job.setTarget({ revision: 'last', spec, desiredState: 'suspended' })
    await this.reportWith('suspended', ({ phase }) => phase === 'suspended')
    this.#note('suspended')
  }

  /** What has been committed. */
  output(): Promise<string[]> {
    return this.#topics ? this.#topics.place.read(this.#topics.output) : Promise.resolve(this.folder.output())
  }

  /** One fault, at the progress the seed draws. */
  async fault(kind: FaultKind): Promise<void> {
    const before = await this.#drawnProgress()
    if (before.phase === 'finished')
      throw new Error('the input was through before the faults were: it has to be longer or slower')
    this.faults += 1
    if (kind === 'freeze') await this.#freeze(this.#anyWorker())
    else if (kind === 'silence') await this.#silence(this.#anyName())
    else if (kind === 'diskFull') await this.#fillDisk()
    else if (kind === 'slowDisk') await this.#slowDisk()
    else if (kind === 'killBroker') await this.#killBroker()
    else if (kind === 'killStore') await this.#killStore()
    else if (kind === 'killTwo') {
      this.#kill(this.#anyWorker())
      this.#kill(this.#anyName())
    } else this.#kill(kind === 'killCoordinator' ? 'coordinator' : this.#anyWorker())
  }

  /** Waits for what the seed says: nothing, a deployed attempt, records of it, its first or a later checkpoint. */
  async #drawnProgress(): Promise<JobReport> {
    const drawn = this.#random()
    const more = 1 + Math.floor(this.#random() * 4)
    const first = await this.reportWith('answering', () => true)
    if (drawn < 0.15) return first
    if (drawn < 0.3) return this.reportWith('running', ({ phase }) => phase === 'running' || phase === 'finished')
    if (drawn < 0.55)
      return this.reportWith(
        'reading',
        ({ phase, recordsIn }) => (phase === 'running' && recordsIn > 0) || phase === 'finished',
      )
    const { checkpoint } = await this.reportWith('running', ({ phase }) => phase === 'running' || phase === 'finished')
    return this.reportWith(
      `${more} checkpoints on`,
      ({ phase, checkpoint: now }) =>
        (phase === 'running' && (now?.id ?? 0) >= (checkpoint?.id ?? 0) + more) || phase === 'finished',
    )
  }

  #kill(name: string): void {
    this.#note(`SIGKILL ${name}`)
    const victim = this.#job.processes.get(name)
    if (victim === undefined) return
    victim.kill('SIGKILL')
    this.#killed.add(victim)
  }

  /**
   * Its packets are lost, on every connection and to its listening ports, for a moment or until the other side has
   * noticed.
   */
  async #silence(name: string): Promise<void> {
    const process = this.#job.processes.get(name)
    if (process?.pid === undefined || this.#isAway(process) || this.#bed === undefined) {
      this.#note(`${name} is away already`)
      return
    }
    const { attempt } = await this.reportWith('answering', () => true)
    const forMs = this.#random() < 0.5 ? 200 + this.#random() * 6_000 : undefined
    this.#note(`silence around ${name} ${forMs === undefined ? 'until it is noticed' : `for ${Math.round(forMs)} ms`}`)
    this.#bed.silence(process.pid, this.#job.httpPort)
    try {
      if (forMs !== undefined) await pause(forMs)
      else
        await this.reportWith(
          `aware of the silence around ${name}`,
          (report) => report.attempt > attempt || report.phase !== 'running',
        )
    } finally {
      this.#bed.heal()
    }
    await this.#getsOn('silence is over')
  }

  /** Nothing can be written, neither checkpoints nor output, until that has shown. */
  async #fillDisk(): Promise<void> {
    if (this.#bed === undefined) return
    this.#note('disk full')
    this.#bed.fillDisk()
    try {
      await this.reportWith('in trouble', ({ phase, error }) => phase === 'finished' || error !== null)
      await pause(this.#random() * 3_000)
    } finally {
      this.#bed.freeDisk()
    }
    await this.#getsOn('disk free')
  }

  /** All processes wait for the disk, call by call; every other time one is killed meanwhile. */
  async #slowDisk(): Promise<void> {
    const { slowDisk } = this.#bed ?? {}
    const pids = [...this.#job.processes.values()].flatMap((child) =>
      child.pid === undefined || this.#isAway(child) ? [] : [child.pid],
    )
    const [delayMs, forMs, killed] = [50 + this.#random() * 950, 1_000 + this.#random() * 5_000, this.#random()]
    if (slowDisk === undefined) return
    this.#note(`disk slow by ${Math.round(delayMs)} ms a call, for ${Math.round(forMs)} ms`)
    const heal = slowDisk(pids, delayMs)
    try {
      await pause(forMs / 2)
      if (killed < 0.5) this.#kill(this.#anyName())
      await pause(forMs / 2)
    } finally {
      await heal()
    }
    await this.#getsOn('disk is quick')
  }

  async #killBroker(): Promise<void> {
    if (this.#topics === undefined) return
    this.#note('SIGKILL broker')
    const { bed } = this.#topics.place
    await bed.kill()
    await this.reportWith('in trouble', ({ error }) => error !== null)
    await bed.restart()
    await this.#getsOn('broker back')
  }

  /** For up to 6 s; every other time a process of the job is killed meanwhile. */
  async #killStore(): Promise<void> {
    const { victims = [] } = this.#place ?? {}
    const [drawn, forMs, killed] = [this.#random(), this.#random() * 6_000, this.#random()]
    const victim = victims[Math.floor(drawn * victims.length)]
    if (victim === undefined) return
    this.#note(`SIGKILL ${victim.name}, away for ${Math.round(forMs)} ms`)
    await victim.kill()
    await pause(forMs / 2)
    if (killed < 0.5) this.#kill(this.#anyName())
    await pause(forMs / 2)
    await victim.restart()
    await this.#getsOn(`${victim.name} is back`)
  }

  /** The trouble is over: two more checkpoints must come by themselves. */
  async #getsOn(what: string): Promise<void> {
    const { checkpoint } = await this.reportWith('answering', () => true)
    this.#note(`${what}, checkpoint ${checkpoint?.attempt}-${checkpoint?.id}`)
    await this.reportWith(
      `further, as the ${what}`,
      ({ phase, checkpoint: now }) =>
        phase === 'finished' || (phase === 'running' && (now?.id ?? 0) >= (checkpoint?.id ?? 0) + 2),
    )
  }

  /**
   * SIGSTOP until the coordinator has given the worker up, another process takes its place and the job has got on; then
   * SIGCONT: the one that was given up goes on with what it had under way, until it learns that its place is taken.
   */
  async #freeze(name: string): Promise<void> {
    const sleeper = this.#job.processes.get(name)
    if (sleeper?.pid === undefined || this.#isAway(sleeper)) {
      this.#note(`${name} is away already`)
      return
    }
    this.#note(`SIGSTOP ${name}`)
    const environment = environmentOf(sleeper.pid)
    sleeper.kill('SIGSTOP')
    this.#frozen.add(sleeper)
    await this.reportWith(`without ${name}`, ({ registeredWorkers }) => !registeredWorkers.includes(name))
    const standIn = spawn(process.execPath, sleeper.spawnargs.slice(1), {
      stdio: ['ignore', 'inherit', 'ignore', 'pipe'],
      env: environment,
    })
    this.#standIns.add(standIn)
    const { attempt, checkpoint } = await this.reportWith(
      'past a checkpoint with the stand-in',
      ({ phase, attempt: now, checkpoint: newest, registeredWorkers }) =>
        phase === 'finished' || (phase === 'running' && registeredWorkers.includes(name) && newest?.attempt === now),
    )
    this.#note(`SIGCONT ${name}, attempt ${attempt}, checkpoint ${checkpoint?.id}`)
    sleeper.kill('SIGCONT')
    this.#frozen.delete(sleeper)
    // a coordinator that was started anew and has not met the one that slept takes it for the newer one
    await until(
      `one of the two processes of ${name} has ended`,
      () => (hasEnded(sleeper) || hasEnded(standIn) ? true : undefined),
      LIMIT_MS,
    )
    if (hasEnded(sleeper)) await this.#endsItself(sleeper, 'the one that woke')
    // if so, the starter, which knows nothing of the stand-in, has started another in its place
    await this.#endsItself(standIn, 'its stand-in')
    this.#standIns.delete(standIn)
    await this.#getsOn(`one process is ${name}`)
  }

  /** With 0, which in a pod means that it is not started again. */
  async #endsItself(child: ChildProcess, what: string): Promise<void> {
    await until(`${what} has ended`, () => (hasEnded(child) ? true : undefined), LIMIT_MS)
    if (child.exitCode !== 0) throw new Error(`${what} ended with ${child.exitCode ?? child.signalCode} instead of 0`)
    this.#note(`${what} has ended by itself`)
  }

  /** Also before its end has been noticed. */
  #isAway(child: ChildProcess): boolean {
    return this.#killed.has(child) || hasEnded(child)
  }

  reportWith(what: string, matches: (report: JobReport) => boolean): Promise<JobReport> {
    let last: JobReport | undefined
    return until(
      `the job is ${what}`,
      async () => {
        last = (await this.#job.report()) ?? last
        if (last?.phase === 'failed') throw new Error(`the job failed: ${last.error?.code} ${last.error?.message}`)
        return last !== undefined && matches(last) ? last : undefined
      },
      LIMIT_MS,
    ).catch((cause: unknown) => {
      throw new Error(
        `${this.#fault.name} never was ${what}: ${cause instanceof Error ? cause.message : String(cause)}; last report ${JSON.stringify(last)}`,
        { cause },
      )
    })
  }

  async close(): Promise<void> {
    for (const frozen of this.#frozen) frozen.kill('SIGKILL')
    for (const standIn of this.#standIns) standIn.kill('SIGKILL')
    await this.#topics?.feed.hurry()
    await this.#job.close()
    this.folder.delete()
  }

  #spec(replicas: number, pace: 'slow' | 'fast'): object {
    return faultSpec(this.#fault, {
      folder: this.folder.path,
      store: this.#store,
      replicas,
      ...(pace === 'slow' ? { rate: SLOW } : {}),
      ...(this.#topics
        ? {
            kafka: {
              brokers: this.#topics.place.bed.bootstrap,
              input: this.#topics.input,
              output: this.#topics.output,
            },
          }
        : {}),
    })
  }

  #anyName(): string {
    return this.#pick([...this.#job.processes.keys()])
  }

  #anyWorker(): string {
    return this.#pick([...this.#job.processes.keys()].filter((name) => name !== 'coordinator'))
  }

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

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** What a running process was started with: one that takes its place gets the same. */
function environmentOf(pid: number): Record<string, string> {
  return Object.fromEntries(
    readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .filter((entry) => entry.includes('='))
      .map((entry) => {
        const at = entry.indexOf('=')
        return [entry.slice(0, at), entry.slice(at + 1)]
      }),
  )
}
