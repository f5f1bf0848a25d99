import { isMarkedLater } from '../../codegen/join-code.ts'
import type { JoinHost, JoinPane, JoinSideCode } from '../../codegen/join-contracts.ts'
import type { RowLog } from '../../codegen/rows/row-log.ts'
import { MillraceError } from '../../model/errors.ts'
import type { FrozenState, GroupState, SnapshotExtent } from '../../model/snapshot.ts'
import type { JoinVerb } from '../../graph/verbs/join/join.ts'
import { IncrementalSnapshots, type GrowingLog, type Stretch } from '../../state/incremental-snapshots.ts'
import { corruptJoin, emptyJoinBlock, readJoinBlock } from './join-block.ts'
import { markBlocks, RestoredMarks } from './join-marks.ts'
import type { JoinPanes } from './join-panes.ts'

/**
 * For a pane: the words of its texts and the rows of each part. For the join's progress: its time and the groups seen.
 */
type Mark = Float64Array

/** The rows of a pane, or how far the join had come: that is written again when it has come further. */
type FrozenLog = GrowingLog<Mark> &
  ({ pane: JoinPane; side: 0 | 1; matched: readonly (Uint8Array | undefined)[] } | { pane?: never })
type FrozenPane = Extract<FrozenLog, { pane: JoinPane }>

/** Rows [from, to) of a log. */
interface Run {
  log: RowLog
  part: number
  from: number
  to: number
}

/** Bytes of rows that are written in one go, a few milliseconds, and marks. */
const SLICE_BYTES = 4 << 20
const SLICE_MARKS = 1 << 17
const PROGRESS = -1
/** With room for numbers of any length. */
const LONGEST_MARKS =
  emptyJoinBlock({ version: 2, words: [0, 0], marks: { side: 1, first: 2 ** 31, count: 0 } }).bytes.length + 24
const LONGEST_PROGRESS = emptyJoinBlock({ version: 2, words: [0, 0], passed: -Number.MAX_VALUE }).bytes.length

export interface JoinParts {
  verb: JoinVerb
  sides: readonly [JoinSideCode, JoinSideCode]
  panes: readonly [JoinPanes, JoinPanes]
  host: JoinHost
  shape: string
  maxParallelism: number
}

/**
 * Writes and reads blocks of one join. Rows are only added to a pane, so what was written of it holds until it is
 * dropped.
 */
export class JoinSnapshots {
  readonly #join: JoinParts
  readonly #snapshots = new IncrementalSnapshots<Mark, FrozenLog>()
  readonly #marks: readonly [RestoredMarks, RestoredMarks]
  /** Bytes of a block beside its rows. */
  readonly #headBytes: number

  constructor(join: JoinParts) {
    this.#join = join
    this.#headBytes = emptyJoinBlock({ version: 2, shape: join.shape, words: [0, 0] }).bytes.length + 16
    this.#marks = [new RestoredMarks(join.maxParallelism), new RestoredMarks(join.maxParallelism)]
  }

  /** Marks are written again each time: with marks, no checkpoint begins with the files of the one before. */
  get appends(): boolean {
    return !(['left', 'right'] as const).some((side) => isMarkedLater(this.#join.verb, side))
  }

  /**
   * At a barrier. Takes time by the number of panes; where rows are marked later their marks, a byte each, are
   * copied.
   */
  freeze(extent: SnapshotExtent): FrozenState {
    const { verb, panes, host } = this.#join
    const frozen = ([0, 1] as const).map((side) =>
      panes[side].freeze().map((pane) => frozenPane(pane, side, isMarkedLater(verb, side === 0 ? 'left' : 'right'))),
    )
    const passed = passedOf(host)
    const groups = Array.from(host.seen.keys()).filter((group) => host.seen[group] === 1)
    const progress: FrozenLog = { serial: PROGRESS, end: Float64Array.of(host.passed, groups.length) }
    const marked = frozen.flat().filter(({ matched }) => matched.length > 0)
    return this.#snapshots.freeze(
      {
        logs: () => [...frozen.flat(), progress],
        bytes: (stretch) =>
          isOfPane(stretch)
            ? this.#bytes(stretch, groups.length)
            : progressOf(stretch, groups, passed).length * LONGEST_PROGRESS,
        blocks: (stretch) => (isOfPane(stretch) ? this.#blocks(stretch) : progressOf(stretch, groups, passed)),
        last: {
          bytes: marked.reduce(
            (sum, { end }) => sum + rowsOf(end) / 8 + blocksOf(rowsOf(end), SLICE_MARKS, groups.length) * LONGEST_MARKS,
            0,
          ),
          blocks: (stretches) => this.#markBlocks(stretches.filter(isOfPane)),
        },
        // Rows older than the join's time meet nobody, and are dropped when that time advances. But a row without its
        // mark would come out as a row that had no match.
        ...(this.appends ? { keepsGone: true } : {}),
        release: () => {
          for (const side of [0, 1] as const) panes[side].release((frozen[side] ?? []).map(({ pane }) => pane))
        },
      },
      extent,
    )
  }

  /** Gives the rows of a block back to the join; returns how far it had come. */
  read(group: number, bytes: Uint8Array): number | undefined {
    const { sides, host, shape } = this.#join
    const block = readJoinBlock(bytes)
    const {
      header,
      sides: [left, right],
    } = block
    if (header.shape !== undefined && header.shape !== shape) {
      throw new MillraceError(
        'STATE_INCOMPATIBLE',
        `the state of a join was written for ${header.shape}, the job now has ${shape}`,
        { domain: 'user', hint: 'give the changed join a new id to start it with empty state' },
      )
    }
    const areSound = sides[0].restore(block, ...left, host) && sides[1].restore(block, ...right, host)
    if (!areSound) throw corruptJoin('a row goes beyond its end')
    if (header.marks !== undefined) this.#marks[header.marks.side].add(group, block)
    return header.passed ?? undefined
  }

  rowRestored(side: 0 | 1, log: RowLog, group: number): void {
    this.#marks[side].rowRestored(log, group)
  }

  /** After the last block. */
  restored(): void {
    for (const marks of this.#marks) marks.apply()
  }

  #bytes(stretch: Stretch<Mark, FrozenPane>, groups: number): number {
    const rows = rowsIn(stretch)
    return rows === 0 ? 0 : this.#rowBytes(stretch) + blocksOf(rows, this.#sliceRows(stretch), groups) * this.#headBytes
  }

  #rowBytes(stretch: Stretch<Mark, FrozenPane>): number {
    const {
      log: { side, end },
      from,
    } = stretch
    return (rowsIn(stretch) * this.#join.sides[side].recordWords + (end[0] ?? 0) - (from?.[0] ?? 0)) * 4
  }

  #sliceRows(stretch: Stretch<Mark, FrozenPane>): number {
    return Math.ceil((SLICE_BYTES * rowsIn(stretch)) / this.#rowBytes(stretch))
  }

  /** Rows are copied column by column into place, none becomes an object. */
  *#blocks(stretch: Stretch<Mark, FrozenPane>): Generator<GroupState> {
    const { side } = stretch.log
    const { sides, shape, maxParallelism } = this.#join
    for (const slice of inSlices(runsOf(stretch), this.#sliceRows(stretch))) {
      const words = new Int32Array(maxParallelism)
      for (const { log, from, to } of slice) sides[side].measure(log, from, to, words)
      const blocks = Array.from(words, (count) =>
        count === 0 ? undefined : emptyJoinBlock({ version: 2, shape, words: side === 0 ? [count, 0] : [0, count] }),
      )
      const ints = blocks.map((block) => new Int32Array(block?.bytes.buffer ?? new ArrayBuffer(0)))
      const doubles = blocks.map((block) => new Float64Array(block?.bytes.buffer ?? new ArrayBuffer(0)))
      const places = Int32Array.from(blocks, (block) => (block?.start ?? 0) >> 2)
      for (const { log, from, to } of slice) sides[side].dump(log, from, to, places, ints, doubles)
      for (const [group, block] of blocks.entries()) if (block !== undefined) yield [group, block.bytes]
    }
  }

  *#markBlocks(stretches: readonly (Stretch<Mark, FrozenPane> & { to: Mark })[]): Generator<GroupState> {
    for (const side of [0, 1] as const) {
      const marked = stretches.filter(({ log }) => log.side === side && log.matched.length > 0)
      const rows = marked.flatMap(({ log, from, to }) =>
        runsOf({ log, from }, to).map((run) => ({ ...run, matched: log.matched[run.part] ?? new Uint8Array() })),
      )
      yield* markBlocks(side, inSlices(rows, SLICE_MARKS), this.#join.maxParallelism)
    }
  }
}

function frozenPane(pane: JoinPane, side: 0 | 1, isMarked: boolean): FrozenPane {
  return {
    serial: pane.serial * 2 + side,
    pane,
    side,
    end: Float64Array.of(pane.texts.taken, ...pane.parts.map((log) => log?.n ?? 0)),
    matched: isMarked ? pane.parts.map((log) => log?.m.slice(0, log.n)) : [],
  }
}

function isOfPane<S extends Stretch<Mark, FrozenLog>>(stretch: S): stretch is S & Stretch<Mark, FrozenPane> {
  return stretch.log.pane !== undefined
}

/** How far the join had come in each group, as of now. */
function passedOf({ passed, held }: JoinHost): (group: number) => number {
  const before = held?.slice()
  return (group) => Math.max(passed, before?.[group] ?? -Infinity)
}

/** A block for each group that ever had a row: without rows too it says how far the join had come. */
function progressOf(
  { log: { end }, from }: Stretch<Mark, FrozenLog>,
  groups: readonly number[],
  passedOf: (group: number) => number,
): GroupState[] {
  if (from !== undefined && from.every((value, index) => value === end[index])) return []
  return groups.flatMap((group): GroupState[] => {
    const passed = passedOf(group)
    return Number.isFinite(passed) ? [[group, emptyJoinBlock({ version: 2, words: [0, 0], passed }).bytes]] : []
  })
}

function rowsOf(mark: Mark | undefined): number {
  return mark === undefined ? 0 : mark.reduce((sum, value) => sum + value, 0) - (mark[0] ?? 0)
}

function rowsIn({ log: { end }, from }: Stretch<Mark, FrozenPane>): number {
  return rowsOf(end) - rowsOf(from)
}

/** At most so many blocks come of so many rows. */
function blocksOf(rows: number, sliceRows: number, groups: number): number {
  return Math.min(rows, groups * Math.ceil(rows / sliceRows))
}

function runsOf({ log: { pane, end }, from }: Stretch<Mark, FrozenPane>, to = end): Run[] {
  return pane.parts.flatMap((log, part) => {
    const run = { part, from: from?.[part + 1] ?? 0, to: to[part + 1] ?? 0 }
    return log === undefined || run.from === run.to ? [] : [{ log, ...run }]
  })
}

/** Runs in their order, cut up and put together to so many rows. */
function* inSlices<R extends Run>(runs: readonly R[], sliceRows: number): Generator<R[]> {
  let slice: R[] = []
  let rows = 0
  for (const run of runs) {
    for (let { from } = run; from < run.to; ) {
      const to = Math.min(run.to, from + sliceRows - rows)
      slice.push({ ...run, from, to })
      rows += to - from
      from = to
      if (rows < sliceRows) continue
      yield slice
      slice = []
      rows = 0
    }
  }
  if (rows > 0) yield slice
}
