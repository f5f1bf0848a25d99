import { scopedStore } from '../checkpoint/scoped-store.ts'
import type { Connectors } from '../connectors/registry.ts'
import type { CoordinatorMessage, Deployment, Preparation, SubtaskMetrics, WorkerMessage } from '../control/messages.ts'
import { ChannelServer } from '../exchange/channel-server.ts'
import { describeWithCauses, errorReport, MillraceError } from '../model/errors.ts'
import { type Attempt, subtaskId } from '../model/ids.ts'
import type { NetAddress } from '../ports/net.ts'
import type { Ports } from '../ports/ports.ts'
import type { Store } from '../ports/store.ts'
import type { Subtask, SubtaskEvents } from '../task/subtask.ts'
import { CoordinatorLink } from './coordinator-link.ts'
import { deploySubtask } from './deploy-subtask.ts'
import { Preparer } from './preparer.ts'
import type { CompiledSubtask } from './compiled-subtask.ts'
import type { RestoredSubtask } from './subtask-state.ts'

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
  /** Bytes of memory that the process may still take; absent: as many as it likes. */
  roomInMemory?: () => number
  /** The job's name. */
  job: string
  /** As CoordinatorLink takes it. */
  heartbeatTimeoutMs?: number
}

/**
 * Runs one operator chain in one slot. Knows the newest attempt it has seen and refuses everything older aloud.
 * Losing the coordinator changes nothing until one comes with a newer attempt.
 */
export class ChainWorker {
  readonly #config: WorkerConfig
  readonly #ports: Ports
  readonly #connectors: Connectors
  readonly #channels: ChannelServer
  readonly #link: CoordinatorLink
  #data: NetAddress
  #seen: Attempt = 0
  #running: { attempt: Attempt; subtask: Subtask } | undefined
  /** The deployment under way. */
  #deploying: { attempt: Attempt; compiled: CompiledSubtask } | undefined
  readonly #preparer: Preparer
  /** Attempts are stopped and deployed one after another. */
  #work: Promise<void> = Promise.resolve()
  #closed = false
  /** Another process has this one's place. */
  #ending: Promise<void> | undefined
  readonly #instance: string

  constructor(config: WorkerConfig, ports: Ports, connectors: Connectors) {
    this.#config = config
    this.#ports = ports
    this.#connectors = connectors
    this.#data = config.data
    this.#instance = `${config.name}-${ports.clock.now()}`
    this.#channels = new ChannelServer({
      token: config.token,
      clock: ports.clock,
      onRejected: (error) => {
        ports.logger.warn('data connection refused', { reason: describeWithCauses(error) })
      },
    })
    this.#preparer = new Preparer({
      job: config.job,
      ports,
      connectors,
      openStore: (url) => this.#openStore(url),
      roomInMemory: config.roomInMemory ?? (() => Infinity),
    })
    this.#link = new CoordinatorLink({
      net: ports.net,
      clock: ports.clock,
      logger: ports.logger,
      address: config.coordinator,
      heartbeatTimeoutMs: config.heartbeatTimeoutMs,
      greeting: () => this.#greeting(),
      onMessage: (message) => {
        this.#onMessage(message)
      },
    })
  }

  /**
   * Resolves after close, or, with everything stopped, when another process has taken this one's place. Rejects
   * when the data port cannot be opened.
   */
  async run(): Promise<void> {
    this.#data = await this.#channels.listen(this.#ports.net, this.#config.data)
    this.#heartbeat()
    await this.#link.run()
    await this.#ending
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#deploying?.compiled.stopping.abort()
    this.#preparer.forget()
    this.#link.close()
    await this.#work
    await this.#running?.subtask.stop()
    await this.#channels.close()
  }

  #greeting(): WorkerMessage {
    return {
      kind: 'register',
      worker: this.#config.name,
      instance: this.#instance,
      token: this.#config.token,
      chain: this.#config.chain,
      slot: this.#config.slot,
      data: this.#data,
      seen: this.#seen,
      running: this.#running?.attempt ?? null,
    }
  }

  #heartbeat(): void {
    if (this.#closed) return
    this.#link.send({ kind: 'heartbeat', metrics: this.#running?.subtask.metrics() ?? this.#deployingMetrics() })
    this.#ports.clock.after(HEARTBEAT_MS, () => {
      this.#heartbeat()
    })
  }

  /** A sink that cannot be opened or a source that does not answer is reported while it is still being tried. */
  #deployingMetrics(): SubtaskMetrics | null {
    if (!this.#deploying) return null
    const { attempt, compiled } = this.#deploying
    return { attempt, ...compiled.counters, watermark: null, lagRecords: null }
  }

  #onMessage(message: CoordinatorMessage): void {
    if (message.kind === 'heartbeat') return
    if (message.kind === 'displaced') {
      this.#onDisplaced()
      return
    }
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
      case 'fence':
        this.#enqueue(attempt, () => this.#stopOlder(attempt))
        break
      case 'stop':
        this.#preparer.forget()
        this.#enqueue(attempt, () => this.#stopOlder(attempt))
        break
      case 'deploy':
        this.#enqueue(attempt, () => this.#deploy(message.deployment))
        break
      case 'prepare':
        this.#prepare(attempt, message.preparation)
        break
      case 'unprepare':
        this.#preparer.forget()
        break
      case 'trigger':
        this.#current(attempt)?.trigger(message.checkpoint, message.extent, message.thenStop ? 'stopAfter' : 'continue')
        break
      case 'complete':
        this.#current(attempt)?.complete(message.checkpoint)
        break
      case 'splits':
        this.#current(attempt)?.addSplits(message.splits)
        break
      case 'abort':
        this.#current(attempt)?.abort(message.checkpoint)
        break
    }
  }

  #onDisplaced(): void {
    this.#ports.logger.warn('displaced: another process has the place of this one', {
      subtask: subtaskId(this.#config.chain, this.#config.slot),
      instance: this.#instance,
    })
    this.#ending ??= this.close().catch((error: unknown) => {
      // it ends all the same, and what an older attempt leaves open the newer one ends
      this.#ports.logger.warn('displaced, and not everything was closed', { reason: describeWithCauses(error) })
    })
  }

  #current(attempt: Attempt): Subtask | undefined {
    return this.#running?.attempt === attempt ? this.#running.subtask : undefined
  }

  #enqueue(attempt: Attempt, act: () => Promise<void>): void {
    if (attempt > this.#seen) {
      this.#seen = attempt
      this.#channels.fence(attempt)
      // A deployment that waits for the outside must not hold up the newer attempt.
      this.#deploying?.compiled.stopping.abort()
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

  /**
   * `fence` comes with a new attempt, or to who came back with one that is over; `stop` with the running one. Both
   * leave nothing running.
   */
  async #stopOlder(attempt: Attempt): Promise<void> {
    const running = this.#running
    this.#running = undefined
    // The last facts of an attempt: between heartbeats they would be lost.
    if (running) this.#link.send({ kind: 'heartbeat', metrics: running.subtask.metrics() })
    await running?.subtask.stop()
    this.#link.send({ kind: 'stopped', attempt })
  }

  #prepare(attempt: Attempt, preparation: Preparation): void {
    const { checkpoint } = preparation
    this.#preparer
      .prepare(preparation, () => {
        this.#link.send({ kind: 'preparing', attempt, checkpoint })
      })
      .then(
        () => {
          this.#link.send({ kind: 'prepared', attempt, checkpoint })
        },
        (error: unknown) => {
          this.#link.send({ kind: 'unprepared', attempt, checkpoint, error: errorReport(error) })
        },
      )
  }

  async #deploy(deployment: Deployment): Promise<void> {
    const { attempt } = deployment
    if (this.#running)
      throw new MillraceError(
        'DEPLOY_TWICE',
        `attempt ${attempt} was deployed while attempt ${this.#running.attempt} runs`,
      )
    const send = (message: WorkerMessage): void => {
      if (this.#running?.attempt === attempt) this.#link.send(message)
    }
    const checkCurrent = (): void => {
      this.#checkCurrent(attempt)
    }
    const store = this.#openStore(deployment.store)
    const restored = await this.#restored(deployment, store, checkCurrent)
    const subtask = await deploySubtask(restored, {
      deployment,
      job: this.#config.job,
      host: this.#config.data.host,
      token: this.#config.token,
      store,
      checkCurrent,
      ports: this.#ports,
      connectors: this.#connectors,
      channels: this.#channels,
      events: this.#eventsOf(attempt, send),
    }).finally(() => {
      this.#deploying = undefined
    })
    this.#running = { attempt, subtask }
    send({ kind: 'running', attempt })
    this.#ports.logger.info('subtask running', { attempt, subtask: subtaskId(deployment.chain, deployment.slot) })
    void subtask.run().catch((error: unknown) => {
      this.#onFailure(attempt, error)
    })
  }

  /** With the state of the deployment: what was prepared and what came since, or all of it. */
  async #restored(deployment: Deployment, store: Store, checkWanted: () => void): Promise<RestoredSubtask> {
    const state = await this.#preparer.stateFor(deployment, checkWanted)
    const { compiled } = state
    this.#deploying = { attempt: deployment.attempt, compiled }
    try {
      checkWanted()
      await state.fill(deployment.restore.state, { store, clock: this.#ports.clock, checkWanted })
      return state.finish()
    } catch (error) {
      this.#deploying = undefined
      await compiled.discard()
      throw error
    }
  }

  #openStore(url: string): Store {
    return scopedStore(this.#ports.openStore(url), this.#config.storeFolder)
  }

  #checkCurrent(attempt: Attempt): void {
    if (this.#seen === attempt && !this.#closed) return
    throw new MillraceError('ATTEMPT_SUPERSEDED', `attempt ${attempt} ended while it was deployed`, {
      domain: 'platform',
      retriable: true,
    })
  }

  #eventsOf(attempt: Attempt, send: (message: WorkerMessage) => void): SubtaskEvents {
    return {
      snapshot: (checkpoint, snapshot) => {
        send({ kind: 'snapshot', attempt, checkpoint, snapshot })
      },
      declined: (checkpoint, error) => {
        send({ kind: 'declined', attempt, checkpoint, error })
      },
      committed: (checkpoint) => {
        // First, so that the report of a job that ends with this checkpoint counts everything.
        send({ kind: 'heartbeat', metrics: this.#running?.subtask.metrics() ?? null })
        send({ kind: 'committed', attempt, checkpoint })
      },
      drained: () => {
        // First, so that the coordinator knows what was left out when it decides how the job ends.
        send({ kind: 'heartbeat', metrics: this.#running?.subtask.metrics() ?? null })
        send({ kind: 'drained', attempt })
      },
      aligned: (minimum) => {
        send({ kind: 'aligned', attempt, minimum })
      },
    }
  }

  #onFailure(attempt: Attempt, error: unknown): void {
    this.#ports.logger.warn('subtask failed', { attempt, reason: describeWithCauses(error) })
    if (this.#running?.attempt === attempt) this.#link.send({ kind: 'failed', attempt, error: errorReport(error) })
  }
}
