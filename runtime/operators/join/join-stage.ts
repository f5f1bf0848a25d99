import { type Batch, BATCH_ROWS, RowBatch } from '../../memory/batch.ts'
import { greatestCommonDivisor } from '../../model/greatest-common-divisor.ts'
import { compileJoin, isAwaited } from '../../codegen/join-code.ts'
import type { JoinCode, JoinHost, JoinPane, JoinSideCode } from '../../codegen/join-contracts.ts'
import { RecordArena } from '../../memory/arena/record-arena.ts'
import type { RowLog } from '../../codegen/rows/row-log.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import { MAX_TIMESTAMP, type Timestamp } from '../../model/time.ts'
import { isOuter, type JoinVerb } from '../../graph/verbs/join/join.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage, OperatorState } from '../stage.ts'
import { JoinPanes } from './join-panes.ts'
import { JoinSnapshots } from './join-snapshot.ts'

/** A row is kept longer than its time to live by at most a quarter of it. */
const PANES_PER_TTL = 4
const NO_WINDOW = { start: 0, end: 0 }

export function createJoinStage(verb: JoinVerb, context: OperatorContext): OperatorStage {
  return new JoinStage(verb, context)
}

/**
 * Joins two streams on equal keys. Window joins as Flink's WindowJoinOperator (a window puts out its pairs when it
 * ends), interval joins as its IntervalJoinOperator and RowTimeIntervalJoin (pairs at once, rows without a match
 * when their time is over, watermarks held back), regular ones as its StreamingJoinOperator over streams that only
 * append.
 */
class JoinStage implements OperatorStage, JoinHost {
  readonly state: OperatorState
  passed = -Infinity
  held: Float64Array | null = null
  readonly seen: Uint8Array
  now = 0
  readonly late: Row[] = []
  readonly #verb: JoinVerb
  readonly #context: OperatorContext
  readonly #code: JoinCode
  /** Where rows lie when not all may be in memory. */
  readonly #arena: RecordArena | undefined
  readonly #panes: readonly [JoinPanes, JoinPanes]
  readonly #snapshots: JoinSnapshots
  readonly #out: Row[] = []
  /** Start of the first window that has not fired. */
  #nextWindow = -Infinity

  constructor(verb: JoinVerb, context: OperatorContext) {
    const {
      node,
      inputs: [left, right],
      output,
      maxParallelism,
      spill,
    } = context
    if (left === undefined || right === undefined)
      throw new MillraceError('INPUT_MISSING', `join ${node.id} lacks an input`)
    const paneMs = paneLength(verb)
    const partBits = paneMs === undefined ? 6 : 3
    const arena = spill === undefined ? undefined : new RecordArena(spill)
    const code = compileJoin({
      verb,
      inputs: { left: left.schema, right: right.schema },
      output,
      maxParallelism,
      partBits,
      operatorId: node.id,
      arena,
    })
    this.#verb = verb
    this.#context = context
    this.#code = code
    this.#arena = arena
    this.#panes = [
      new JoinPanes(paneMs, partBits, code.left.create, arena),
      new JoinPanes(paneMs, partBits, code.right.create, arena),
    ]
    this.seen = new Uint8Array(maxParallelism)
    this.#snapshots = new JoinSnapshots({
      verb,
      sides: [code.left, code.right],
      panes: this.#panes,
      host: this,
      shape: shapeOf(verb, code),
      maxParallelism,
    })
    this.state = {
      scope: 'keyed',
      appends: this.#snapshots.appends,
      size: () => this.#panes[0].size() + this.#panes[1].size(),
      ...(arena === undefined ? {} : { memory: () => arena }),
      freeze: (extent) => {
        arena?.checkDisk()
        return this.#snapshots.freeze(extent)
      },
      restore: (group, bytes) => {
        this.#restore(group, bytes)
      },
      restored: () => {
        this.#snapshots.restored()
      },
    }
  }

  close(): Promise<void> {
    this.#arena?.closeDisk()
    return Promise.resolve()
  }

  rowRestored(side: 0 | 1, log: RowLog, group: number): void {
    this.#snapshots.rowRestored(side, log, group)
  }

  paneAt(side: 0 | 1, time: number): JoinPane {
    if (!Number.isFinite(time))
      throw new MillraceError('RECORD_INVALID', `the time of a row is ${String(time)}, not a number of ms`, {
        domain: 'user',
      })
    return this.#panes[side].at(time)
  }

  part(side: 0 | 1, pane: JoinPane, part: number): RowLog {
    return this.#panes[side].part(pane, part)
  }

  async process(batch: Batch, input: number): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    const side = input === 0 ? 0 : 1
    const { onError } = this.#context
    this.now = this.#context.clock.now()
    if (this.#verb.extent.kind === 'regular') this.#expire()
    const others = this.#panes[1 - side]?.panes ?? []
    const { take } = this.#sideCode(side)
    for (let at = 0; at < count; ) {
      at = take(rows, at, count, others, this, this.#out, onError)
      await this.#handOn()
    }
    if (this.late.length > 0) await this.#putLate(side)
  }

  async onWatermark(time: Timestamp): Promise<void> {
    const { extent } = this.#verb
    if (extent.kind === 'window') await this.#fireWindows(time + 1, extent)
    if (extent.kind === 'interval') {
      this.passed = Math.max(this.passed, time)
      await this.#dropPanes(0, time - extent.afterMs)
      await this.#dropPanes(1, time - extent.beforeMs)
    }
    if (this.held?.every((passed) => passed <= this.passed) === true) this.held = null
    await this.#context.next.onWatermark(time === MAX_TIMESTAMP ? time : time - this.#verb.watermarkDelayMs)
  }

  #restore(group: number, bytes: Uint8Array): void {
    const passed = this.#snapshots.read(group, bytes)
    this.seen[group] = 1
    this.held ??= new Float64Array(this.#context.maxParallelism).fill(-Infinity)
    this.held[group] = Math.max(this.held[group] ?? -Infinity, passed ?? -Infinity)
  }

  #sideCode(side: 0 | 1): JoinSideCode {
    return side === 0 ? this.#code.left : this.#code.right
  }

  /** Hands on what the loops have put out. */
  async #handOn(): Promise<void> {
    const out = this.#out
    for (let at = 0; at < out.length; at += BATCH_ROWS) {
      const batch = out.length <= BATCH_ROWS ? out : out.slice(at, at + BATCH_ROWS)
      await this.#context.next.process(new RowBatch(batch), 0)
    }
    out.length = 0
  }

  async #putLate(side: 0 | 1): Promise<void> {
    const late = this.late.splice(0)
    this.#context.onLate(late.length)
    await this.#context.side(side === 0 ? 'lateLeft' : 'lateRight')?.process(new RowBatch(late), 0)
  }

  /** Rows whose time to live is over, as far as whole panes are. */
  #expire(): void {
    const { extent } = this.#verb
    if (extent.kind !== 'regular' || extent.ttlMs === undefined) return
    for (const panes of this.#panes) {
      while (panes.first !== undefined && panes.first.end + extent.ttlMs <= this.now) panes.drop(panes.first)
    }
  }

  /** Panes all of whose rows lie before `end` can match nothing that may still come. */
  async #dropPanes(side: 0 | 1, end: number): Promise<void> {
    const panes = this.#panes[side]
    for (let pane = panes.first; pane !== undefined && pane.end - 1 < end; pane = panes.first) {
      if (isAwaited(this.#verb, side === 0 ? 'left' : 'right'))
        for (const log of pane.parts) if (log !== undefined) await this.#putAlone(side, log, NO_WINDOW)
      panes.drop(pane)
    }
  }

  async #putAlone(side: 0 | 1, log: RowLog, window: { start: number; end: number }): Promise<void> {
    const { alone } = this.#sideCode(side)
    await this.#inSlices(log, (at) => alone(log, at, window, this, this.#out, this.#context.onError))
  }

  /** Runs a loop over a log that stops when `out` is full. */
  async #inSlices(log: RowLog, run: (at: number) => number): Promise<void> {
    for (let at = 0; at < log.n; ) {
      at = run(at)
      await this.#handOn()
      if (at < log.n)
        await new Promise<void>((resolve) => {
          this.#context.clock.nextTurn(resolve)
        })
    }
  }

  async #fireWindows(passed: number, { sizeMs, slideMs }: { sizeMs: number; slideMs: number }): Promise<void> {
    for (;;) {
      const first = Math.min(this.#panes[0].first?.start ?? Infinity, this.#panes[1].first?.start ?? Infinity)
      const start = Math.max((Math.floor((first - sizeMs) / slideMs) + 1) * slideMs, this.#nextWindow)
      if (first === Infinity || start + sizeMs > passed) break
      await this.#fire({ start, end: start + sizeMs })
      this.#nextWindow = start + slideMs
      for (const panes of this.#panes)
        while (panes.first !== undefined && panes.first.start < this.#nextWindow) panes.drop(panes.first)
    }
    this.passed = Math.max(this.passed, passed)
  }

  async #fire(window: { start: number; end: number }): Promise<void> {
    const [lefts, rights] = this.#panes.map(({ panes }) =>
      panes.filter((pane) => pane.start >= window.start && pane.start < window.end),
    )
    const parts = lefts?.[0]?.parts.length ?? rights?.[0]?.parts.length ?? 0
    for (let part = 0; part < parts; part++) {
      const others = logsOf(rights, part)
      // Each hopping window starts without marks: its rows may have had their match in the window before.
      if (isOuter(this.#verb.type, 'right')) for (const log of others) log.m.fill(0, 0, log.n)
      for (const log of logsOf(lefts, part)) {
        await this.#inSlices(log, (at) =>
          this.#code.fire(log, at, others, window, this, this.#out, this.#context.onError),
        )
      }
      if (isOuter(this.#verb.type, 'right')) for (const log of others) await this.#putAlone(1, log, window)
    }
  }
}

function logsOf(panes: readonly JoinPane[] | undefined, part: number): RowLog[] {
  return (panes ?? []).flatMap((pane) => pane.parts[part] ?? [])
}

/** Panes of event time, or of processing time where rows live for a while; undefined: one pane for ever. */
function paneLength({ extent }: JoinVerb): number | undefined {
  switch (extent.kind) {
    case 'window':
      return greatestCommonDivisor(extent.sizeMs, extent.slideMs)
    case 'interval':
      return extent.paneMs
    case 'regular':
      return extent.ttlMs === undefined ? undefined : Math.max(1, Math.ceil(extent.ttlMs / PANES_PER_TTL))
  }
}

/** What a restore must find again: how rows meet, and what is kept of them. */
function shapeOf({ type, extent, keys }: JoinVerb, code: JoinCode): string {
  return JSON.stringify({
    type,
    extent: extent.kind === 'regular' ? extent.kind : extent,
    on: keys,
    left: code.left.shape,
    right: code.right.shape,
  })
}
