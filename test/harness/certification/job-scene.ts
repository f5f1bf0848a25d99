import { API_VERSION, streamJobs } from '../../../operator/api/stream-job.ts'
import type { StreamJobPhase, StreamJobSpec } from '../../../operator/api/stream-job.ts'
import { streamSavepoints } from '../../../operator/api/stream-savepoint.ts'
import type { StreamSavepoint } from '../../../operator/api/stream-savepoint.ts'
import type { RunningOperator } from '../../../operator/operator.ts'
import type { JobReport } from '../../../runtime/control/job-report.ts'
import { countsSpec, OperatorWorld, REF } from '../operator-world.ts'
import { eventTexts, objectNames, withoutTimes } from './facts.ts'
import type { Facts, Scene } from './story.ts'
import { onePass } from './story.ts'
import type { Strike } from './strike.ts'

/** So long the controllers work between two acts of the others. */
const STEP_MS = 1_000
const ASKED = { namespace: REF.namespace, name: 'asked' }

/** A StreamJob, the StreamSavepoint that somebody may ask of it, and their operator. */
export class JobScene implements Scene {
  readonly world: OperatorWorld
  /** A coordinator that reports, before it is heard. */
  onReport: (report: JobReport) => void = () => undefined
  readonly #strike: Strike
  /** Where watches, and not the story, have passes made. */
  #controllers: RunningOperator | undefined

  constructor(strike: Strike) {
    this.#strike = strike
    this.world = new OperatorWorld(strike)
    this.world.leadership = strike.leadership()
    if (strike.drive === 'watches') this.#controllers = this.world.startControllers()
    this.world.isForgetful = false
    this.world.afterReport = (report) => {
      checkpointed(report)
      this.onReport(report)
    }
  }

  async create(changes: Partial<StreamJobSpec> = {}): Promise<void> {
    await this.world.create(countsSpec({ upgrade: { stability: '5s' }, ...changes }))
  }

  edit(changes: Record<string, unknown>): void {
    this.world.edit((spec) => Object.assign(spec, changes))
  }

  async delete(): Promise<void> {
    await this.world.kube.delete(streamJobs, REF)
  }

  async askForSavepoint(): Promise<void> {
    await this.world.kube.create(streamSavepoints, {
      apiVersion: API_VERSION,
      kind: 'StreamSavepoint',
      metadata: { ...ASKED, uid: 'savepoint-uid-1' },
      spec: { job: REF.name, deletionPolicy: 'Delete' },
    })
  }

  async deleteSavepoint(): Promise<void> {
    await this.world.kube.delete(streamSavepoints, ASKED)
  }

  savepoint(): StreamSavepoint | undefined {
    return this.world.kube.peek(streamSavepoints, ASKED)
  }

  async untilSettled(phase: StreamJobPhase): Promise<this> {
    for (let pass = 0; pass < 200; pass += 1) {
      if (this.isSettled(phase)) return this
      await onePass(this, this.#strike)
    }
    throw new Error(`the job does not become ${phase}: ${JSON.stringify(this.world.job()?.status)}`)
  }

  /** The newest spec is what holds, and there is nothing left to do or to report. */
  isSettled(phase: StreamJobPhase): boolean {
    const { status, metadata } = this.world.job() ?? {}
    return (
      status?.phase === phase &&
      status.observedGeneration === metadata?.generation &&
      (status?.operation ?? null) === null &&
      (status?.observing ?? null) === null &&
      (status?.untold ?? []).length === 0
    )
  }

  async pass(): Promise<number | undefined> {
    if (this.#controllers !== undefined) return STEP_MS
    const jobMs = await this.world.pass()
    if (this.savepoint() === undefined) return jobMs
    const savepointMs = await this.world.savepointPass(ASKED)
    return Math.min(jobMs ?? Infinity, savepointMs ?? 1000)
  }

  async stop(): Promise<void> {
    await this.#controllers?.stop()
  }

  async liveOn(ms: number): Promise<void> {
    this.world.kubelet()
    this.world.kube.collectGarbage()
    await this.world.clock.advance(ms)
  }

  restartOperator(): void {
    if (this.#controllers !== undefined) {
      void this.#controllers.stop()
      this.#controllers = this.world.startControllers()
      return
    }
    this.world.leadership = this.#strike.leadership()
    this.world.restartOperator()
  }

  now(): number {
    return this.world.clock.now()
  }

  facts(): Facts {
    const { world } = this
    const { decisions: _, ...status } = world.job()?.status ?? {}
    return {
      objects: objectNames(world.kube),
      status: withoutTimes(status),
      savepoint: withoutTimes(this.savepoint()?.status),
      events: withoutTimes(eventTexts(world.kube)),
      counted: world.counted(),
      attempts: world.store.attempt,
      savepoints: withoutTimes([...world.store.savepoints.keys()]),
      target: withoutTimes(lastTarget(world)),
    }
  }
}

/** What the job was last asked to do; who asked for it, and when, is in its order. */
function lastTarget({ targets }: OperatorWorld): unknown {
  const target = targets.at(-1)
  if (target === undefined) return undefined
  const { order: _, ...rest } = target
  return rest
}

/** Has a checkpoint, as every attempt that has run for a while. */
export function checkpointed(report: JobReport): void {
  if (report.phase !== 'running') return
  const { attempt } = report
  report.checkpoint = {
    attempt,
    id: 7,
    kind: 'checkpoint',
    path: `checkpoints/${attempt}-7/manifest.json`,
    completedAt: 0,
    durationMs: 1,
    sizeBytes: 1,
  }
}
