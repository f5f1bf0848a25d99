import { streamJobs, type StreamJob } from '../../../operator/api/stream-job.ts'
import { pods, kubeEvents } from '../../../operator/kube/resource-type.ts'
import type { KubeEvent, Pod } from '../../../operator/kube/objects.ts'
import { coordinatorName } from '../../../operator/resources/coordinator-pod.ts'
import { deletionDeadlineMs } from '../../../operator/streamjob/operation.ts'
import { UNNAMED } from '../../../operator/resources/template.ts'
import { workerName } from '../../../operator/resources/worker-pod.ts'
import { simulatedConnectors } from '../../../sim/simulated-connectors.ts'
import type { LogEntry } from '../../../runtime/checkpoint/job-log.ts'
import { subtasksOf } from '../../../runtime/plan/chaining.ts'
import { planJob } from '../../../runtime/front/planned-job.ts'
import type { FakeKube } from '../fake-kube.ts'
import type { KubeCall } from './virtual-kube.ts'

interface JobState {
  job: StreamJob | undefined
  pods: readonly Pod[]
}

/**
 * What must hold at every moment, whatever has failed, for one job: watched at the API server and at the checkpoint
 * store, both of which see everything in one order. `broken` says what did not.
 */
export class ClusterRules {
  readonly broken: string[] = []
  readonly #kube: FakeKube
  readonly #name: string
  readonly #isJobSpared: boolean
  /** Says `running` while some coordinator runs an attempt. */
  readonly #isRunning: () => boolean
  #before: { generation: number; attempt: number } = { generation: 0, attempt: 0 }
  #operation: string | undefined
  readonly #ended = new Set<string>()
  #attempt = 0
  #checkpoint = 0
  /** The newest attempt has a final checkpoint. A savepoint that was asked for meanwhile may come behind it. */
  #isFinal = false
  #claimed: { revision: string; template: string | undefined; pods: ReadonlySet<string> } | undefined
  /** A pod of the newest attempt is going or has gone: it may end without a savepoint. */
  #isDisturbed = false
  #isOverdue = false
  /**
   * Pods of calls that came late: they may appear when nobody expects them any more, and the garbage collector
   * finds them.
   */
  readonly #late = new Set<string>()
  #lastEntry: LogEntry | undefined
  /** Ids of the savepoints in the log, and where they are. */
  readonly #savepoints: string[] = []
  readonly keptPaths: string[] = []

  constructor(kube: FakeKube, job: { name: string; isSpared: boolean; isRunning: () => boolean }) {
    this.#kube = kube
    this.#name = job.name
    this.#isJobSpared = job.isSpared
    this.#isRunning = job.isRunning
    kube.watch(streamJobs, { resourceVersion: '0' }, (event) => {
      if (event.type === 'BOOKMARK') return
      if (event.type === 'DELETED') this.#onGone(event.object)
      else this.#onStatus(event.object)
    })
    kube.watch(pods, { resourceVersion: '0' }, (event) => {
      if (event.type === 'BOOKMARK') return
      const { name, deletionTimestamp } = event.object.metadata
      if ((event.type === 'DELETED' || deletionTimestamp !== undefined) && this.#claimed?.pods.has(name) === true)
        this.#isDisturbed = true
    })
  }

  /** A call of an operator is about to act. */
  onOperatorCall({ verb, plural, name, isLate }: KubeCall): void {
    if (plural !== pods.plural || (verb !== 'create' && verb !== 'delete')) return
    if (isLate) {
      this.#late.add(name)
      return
    }
    const { job } = this.#state()
    if (job === undefined) return
    const operation = job.status?.operation
    if (verb === 'create') {
      this.#must(
        operation !== undefined && operation !== null,
        `pod ${name} is created, and no operation says why: ${job.status?.phase ?? 'no phase'}`,
      )
      return
    }
    if (this.#isJobSpared && this.#claimed?.pods.has(name) === true && this.#isRunning()) {
      this.#must(
        operation !== undefined && operation !== null && operation.type !== 'Upgrade',
        `pod ${name} of the running attempt ${this.#attempt} is deleted (${operation?.type ?? 'no operation'})`,
      )
    }
  }

  /** The job's log in the checkpoint store has one more entry. */
  onLogEntry(entry: LogEntry): void {
    const last = this.#lastEntry
    this.#lastEntry = entry
    switch (entry.kind) {
      case 'claim': {
        this.#must(
          entry.attempt === this.#attempt + 1,
          `attempt ${entry.attempt} is claimed after attempt ${this.#attempt}`,
        )
        const { revision, spec } = entry.target
        if (
          this.#isJobSpared &&
          this.#claimed !== undefined &&
          this.#claimed.revision !== revision &&
          !this.#isDisturbed &&
          last?.kind !== 'suspended'
        ) {
          this.#must(
            (last?.kind === 'checkpoint' && (last.checkpoint.kind === 'savepoint' || last.final)) ||
              last?.kind === 'finished',
            `attempt ${entry.attempt} has another spec and no savepoint before it`,
          )
        }
        if (this.#isJobSpared && this.#claimed !== undefined && !this.#isDisturbed)
          this.#must(
            entry.template === this.#claimed.template || last?.kind === 'suspended' || last?.kind === 'finished',
            `attempt ${entry.attempt} is claimed by other pods than those that run the job and have not stopped it`,
          )
        this.#attempt = entry.attempt
        this.#isFinal = false
        this.#claimed = { revision, template: entry.template, pods: this.#podsOf(spec, entry.template ?? UNNAMED) }
        this.#isDisturbed = this.#state().pods.some(
          ({ metadata }) => metadata.deletionTimestamp !== undefined && this.#claimed?.pods.has(metadata.name) === true,
        )
        break
      }
      case 'checkpoint': {
        const { attempt, id } = entry.checkpoint
        this.#must(
          attempt === this.#attempt,
          `a checkpoint of attempt ${attempt} completes after attempt ${this.#attempt} was claimed`,
        )
        this.#must(id > this.#checkpoint, `checkpoint ${id} comes after ${this.#checkpoint}`)
        this.#checkpoint = id
        this.#must(
          !this.#isFinal || entry.savepoint !== null,
          `checkpoint ${id}, which nobody asked for, comes behind the final one`,
        )
        this.#isFinal ||= entry.final
        if (entry.savepoint !== null) {
          this.#savepoints.push(entry.savepoint)
          this.keptPaths.push(entry.checkpoint.path)
        }
        break
      }
      case 'suspended':
        this.#must(
          last?.kind === 'checkpoint' && last.checkpoint.kind === 'savepoint',
          'the job is suspended without a savepoint',
        )
        break
      case 'finished':
        this.#must(last?.kind === 'checkpoint' && this.#isFinal, 'the job is finished without a final checkpoint')
        break
    }
  }

  #onStatus(job: StreamJob): void {
    const { observedGeneration: generation = 0, attempt = 0, phase } = job.status ?? {}
    this.#must(
      generation >= this.#before.generation,
      `observedGeneration goes back from ${this.#before.generation} to ${generation}`,
    )
    this.#must(
      generation <= (job.metadata.generation ?? 0),
      `observedGeneration ${generation} is of a generation that does not exist`,
    )
    this.#must(attempt >= this.#before.attempt, `status.attempt goes back from ${this.#before.attempt} to ${attempt}`)
    const id = job.status?.operation?.id
    if (id !== this.#operation) {
      this.#must(
        id === undefined || !this.#ended.has(id),
        `the operation ${id ?? ''} is under way again after it had ended`,
      )
      if (this.#operation !== undefined) this.#ended.add(this.#operation)
      this.#operation = id
    }
    // A pod whose creation was never answered may come when all others have gone; the next pass deletes it.
    const pods = this.#state().pods.filter(({ metadata }) => !this.#late.has(metadata.name))
    if (phase === 'Suspended') this.#must(pods.length === 0, `the job is called suspended and has ${pods.length} pods`)
    this.#before = { generation, attempt }
  }

  /** Within its deadline nothing may be left behind; behind it only what the garbage collector finds. */
  #onGone(job: StreamJob): void {
    const left = this.#state().pods.filter(({ metadata }) => !this.#late.has(metadata.name))
    this.#isOverdue = this.#kube.now() >= Date.parse(job.metadata.deletionTimestamp ?? '') + deletionDeadlineMs(job)
    if (this.#isJobSpared && !this.#isOverdue)
      this.#must(left.length === 0, `the job is gone and has left ${left.length} pods`)
  }

  /** Events that only losses explain. */
  checkEvents(): void {
    if (!this.#isJobSpared) return
    const alarming = [
      'StateMissing',
      'PodFailed',
      'NameTaken',
      ...(this.#isOverdue ? [] : ['StoppedWithoutSavepoint', 'DeletedWithLeftovers']),
    ]
    for (const object of this.#kube.objects.values()) {
      if (object.kind !== kubeEvents.kind) continue
      const { reason, message } = object as KubeEvent
      this.#must(!alarming.includes(reason), `event ${reason}: ${message}`)
    }
  }

  #podsOf(spec: unknown, template: string): ReadonlySet<string> {
    const places = subtasksOf(planJob(spec, simulatedConnectors).plan)
    const names = [
      coordinatorName(this.#name),
      ...places.map(({ chain, slot }) => workerName(this.#name, { chain: chain.id, slot })),
    ]
    return new Set(names.map((name) => `${name}-${template}`))
  }

  #state(): JobState {
    const all = [...this.#kube.objects.values()]
    return {
      job: all.find((object): object is StreamJob => object.kind === streamJobs.kind),
      pods: all.filter((object): object is Pod => object.kind === pods.kind),
    }
  }

  #must(holds: boolean, otherwise: string): void {
    if (!holds && this.broken.length < 20) this.broken.push(otherwise)
  }
}
