import { MillraceError } from '../model/errors.ts'
import type { FrozenState, GroupState, SnapshotExtent, StateFile } from '../model/snapshot.ts'

/**
 * A part of an operator's state, as of a barrier, that only grows at its end: bytes that were written once stay valid
 * until the log is gone. A log whose content changes in any other way (rows are moved, overwritten, dropped from
 * within) is another log from then on: it takes a serial number that no log of the operator ever had, and is
 * written again as a whole. A log that is gone is no longer named, and its written bytes fall out of the next
 * checkpoint.
 */
export interface GrowingLog<Mark> {
  readonly serial: number
  /**
   * Where it ended at the barrier, in whatever the operator counts by: it alone reads marks. They are kept: small,
   * and never changed.
   */
  readonly end: Mark
}

/** What one log has got behind `from`; all of it when `from` is undefined. */
export interface Stretch<Mark, Log extends GrowingLog<Mark>> {
  readonly log: Log
  readonly from: Mark | undefined
}

/** All logs of an operator as of a barrier, to be read between turns while work goes on. */
export interface FrozenLogs<Mark, Log extends GrowingLog<Mark>> {
  /** Called once, when it is read: the logs in the order in which they are to be restored. */
  logs(): readonly Log[]
  /**
   * Bytes that the blocks of a stretch take, or somewhat more, in constant time; 0: it is empty, and is not
   * written.
   */
  bytes(stretch: Stretch<Mark, Log>): number
  /**
   * The blocks of a stretch, of any key groups, each made when it is asked for: a millisecond's work or so. A
   * restore gets the stretches of one log in their order, those of several logs in any.
   */
  blocks(stretch: Stretch<Mark, Log>): Iterable<GroupState>
  /**
   * A part that every checkpoint writes again and restores last, for state that is small and changes all the time.
   * `stretches`: everything that the restore will have got before it, in that order. State that has it does not
   * `append`.
   */
  readonly last?: {
    readonly bytes: number
    blocks(stretches: readonly (Stretch<Mark, Log> & { readonly to: Mark })[]): Iterable<GroupState>
  }
  /**
   * Checkpoints of extent `appended` go on naming what was written of logs that are gone: that it is restored does
   * no harm, or a log says that they are gone.
   */
  readonly keepsGone?: true
  /** Called once, at the end: nothing of it is read any more. */
  release(outcome: SnapshotOutcome): void
}

/** Whether the next snapshot continues this one: it was written, and is not `whole`. */
export type SnapshotOutcome = 'goes on' | 'stands alone'

/**
 * When files are left out whose content is compacted into new ones: at once, or with the next checkpoint. The next one
 * then has everything that this one leaves out because it changed after the barrier; until then a restore gets the old
 * stretches before the new ones. If the next barrier came before this snapshot was written, the next one may lack that,
 * and does not continue this one.
 */
export type Replacing = 'at once' | 'with the next'

/** Files of checkpoints are merged when so many of about one size follow each other. */
const MERGED = 8
/** Everything is compacted when the files are this many times larger than their live content. */
const MAX_SPREAD = 2

/**
 * A stretch that was written: its blocks are `rows` of the rows that the tables of its generation's files have,
 * from `first` on.
 */
interface Written<Mark> {
  serial: number
  from: Mark | undefined
  to: Mark
  first: number
  rows: number
}

/** What one checkpoint wrote. Those of a level are merged into one of the next; `Infinity`: it held everything. */
interface Generation<Mark> {
  level: number
  files: readonly StateFile[]
  stretches: readonly Written<Mark>[]
}

/**
 * What earlier checkpoints of this process have written of logs that grow, so that the next writes the rest. Files
 * are merged in levels as in a log-structured merge tree (O'Neil et al. 1996), always the newest, so that in the
 * order of the files the stretches of a log stay in its order; it bounds their number by the logarithm of their size.
 */
export class IncrementalSnapshots<Mark, Log extends GrowingLog<Mark>> {
  readonly #replacing: Replacing
  #freezes = 0
  #generations: readonly Generation<Mark>[] = []

  constructor(replacing: Replacing = 'at once') {
    this.#replacing = replacing
  }

  /** At a barrier. `whole` refers to no earlier file, and no later checkpoint refers to its. */
  freeze(frozen: FrozenLogs<Mark, Log>, extent: SnapshotExtent): FrozenState {
    const turn = ++this.#freezes
    let kept: readonly Generation<Mark>[] = []
    let replaced: readonly Generation<Mark>[] = []
    let level = Infinity
    let reading: StretchesRead<Mark, Log> | undefined
    return {
      read: () => {
        const logs = frozen.logs()
        if (extent !== 'whole') ({ kept, replaced, level } = this.#toKeep(logs, frozen, extent))
        reading = new StretchesRead(logs, kept, frozen)
        return {
          kept: (this.#replacing === 'at once' ? kept : [...kept, ...replaced]).flatMap(filesOf),
          bytes: reading.bytes,
          blocks: reading.blocks(),
        }
      },
      release: (files) => {
        const leavesOut = this.#replacing === 'with the next' && replaced.length > 0 && turn !== this.#freezes
        if (files === undefined || reading === undefined || extent === 'whole' || leavesOut) {
          frozen.release('stands alone')
          return
        }
        frozen.release('goes on')
        const generation: Generation<Mark> = { level, files, stretches: reading.written(files) }
        this.#generations = [...kept, ...(generation.stretches.length === 0 ? [] : [generation])]
      },
    }
  }

  /**
   * The generations that need not be written again and those that are, without what they held of logs that are
   * gone.
   */
  #toKeep(
    logs: readonly Log[],
    frozen: FrozenLogs<Mark, Log>,
    extent: 'changes' | 'appended',
  ): { kept: Generation<Mark>[]; replaced: Generation<Mark>[]; level: number } {
    const live = logs.reduce((sum, log) => sum + frozen.bytes({ log, from: undefined }), 0)
    const all = this.#generations
    const written = all.reduce((sum, { files }) => sum + files.reduce((of, { sizeBytes }) => of + sizeBytes, 0), 0)
    const { count, level } =
      extent === 'appended' && all.length > 0
        ? { count: all.length, level: 0 }
        : all.length === 0 || written > live * MAX_SPREAD
          ? { count: 0, level: Infinity }
          : mergedFrom(all)
    const serials = new Set(logs.map(({ serial }) => serial))
    const keepsGone = extent === 'appended' && frozen.keepsGone === true
    const alive = (some: readonly Generation<Mark>[]): Generation<Mark>[] =>
      some
        .map((one) => ({ ...one, stretches: one.stretches.filter(({ serial }) => keepsGone || serials.has(serial)) }))
        .filter(({ stretches }) => stretches.length > 0)
    return { kept: alive(all.slice(0, count)), replaced: alive(all.slice(count)), level }
  }
}

/** How many generations stay, and the level of the one that replaces those behind. */
function mergedFrom(all: readonly Generation<unknown>[]): { count: number; level: number } {
  for (let count = all.length, level = 0; ; level++) {
    let first = count
    while (first > 0 && all[first - 1]?.level === level) first--
    if (count - first < MERGED) return { count, level }
    count = first
  }
}

/**
 * The files of a generation with the rows of their tables that stretches refer to, without those of which none is
 * left.
 */
function filesOf({ files, stretches }: Generation<unknown>): StateFile[] {
  const used = new Set(stretches.flatMap(({ first, rows }) => Array.from({ length: rows }, (_, row) => first + row)))
  let row = 0
  return files.flatMap((file) => {
    const groups = file.groups.filter(() => used.has(row++))
    return groups.length === 0 ? [] : [{ ...file, groups }]
  })
}

/** What one checkpoint writes, and how many blocks came of each stretch. */
class StretchesRead<Mark, Log extends GrowingLog<Mark>> {
  readonly #frozen: FrozenLogs<Mark, Log>
  readonly #kept: readonly (Stretch<Mark, Log> & { to: Mark })[]
  readonly #new: readonly Stretch<Mark, Log>[]
  readonly #written: Written<Mark>[] = []
  #rows = 0

  constructor(logs: readonly Log[], kept: readonly Generation<Mark>[], frozen: FrozenLogs<Mark, Log>) {
    const bySerial = new Map(logs.map((log) => [log.serial, log]))
    const ends = new Map<number, Mark>()
    this.#frozen = frozen
    this.#kept = kept.flatMap(({ stretches }) =>
      stretches.flatMap(({ serial, from, to }) => {
        const log = bySerial.get(serial)
        ends.set(serial, to)
        return log === undefined ? [] : [{ log, from, to }]
      }),
    )
    this.#new = logs.map((log) => ({ log, from: ends.get(log.serial) })).filter((stretch) => frozen.bytes(stretch) > 0)
  }

  get bytes(): number {
    return this.#new.reduce((sum, stretch) => sum + this.#frozen.bytes(stretch), this.#frozen.last?.bytes ?? 0)
  }

  *blocks(): Generator<GroupState> {
    for (const { log, from } of this.#new) {
      const first = this.#rows
      for (const block of this.#frozen.blocks({ log, from })) {
        this.#rows++
        yield block
      }
      this.#written.push({ serial: log.serial, from, to: log.end, first, rows: this.#rows - first })
    }
    const { last } = this.#frozen
    if (last === undefined) return
    for (const block of last.blocks([
      ...this.#kept,
      ...this.#new.map(({ log, from }) => ({ log, from, to: log.end })),
    ])) {
      this.#rows++
      yield block
    }
  }

  /** Throws SNAPSHOT_INCOMPLETE when the files hold other blocks than were read. */
  written(files: readonly StateFile[]): readonly Written<Mark>[] {
    const rows = files.reduce((sum, { groups }) => sum + groups.length, 0)
    if (rows !== this.#rows || this.#written.length !== this.#new.length) {
      throw new MillraceError(
        'SNAPSHOT_INCOMPLETE',
        `${this.#rows} blocks of ${this.#written.length} of ${this.#new.length} parts of state were read, the files hold ${rows}`,
      )
    }
    return this.#written
  }
}
