import { scopedStore } from '../checkpoint/scoped-store.ts'
import type { Connectors } from '../connectors/registry.ts'
import type { CoordinatorMessage, Deployment, SubtaskMetrics, WorkerMessage } from '../control/messages.ts'
import { ChannelServer } from '../exchange/channel-server.ts'
import { describeWithCauses, errorReport, MillraceError } from '../model/errors.ts'
import { subtaskId, type Attempt } from '../model/ids.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'
import type { NetAddress } from '../ports/net.ts'
import type { Ports } from '../ports/ports.ts'
import { SubtaskCounters, type Subtask } from '../task/subtask.ts'
import { CoordinatorLink } from './coordinator-link.ts'
import { deploySubtask } from './deploy-subtask.ts'

const HEARTBEAT_MS = 1_000

export interface WorkerConfig {
  /** Unique name of this process: the pod's. */
  name: string
  chain: string
  slot: number
  token: string
  coordinator: NetAddress
  /** Where other workers reach this one; port 0 picks one. */
  data: NetAddress
  /** This job's folder in the store. */
  storeFolder: string
}

/** Derives the plan from a spec; the same function in coordinator and worker. */
export type Planner = (spec: unknown) => ExecutionPlan

/**
 * Runs one operator chain in one slot. Knows the newest attempt it has seen and refuses everything older aloud.
 * Losing the coordinator changes nothing until one comes with a newer attempt.
 */
export class ChainWorker {
  readonly #config: WorkerConfig
  readonly #ports: Ports
  readonly #connectors: Connectors
  readonly #plan: Planner
  readonly #channels: ChannelServer
  readonly #link: CoordinatorLink
  #data: NetAddress
  #seen: Attempt = 0
  #running: { attempt: Attempt; subtask: Subtask } | undefined
  /** The deployment under way: gives it up, and what it has counted so far. */
  #deploying: { attempt: Attempt; counters: SubtaskCounters; stopping: AbortController } | undefined
  /** Attempts are stopped and deployed one after another. */
  #work: Promise<void> = Promise.resolve()
  #closed = false

  constructor(config: WorkerConfig, ports: Ports, connectors: Connectors, plan: Planner) {
    this.#config = config
    this.#ports = ports
    this.#connectors = connectors
    this.#plan = plan
    this.#data = config.data
    this.#channels = new ChannelServer((error) => { ports.logger.warn('data connection refused', { reason: describeWithCauses(error) }) })
    this.#link = new CoordinatorLink({
      net: ports.net, clock: ports.clock, logger: ports.logger, address: config.coordinator,
      greeting: () => this.#greeting(), onMessage: (message) => { this.#onMessage(message) },
    })
  }

  /** Resolves after close. Rejects when the data port cannot be opened. */
  async run(): Promise<void> {
    this.#data = await this.#channels.listen(this.#ports.net, this.#config.data)
    this.#heartbeat()
    await this.#link.run()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#deploying?.stopping.abort()
    this.#link.close()
    await this.#work
    await this.#running?.subtask.stop()
    await this.#channels.close()
  }

  #greeting(): WorkerMessage {
    return {
      kind: 'register', worker: this.#config.name, token: this.#config.token, chain: this.#config.chain, slot: this.#config.slot,
      data: this.#data, seen: this.#seen, running: this.#running?.attempt ?? null,
    }
  }

  #heartbeat(): void {
    if (this.#closed) return
    this.#link.send({ kind: 'heartbeat', metrics: this.#running?.subtask.metrics() ?? this.#deployingMetrics() })
    this.#ports.clock.after(HEARTBEAT_MS, () => { this.#heartbeat() })
  }

  /** A sink that cannot be opened, a source that does not answer: told while they are still being tried. */
  #deployingMetrics(): SubtaskMetrics | null {
    if (!this.#deploying) return null
    const { attempt, counters } = this.#deploying
    return { attempt, ...counters, watermark: null, stateEntries: 0, lagRecords: null }
  }

  #onMessage(message: CoordinatorMessage): void {
    if (message.kind === 'heartbeat') return
    if (message.kind === 'align') {
      // sent by a timer: one that comes late says nothing of who is in charge
      this.#current(message.attempt)?.align(message.minimum)
      return
    }
    const attempt = message.kind === 'deploy' ? message.deployment.attempt : message.attempt
    if (attempt < this.#seen) {
      this.#link.send({ kind: 'refused', attempt, seen: this.#seen })
      return
    }
    switch (message.kind) {
      case 'fence': case 'stop': this.#enqueue(attempt, () => this.#stopOlder(attempt)); break
      case 'deploy': this.#enqueue(attempt, () => this.#deploy(message.deployment)); break
      case 'trigger': this.#current(attempt)?.trigger(message.checkpoint, message.extent, message.thenStop ? 'stopAfter' : 'continue'); break
      case 'complete': this.#current(attempt)?.complete(message.checkpoint); break
      case 'splits': this.#current(attempt)?.addSplits(message.splits); break
      case 'abort': this.#current(attempt)?.abort(message.checkpoint); break
    }
  }

  #current(attempt: Attempt): Subtask | undefined {
    return this.#running?.attempt === attempt ? this.#running.subtask : undefined
  }

  #enqueue(attempt: Attempt, act: () => Promise<void>): void {
    if (attempt > this.#seen) {
      this.#seen = attempt
      this.#channels.fence(attempt)
      // A deployment that waits for the outside must not hold up the newer attempt.
      this.#deploying?.stopping.abort()
    }
    this.#work = this.#work.then(async () => {
      if (attempt < this.#seen || this.#closed) return
      try {
        await act()
      } catch (error) {
        if (attempt === this.#seen) this.#link.send({ kind: 'failed', attempt, error: errorReport(error) })
      }
    })
  }

  /** `fence` comes with a new attempt and `stop` with the running one: both leave nothing running. */
  async #stopOlder(attempt: Attempt): Promise<void> {
    const running = this.#running
    this.#running = undefined
    // The last facts of an attempt: between heartbeats they would be lost.
    if (running) this.#link.send({ kind: 'heartbeat', metrics: running.subtask.metrics() })
    await running?.subtask.stop()
    this.#link.send({ kind: 'stopped', attempt })
  }

  async #deploy(deployment: Deployment): Promise<void> {
    const { attempt } = deployment
    if (this.#running) throw new MillraceError('DEPLOY_TWICE', `attempt ${attempt} was deployed while attempt ${this.#running.attempt} runs`)
    const send = (message: WorkerMessage): void => { if (this.#running?.attempt === attempt) this.#link.send(message) }
    const stopping = new AbortController()
    const counters = new SubtaskCounters()
    this.#deploying = { attempt, counters, stopping }
    const subtask = await deploySubtask({
      deployment, counters, stopping, plan: this.#plan(deployment.spec), ports: this.#ports, connectors: this.#connectors,
      store: scopedStore(this.#ports.openStore(deployment.store), this.#config.storeFolder), channels: this.#channels,
      isCurrent: () => this.#seen === attempt && !this.#closed,
      events: {
        snapshot: (checkpoint, snapshot) => { send({ kind: 'snapshot', attempt, checkpoint, snapshot }) },
        declined: (checkpoint, error) => { send({ kind: 'declined', attempt, checkpoint, error }) },
        committed: (checkpoint) => {
          // First, so that the report of a job that ends with this checkpoint counts everything.
          send({ kind: 'heartbeat', metrics: this.#running?.subtask.metrics() ?? null })
          send({ kind: 'committed', attempt, checkpoint })
        },
        drained: () => { send({ kind: 'drained', attempt }) },
        aligned: (minimum) => { send({ kind: 'aligned', attempt, minimum }) },
      },
    }).finally(() => { this.#deploying = undefined })
    this.#running = { attempt, subtask }
    send({ kind: 'running', attempt })
    this.#ports.logger.info('subtask running', { attempt, subtask: subtaskId(deployment.chain, deployment.slot) })
    void subtask.run().catch((error: unknown) => { this.#onFailure(attempt, error) })
  }

  #onFailure(attempt: Attempt, error: unknown): void {
    this.#ports.logger.warn('subtask failed', { attempt, reason: describeWithCauses(error) })
    if (this.#running?.attempt === attempt) this.#link.send({ kind: 'failed', attempt, error: errorReport(error) })
  }
}
