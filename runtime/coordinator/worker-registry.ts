import { MAX_LINE_BYTES, onMessages, sendMessage } from '../control/json-lines.ts'
import type { CoordinatorMessage, SubtaskMetrics, WorkerMessage } from '../control/messages.ts'
import { describeWithCauses } from '../model/errors.ts'
import { subtaskId, type Attempt, type SubtaskId } from '../model/ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import { isSameSecret } from '../model/same-secret.ts'
import { MAX_PROOF_BYTES, StrangerLimit } from '../ports/stranger-limit.ts'
import { DEFAULT_HEARTBEAT_TIMEOUT_MS, SilenceWatch } from '../control/silence-watch.ts'
import { checkedRecords } from './checked-records.ts'
import { checkedSeries } from '../telemetry/checked-series.ts'
import type { Connection, Listener, Net, NetAddress } from '../ports/net.ts'
/** How many processes of a subtask are remembered; a process that slept while more replaced it may register again. */
const INSTANCES_KEPT = 16

export interface RegisteredWorker {
  name: string
  subtask: SubtaskId
  data: NetAddress
  /** The attempt that it said it runs when it registered. */
  runningThen: Attempt | null
  metrics: SubtaskMetrics | null
}

export interface RegistryEvents {
  registered(worker: RegisteredWorker): void
  metrics(subtask: SubtaskId, metrics: SubtaskMetrics): void
  /** The connection is gone or another process took the slot; nothing more comes from it. */
  lost(subtask: SubtaskId): void
  message(subtask: SubtaskId, message: WorkerMessage): void
}

interface Entry {
  worker: RegisteredWorker
  connection: Connection
  silence: SilenceWatch
  hasRefusedSeries: boolean
}

/**
 * The control connections of a job's workers, one per subtask. The process that registered last wins, for good. A
 * process that wakes after it was replaced is ordered to end when it comes back: otherwise the two would replace each
 * other in turn, and each time cost an attempt.
 */
export class WorkerRegistry {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #token: string
  readonly #heartbeatTimeoutMs: number
  readonly #events: RegistryEvents
  readonly #strangers: StrangerLimit
  readonly #entries = new Map<SubtaskId, Entry>()
  /**
   * The processes that have registered, the last one at the end. A coordinator that restarts knows none of them: the
   * process that then registers last stays.
   */
  readonly #instances = new Map<SubtaskId, readonly string[]>()
  #listener: Listener | undefined

  constructor(parts: {
    clock: Clock
    logger: Logger
    token: string
    /** A worker that says nothing for so long is taken for lost. */
    heartbeatTimeoutMs?: number | undefined
    events: RegistryEvents
  }) {
    const { clock, logger } = parts
    this.#clock = clock
    this.#logger = logger
    this.#token = parts.token
    this.#heartbeatTimeoutMs = parts.heartbeatTimeoutMs ?? DEFAULT_HEARTBEAT_TIMEOUT_MS
    this.#events = parts.events
    this.#strangers = new StrangerLimit(clock, (remote, reason, others) => {
      logger.warn('worker refused', { remote, reason, others })
    })
  }

  async listen(net: Net, address: NetAddress): Promise<NetAddress> {
    this.#listener = await this.#strangers.listen(net, address, (connection) => {
      this.#onConnection(connection)
    })
    return this.#listener.address
  }

  subtasks(): SubtaskId[] {
    return [...this.#entries.keys()].sort()
  }

  workers(): RegisteredWorker[] {
    return this.subtasks().flatMap((subtask) => this.worker(subtask) ?? [])
  }

  worker(subtask: SubtaskId): RegisteredWorker | undefined {
    return this.#entries.get(subtask)?.worker
  }

  /** Sends nothing when the worker is gone: its loss is an event of its own. */
  send(subtask: SubtaskId, message: CoordinatorMessage): void {
    const entry = this.#entries.get(subtask)
    if (entry) sendMessage(entry.connection, message)
  }

  #onConnection(connection: Connection): void {
    let entry: Entry | undefined
    connection.onClose(() => {
      this.#strangers.forget(connection)
      if (entry) this.#forget(entry)
    })
    onMessages(connection, {
      maxBytes: () => (entry === undefined ? MAX_PROOF_BYTES : MAX_LINE_BYTES),
      onMessage: (raw) => {
        const message = raw as WorkerMessage
        if (!entry) {
          entry = this.#register(connection, message)
          return entry === undefined ? 'over' : undefined
        }
        entry.silence.heard()
        if (this.#entries.get(entry.worker.subtask) !== entry) return undefined
        if (message.kind === 'heartbeat') {
          // A worker that runs nothing has no trouble, but what its last attempt counted stays in the report of a
          // finished job.
          const metrics = message.metrics && this.#withCheckedSeries(message.metrics, entry)
          entry.worker.metrics = metrics ?? (entry.worker.metrics && { ...entry.worker.metrics, trouble: null })
          if (metrics) this.#events.metrics(entry.worker.subtask, metrics)
          sendMessage(connection, { kind: 'heartbeat' } satisfies CoordinatorMessage)
          return undefined
        }
        this.#events.message(entry.worker.subtask, message)
        return undefined
      },
      onError: (error) => {
        if (entry === undefined) this.#strangers.refuse(connection, describeWithCauses(error))
        else
          this.#logger.warn('control connection broken', {
            remote: connection.remote,
            reason: describeWithCauses(error),
          })
      },
    })
  }

  /** Logs once for each connection that metrics of its worker cannot be served. */
  #withCheckedSeries(metrics: SubtaskMetrics, entry: Entry): SubtaskMetrics {
    const { series, refused } = checkedSeries(metrics.series)
    if (refused > 0 && !entry.hasRefusedSeries)
      this.#logger.warn('metrics of a worker left out', { subtask: entry.worker.subtask, refused })
    entry.hasRefusedSeries ||= refused > 0
    return { ...metrics, series, operators: checkedRecords(metrics.operators) }
  }

  #register(connection: Connection, message: WorkerMessage): Entry | undefined {
    if (message.kind !== 'register' || !isSameSecret(message.token, this.#token)) {
      this.#strangers.refuse(
        connection,
        message.kind === 'register' ? 'wrong token' : `its first message is ${message.kind.slice(0, 40)}`,
      )
      return undefined
    }
    this.#strangers.forget(connection)
    const subtask = subtaskId(message.chain, message.slot)
    if (this.#isDisplaced(subtask, message.instance)) {
      this.#logger.warn('worker displaced', { worker: message.worker, subtask, remote: connection.remote })
      sendMessage(connection, { kind: 'displaced' } satisfies CoordinatorMessage)
      connection.end()
      return undefined
    }
    const older = this.#entries.get(subtask)
    if (older) {
      this.#forget(older)
      older.connection.destroy()
    }
    const entry: Entry = {
      worker: { name: message.worker, subtask, data: message.data, runningThen: message.running, metrics: null },
      connection,
      silence: new SilenceWatch(this.#clock, this.#heartbeatTimeoutMs, () => {
        this.#onSilent(entry)
      }),
      hasRefusedSeries: false,
    }
    this.#entries.set(subtask, entry)
    this.#logger.info('worker registered', { worker: message.worker, subtask, seen: message.seen })
    this.#events.registered(entry.worker)
    return entry
  }

  /** Notes the last to come. */
  #isDisplaced(subtask: SubtaskId, instance: string): boolean {
    const known = this.#instances.get(subtask) ?? []
    if (known.includes(instance)) return known.at(-1) !== instance
    this.#instances.set(subtask, [...known, instance].slice(-INSTANCES_KEPT))
    return false
  }

  #forget(entry: Entry): void {
    entry.silence.stop()
    if (this.#entries.get(entry.worker.subtask) !== entry) return
    this.#entries.delete(entry.worker.subtask)
    this.#events.lost(entry.worker.subtask)
  }

  #onSilent(entry: Entry): void {
    this.#logger.warn('worker silent', { subtask: entry.worker.subtask, silentMs: this.#heartbeatTimeoutMs })
    this.#forget(entry)
    entry.connection.destroy()
  }

  async close(): Promise<void> {
    this.#strangers.close()
    const entries = [...this.#entries.values()]
    this.#entries.clear()
    for (const entry of entries) {
      entry.silence.stop()
      entry.connection.destroy()
    }
    await this.#listener?.close()
  }
}
