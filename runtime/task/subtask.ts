import type { Batch } from '../memory/batch.ts'
import { memberOf } from '../model/fields.ts'
import { SnapshotUpload } from '../checkpoint/snapshot-upload.ts'
import type { SinkWriter } from '../connectors/sink.ts'
import type { OperatorRecords, SubtaskMetrics } from '../control/messages.ts'
import { errorReport, type ErrorReport } from '../model/errors.ts'
import type { Attempt, CheckpointId, SubtaskId } from '../model/ids.ts'
import type { Committable, SinkNote, SnapshotExtent, Split, SubtaskSnapshot } from '../model/snapshot.ts'
import { MAX_TIMESTAMP, MIN_TIMESTAMP, type Timestamp } from '../model/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import type { Metric } from '../telemetry/metric.ts'
import type { MetricRegistry } from '../telemetry/metric-registry.ts'
import type { BadRecords } from './bad-records.ts'
import type { Input, TriggerMode } from './input.ts'
import type { RecordTallies } from '../operators/record-tally.ts'
import type { OperatorChain } from './operator-chain.ts'
import type { Mailbox } from './mailbox.ts'
import type { Signal } from './signal.ts'
import type { ExchangeStage } from './stage.ts'
import type { TimeShares } from './time-shares.ts'

/**
 * After so many steps, or milliseconds, the loop lets the process turn: when source and sink answer without waiting,
 * nothing else does, and heartbeats, triggers, fences and state that is being written would wait until the input ends.
 */
const STEPS_PER_TURN = 8
const TURN_MS = 5

const STATE_ENTRIES: Metric = {
  name: 'millrace_operator_state_entries',
  type: 'gauge',
  help: 'Entries of state that the subtask keeps for the operator',
  scope: 'subtask',
}

const RECORDS_IN: Metric = {
  name: 'millrace_operator_records_in_total',
  type: 'counter',
  help: 'Records in this attempt that the subtask whose first operator this is took in',
  scope: 'subtask',
}

const RECORDS_OUT: Metric = {
  name: 'millrace_operator_records_out_total',
  type: 'counter',
  help: 'Records in this attempt that the subtask whose first operator this is gave to sinks and other subtasks',
  scope: 'subtask',
}

/** The events that a subtask reports to its worker; each is about its own attempt only. */
export interface SubtaskEvents {
  snapshot(checkpoint: CheckpointId, snapshot: SubtaskSnapshot): void
  declined(checkpoint: CheckpointId, error: ErrorReport): void
  committed(checkpoint: CheckpointId): void
  drained(): void
  /** The least watermark of its source's splits, when the source is aligned with others. */
  aligned(minimum: Timestamp | null): void
}

export interface SubtaskParts {
  id: SubtaskId
  attempt: Attempt
  input: Input
  chain: OperatorChain
  /** The chain's ends that lead to other chains. */
  exchanges: readonly ExchangeStage[]
  /** Those of `exchanges` that stand behind side outputs. */
  sideEnds: readonly ExchangeStage[]
  /** Those of them that belong to the source itself, by name. */
  sourceSides: ReadonlyMap<string, ExchangeStage>
  sinks: ReadonlyMap<string, SinkWriter>
  badRecords: BadRecords
  /** Its signal is what sinks were given: aborted by `stop`, so that none of their calls holds it up. */
  stopping: AbortController
  store: Store
  clock: Clock
  signal: Signal
  mailbox: Mailbox
  counters: SubtaskCounters
  time: TimeShares
  tallies: RecordTallies
  metrics: MetricRegistry
  events: SubtaskEvents
  /** As SnapshotUpload has them. */
  inlineStateBytes: number
}

/** Counted where it happens, read by the worker's heartbeat. */
export class SubtaskCounters {
  recordsIn = 0
  recordsOut = 0
  badRecords = 0
  lateRecords = 0
  firstRecordAt: number | null = null
  lastRecordAt: number | null = null
  trouble: ErrorReport | null = null

  /** Declares the records of the chain that begins with this operator as metrics. */
  collectInto(metrics: MetricRegistry, operator: string): void {
    metrics.collect(RECORDS_IN, () => [{ operator, value: this.recordsIn }])
    metrics.collect(RECORDS_OUT, () => [{ operator, value: this.recordsOut }])
  }
}

/**
 * One subtask in one attempt: a single loop takes a step of the input, hands it through the chain and, between
 * steps, carries out its orders (commit). Everything that touches operators happens in this loop, one at a time.
 */
export class Subtask {
  readonly #parts: SubtaskParts
  readonly #uploads: SnapshotUpload
  /** Prepared and not yet known to be complete: also those of aborted checkpoints, which the next one carries. */
  readonly #prepared: { checkpoint: CheckpointId; operator: string; committables: readonly Committable[] }[] = []
  #watermark: Timestamp | null = null
  #sideWatermark: Timestamp = MIN_TIMESTAMP
  #stopping = false
  #done: Promise<void> | undefined

  constructor(parts: SubtaskParts) {
    this.#parts = parts
    this.#uploads = new SnapshotUpload({
      subtask: parts.id,
      attempt: parts.attempt,
      store: parts.store,
      clock: parts.clock,
      inlineBytes: parts.inlineStateBytes,
    })
    parts.metrics.collect(STATE_ENTRIES, () =>
      [...parts.chain.states].map(([operator, state]) => ({ operator, value: state.size() })),
    )
  }

  /** Resolves when stopped; rejects with what made the subtask fail. Called once. */
  run(): Promise<void> {
    this.#parts.time.start()
    this.#done = this.#loop()
    return this.#done
  }

  trigger(checkpoint: CheckpointId, extent: SnapshotExtent, mode: TriggerMode): void {
    this.#parts.input.trigger(checkpoint, extent, mode)
    this.#parts.signal.raise()
  }

  /** The checkpoint is in the log: its output may become visible. */
  complete(checkpoint: CheckpointId): void {
    this.#parts.mailbox.put(() => this.#commit(checkpoint))
  }

  /** The checkpoint was aborted. */
  abort(checkpoint: CheckpointId): void {
    this.#uploads.abort(checkpoint)
  }

  /** Its source has more to read from now on. */
  addSplits(splits: readonly Split[]): void {
    this.#parts.mailbox.put(() => {
      this.#parts.input.addSplits(splits)
      return Promise.resolve()
    })
  }

  /** How far its source's group has come: what waited may go on. */
  align(minimum: Timestamp | null): void {
    this.#parts.mailbox.put(() => {
      this.#parts.input.onGroupMinimum(minimum)
      return Promise.resolve()
    })
  }

  /**
   * Ends the loop at the next step, giving up calls that wait for the outside, and releases every connection. Nothing
   * is committed; what sinks have open and unprepared is aborted.
   */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#parts.stopping.abort()
    this.#uploads.stop()
    this.#parts.signal.raise()
    this.#parts.mailbox.close()
    for (const writer of this.#parts.exchanges.flatMap((exchange) => exchange.writers)) writer.close()
    await this.#parts.input.close()
    // A failure of the loop has been reported by whoever awaits run.
    await this.#done?.catch(() => undefined)
    for (const operator of this.#parts.chain.operators.values()) await operator.close?.()
    for (const sink of this.#parts.sinks.values()) await sink.close()
    await this.#parts.badRecords.close()
  }

  metrics(): SubtaskMetrics {
    const stateBytes = { memory: 0, disk: 0 }
    for (const state of this.#parts.chain.states.values()) {
      const { residentBytes = 0, fileBytes = 0 } = state.memory?.() ?? {}
      stateBytes.memory += residentBytes
      stateBytes.disk += fileBytes
    }
    return {
      attempt: this.#parts.attempt,
      ...this.#parts.counters,
      time: this.#parts.time.read(),
      operators: operatorRecords(this.#parts.tallies),
      watermark: this.#watermark,
      stateBytes,
      lagRecords: this.#parts.input.lagRecords() ?? null,
      pausedSplits: this.#parts.input.pausedSplits(),
      series: this.#parts.metrics.series(),
    }
  }

  async #loop(): Promise<void> {
    const { clock } = this.#parts
    for (let steps = 1, turnAt = clock.now(); !this.#stopping; steps++) {
      if (steps >= STEPS_PER_TURN || clock.now() - turnAt >= TURN_MS) {
        await new Promise<void>((resolve) => {
          clock.nextTurn(resolve)
        })
        steps = 0
        turnAt = clock.now()
      }
      const mail = this.#parts.mailbox.take()
      try {
        if (mail) {
          await mail()
          await this.#passSideWatermark()
        } else await this.#step()
      } catch (error) {
        // Closing the connections makes what waits on them fail: that is the stop, not a failure.
        if (!this.#stopping) throw error
      }
    }
  }

  async #step(): Promise<void> {
    const { input, chain, counters, clock, badRecords } = this.#parts
    const step = await input.next()
    if (this.#stopping) return
    switch (step.kind) {
      case 'batch':
        counters.recordsIn += step.batch.count
        counters.lastRecordAt = clock.now()
        counters.firstRecordAt ??= counters.lastRecordAt
        if (step.batch.count > 0) await chain.head.process(step.batch, step.input)
        if (step.sides !== undefined) await this.#putSides(step.sides)
        await badRecords.push()
        break
      case 'watermark':
        await chain.head.onWatermark(step.time)
        this.#watermark = step.time
        await this.#passSideWatermark()
        if (step.time === MAX_TIMESTAMP) this.#parts.events.drained()
        break
      case 'idleInput':
        for (const operator of chain.operators.values()) await operator.drain?.()
        for (const writer of this.#parts.exchanges.flatMap((exchange) => exchange.writers)) writer.idle()
        break
      case 'barrier':
        await this.#checkpoint(step.checkpoint, step.extent)
        break
      case 'idle':
        await badRecords.push()
        // Nothing will fill the batches soon: what waits goes now.
        for (const writer of this.#parts.exchanges.flatMap((exchange) => exchange.writers)) writer.flush()
        await this.#idle(step.retryMs)
        break
    }
  }

  /**
   * Side outputs stand anywhere in the chain: behind rows that an operator holds back no watermark may be ahead of
   * them.
   */
  async #passSideWatermark(): Promise<void> {
    const { sideEnds, chain } = this.#parts
    if (sideEnds.length === 0 || this.#watermark === null) return
    let passed = this.#watermark
    for (const operator of chain.operators.values()) passed = Math.min(passed, operator.passedWatermark?.() ?? passed)
    if (passed <= this.#sideWatermark) return
    this.#sideWatermark = passed
    for (const end of sideEnds) await end.onWatermark(passed)
  }

  async #putSides(sides: Readonly<Record<string, Batch>>): Promise<void> {
    for (const [name, batch] of Object.entries(sides)) {
      this.#parts.counters.recordsIn += batch.count
      if (batch.count > 0) await this.#parts.sourceSides.get(name)?.process(batch)
    }
  }

  async #idle(retryMs: number | undefined): Promise<void> {
    const cancel =
      retryMs === undefined
        ? undefined
        : this.#parts.clock.after(retryMs, () => {
            this.#parts.signal.raise()
          })
    await this.#parts.time.during('idle', this.#parts.signal.wait())
    cancel?.()
  }

  /**
   * The barrier goes on first, so that others can align while this subtask freezes its state; alignment is what
   * users feel as latency. Frozen state is read and uploaded outside the loop.
   */
  async #checkpoint(checkpoint: CheckpointId, extent: SnapshotExtent): Promise<void> {
    const { exchanges, chain, input, attempt } = this.#parts
    for (const operator of chain.operators.values()) await operator.drain?.()
    for (const writer of exchanges.flatMap((exchange) => exchange.writers)) writer.barrier(attempt, checkpoint, extent)
    const states = [...chain.states].map(([operator, state]) => [operator, state.freeze(extent)] as const)
    const splits = input.snapshot(checkpoint)
    await this.#parts.badRecords.flush()
    const sinkNotes: Record<string, readonly SinkNote[]> = {}
    for (const [operator, writer] of this.#parts.sinks) {
      this.#prepared.push({ checkpoint, operator, committables: await writer.prepareCommit(checkpoint) })
      const notes = writer.notes?.() ?? []
      if (notes.length > 0) sinkNotes[operator] = notes
    }
    const noted = Object.keys(sinkNotes).length === 0 ? {} : { sinkNotes }
    const committables: Record<string, readonly Committable[]> = {}
    for (const { operator, committables: prepared } of this.#prepared) {
      committables[operator] = [...(memberOf(committables, operator) ?? []), ...prepared]
    }
    void this.#uploads.upload(checkpoint, states).then(
      (state) => {
        if (!this.#stopping) this.#parts.events.snapshot(checkpoint, { splits, state, committables, ...noted })
      },
      (error: unknown) => {
        if (!this.#stopping) this.#parts.events.declined(checkpoint, errorReport(error))
      },
    )
  }

  async #commit(checkpoint: CheckpointId): Promise<void> {
    while (this.#prepared[0] && this.#prepared[0].checkpoint <= checkpoint) {
      const { operator, committables } = this.#prepared[0]
      if (committables.length > 0) await this.#parts.sinks.get(operator)?.commit?.(committables)
      this.#prepared.shift()
    }
    await this.#parts.input.notifyComplete(checkpoint)
    if (!this.#stopping) this.#parts.events.committed(checkpoint)
  }
}

function operatorRecords(tallies: RecordTallies): OperatorRecords[] {
  return tallies.entries().map(([operator, { total, skipped, deadLettered, firstReason }]) => ({
    operator,
    seen: total,
    skipped,
    deadLettered,
    ...(firstReason === undefined ? {} : { firstReason }),
  }))
}
