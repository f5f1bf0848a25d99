import { compileKeyCodec } from '../../codegen/keys/key-codec.ts'
import type { StateKey } from '../../memory/state-key.ts'
import type { FrozenState, GroupState, SnapshotExtent } from '../../model/snapshot.ts'
import { MIN_TIMESTAMP, type Timestamp } from '../../model/time.ts'
import { fieldsOf, type Row } from '../../model/schema.ts'
import { IncrementalSnapshots, type GrowingLog, type Stretch } from '../../state/incremental-snapshots.ts'
import type { StreamCode } from '../operator-context.ts'
import type { State } from './pattern-automaton.ts'
import { PatternBlocks, type KeyState } from './pattern-block.ts'

export interface LiveKey extends KeyState {
  readonly group: number
  readonly key: StateKey
  /** What the heap knows it by. */
  readonly number: number
  /** The earliest entry of the heap for its rows, and the one for its runs; Infinity: none. */
  rowEntry: Timestamp
  runEntry: Timestamp
  isSorted: boolean
  /**
   * The snapshot before which it changed last, and before which it came: 0 where an older one may hold something of
   * the key.
   */
  changed: number
  readonly born: number
}

/** A key as it was at a barrier. */
type FrozenKey = KeyState & Pick<LiveKey, 'key' | 'changed'>

interface Group {
  readonly keys: Map<StateKey, LiveKey>
  /** Keys that are gone and that files of earlier snapshots may hold, with the snapshot before which they went. */
  readonly removed: Map<StateKey, number>
  /** How often a key has changed for the first time since a barrier: no fewer keys have changed between two. */
  changes: number
}

/** For a group: the number of its snapshot, and its changes by then. For the progress: the watermark. */
type Mark = readonly [at: number, changes: number]

interface GroupLog extends GrowingLog<Mark> {
  readonly group: number
  readonly of: Group
  readonly keys: number
}
type FrozenLog = GroupLog | (GrowingLog<Mark> & { readonly of?: never })

/** What a snapshot that is still read needs beside what there is. */
interface Frozen {
  readonly at: number
  /** By group, keys as they were when something of them changed after the barrier. */
  readonly saved: Map<number, FrozenKey[]>
  /** By group, keys that were gone at the barrier and have come again. */
  readonly returned: Map<number, [StateKey, number][]>
  /** Groups that have been read. */
  readonly done: Set<number>
  /** Groups of which all was written. */
  readonly anew: Set<number>
}

const PROGRESS = -1
/** Entries of keys in a block, about a millisecond's work. */
const SLICE_ENTRIES = 1024
/** The snapshot of a key before any was written. */
const KEY_BYTES = 2048

export interface PatternKeysParts {
  input: StreamCode
  keyBy: readonly string[]
  states: readonly State[]
  shape: string
  groups: { first: number; endExclusive: number }
  maxParallelism: number
}

/**
 * The keys of a pattern, by key group, and their snapshots. Nothing is copied at the barrier: while a snapshot is
 * read, a key is copied when it changes for the first time since (as Flink's CopyOnWriteStateMap does). A
 * checkpoint writes the keys that have changed since the last one, each whole, and which are gone; a restore takes
 * the newest of each.
 */
export class PatternKeys {
  readonly #groups: (Group | undefined)[] = []
  readonly #numbered: (LiveKey | undefined)[] = []
  readonly #freeNumbers: number[] = []
  readonly #blocks: PatternBlocks
  readonly #snapshots = new IncrementalSnapshots<Mark, FrozenLog>()
  readonly #open = new Set<Frozen>()
  readonly #own: { first: number; endExclusive: number }
  readonly #keyOf: (row: Row) => StateKey
  /** How far each group had come when it was restored. */
  readonly #passed: Float64Array
  #next = 1
  #keyBytes = KEY_BYTES

  constructor({ input, keyBy, states, shape, groups, maxParallelism }: PatternKeysParts) {
    const keys = fieldsOf(input.schema, keyBy)
    this.#blocks = new PatternBlocks({ stream: input, states, shape, keys })
    this.#keyOf = compileKeyCodec(keys).of
    this.#own = groups
    this.#passed = new Float64Array(maxParallelism).fill(MIN_TIMESTAMP)
  }

  /** The key of a row; it may be without any state, and must get some, or be removed. */
  of(group: number, row: Row): LiveKey {
    const key = this.#keyOf(row)
    return this.#groupAt(group).keys.get(key) ?? this.#add(group, key)
  }

  /** Undefined when it is gone. */
  numbered(number: number): LiveKey | undefined {
    return this.#numbered[number]
  }

  /** The watermark that a row of the group must be behind, as far as a restore has brought one. */
  passed(group: number): Timestamp {
    return this.#passed[group] ?? MIN_TIMESTAMP
  }

  *all(): Generator<LiveKey> {
    for (const of of this.#groups) if (of !== undefined) yield* of.keys.values()
  }

  size(): number {
    let size = 0
    for (const { waitingRows, runs, waiting } of this.all()) size += waitingRows.length + runs.length + waiting.length
    return size
  }

  /** How many keys are remembered that are gone. */
  get removedKeys(): number {
    return this.#groups.reduce((sum, of) => sum + (of?.removed.size ?? 0), 0)
  }

  /** Called before anything of a key changes that a snapshot holds. */
  touch(live: LiveKey): void {
    const { group, changed } = live
    if (changed === this.#next) return
    for (const { at, saved, done } of this.#open) {
      if (changed > at || done.has(group)) continue
      // rows and matches are taken out of their lists in place; runs are always a new list
      push(saved, group, {
        key: live.key,
        changed,
        seq: live.seq,
        waitingRows: live.waitingRows.slice(),
        runs: live.runs,
        waiting: live.waiting.slice(),
      })
    }
    live.changed = this.#next
    this.#groupAt(group).changes++
  }

  remove(live: LiveKey): void {
    this.touch(live)
    const { group, key, number, born } = live
    const { keys, removed } = this.#groupAt(group)
    keys.delete(key)
    if (born < this.#next) removed.set(key, this.#next)
    this.#numbered[number] = undefined
    this.#freeNumbers.push(number)
  }

  #groupAt(group: number): Group {
    return (this.#groups[group] ??= { keys: new Map(), removed: new Map(), changes: 0 })
  }

  #add(group: number, key: StateKey): LiveKey {
    const of = this.#groupAt(group)
    const removedAt = of.removed.get(key)
    if (removedAt !== undefined) {
      of.removed.delete(key)
      for (const { at, returned, done } of this.#open)
        if (removedAt <= at && !done.has(group)) push(returned, group, [key, removedAt])
    }
    const number = this.#freeNumbers.pop() ?? this.#numbered.length
    const live: LiveKey = {
      group,
      key,
      number,
      rowEntry: Infinity,
      runEntry: Infinity,
      isSorted: true,
      seq: 0,
      waitingRows: [],
      runs: [],
      waiting: [],
      changed: this.#next,
      born: removedAt === undefined ? this.#next : 0,
    }
    this.#numbered[number] = live
    of.keys.set(key, live)
    of.changes++
    return live
  }

  /** At a barrier; `watermark` is the newest. Takes time by the number of groups. */
  freeze(extent: SnapshotExtent, watermark: Timestamp): FrozenState {
    const frozen: Frozen = { at: this.#next++, saved: new Map(), returned: new Map(), done: new Set(), anew: new Set() }
    this.#open.add(frozen)
    const groups = this.#groups.flatMap((of, group): GroupLog[] =>
      of === undefined ? [] : [{ serial: group, group, of, keys: of.keys.size, end: [frozen.at, of.changes] }],
    )
    const logs: FrozenLog[] = [...groups, { serial: PROGRESS, end: [watermark, 0] }]
    const state = this.#snapshots.freeze(
      {
        logs: () => logs,
        bytes: (stretch) =>
          isOfGroup(stretch) ? this.#bytes(stretch) : this.#progress(stretch).length * this.#blocks.progressBytes,
        blocks: (stretch) => (isOfGroup(stretch) ? this.#groupBlocks(stretch, frozen) : this.#progress(stretch)),
        release: () => {
          this.#open.delete(frozen)
        },
      },
      extent,
    )
    return {
      read: () => state.read(),
      release: (files) => {
        state.release(files)
        if (files !== undefined && extent !== 'whole') this.#forgetRemoved(frozen)
      },
    }
  }

  /** No file that is still named holds what was gone when all of its group was written. */
  #forgetRemoved({ anew, at }: Frozen): void {
    for (const group of anew) {
      const { removed } = this.#groupAt(group)
      for (const [key, removedAt] of removed) if (removedAt <= at) removed.delete(key)
    }
  }

  #bytes({
    log: {
      keys,
      of,
      end: [, changes],
    },
    from,
  }: Stretch<Mark, GroupLog>): number {
    // one that holds nothing is read too, so that what was removed from it can be forgotten
    const count = from === undefined ? Math.max(keys, Math.min(1, of.removed.size)) : changes - from[1]
    return count === 0 ? 0 : this.#blocks.headBytes + Math.ceil(count * this.#keyBytes)
  }

  *#groupBlocks({ log, from }: Stretch<Mark, GroupLog>, frozen: Frozen): Generator<GroupState> {
    const { group } = log
    let keys: FrozenKey[] = []
    let removed: StateKey[] = []
    let entries = 0
    const block = (): GroupState => {
      const bytes = this.#blocks.write(keys, removed)
      const perKey = bytes.length / (keys.length + removed.length)
      this.#keyBytes = Math.max(perKey, this.#keyBytes * 0.9 + perKey * 0.1)
      keys = []
      removed = []
      entries = 0
      return [group, bytes]
    }
    for (const one of frozenKeys(log, from?.[0] ?? 0, frozen)) {
      if (!isEmpty(one)) keys.push(one)
      else if (from !== undefined) removed.push(one.key)
      entries += 1 + one.waitingRows.length + one.runs.length + one.waiting.length
      if (entries >= SLICE_ENTRIES && keys.length + removed.length > 0) yield block()
    }
    if (keys.length + removed.length > 0) yield block()
    frozen.done.add(group)
    if (from === undefined) frozen.anew.add(group)
  }

  /** Once a watermark has come, of every own group, whether it holds something or not: what is late must stay so. */
  #progress({
    log: {
      end: [watermark],
    },
    from,
  }: Stretch<Mark, FrozenLog>): GroupState[] {
    const blocks: GroupState[] = []
    if (from?.[0] === watermark) return blocks
    for (let group = this.#own.first; group < this.#own.endExclusive; group++) {
      const passed = Math.max(watermark, this.passed(group))
      if (passed > MIN_TIMESTAMP) blocks.push([group, this.#blocks.writeProgress(passed)])
    }
    return blocks
  }

  /**
   * Takes back a block, before the first row; the keys it holds are to be scheduled when all have come. Throws
   * STATE_CORRUPT or STATE_INCOMPATIBLE.
   */
  restore(group: number, bytes: Uint8Array): void {
    const { keys, removed, passed } = this.#blocks.read(bytes)
    if (passed !== undefined) this.#passed[group] = Math.max(passed, this.passed(group))
    for (const key of removed) {
      const live = this.#groupAt(group).keys.get(key)
      if (live !== undefined) this.remove(live)
    }
    for (const state of keys) Object.assign(this.of(group, rowOf(state)), state, { isSorted: false })
  }
}

export function isEmpty({ waitingRows, runs, waiting }: KeyState): boolean {
  return waitingRows.length === 0 && runs.length === 0 && waiting.length === 0
}

/** Some row of a key that is not empty. Every row names its key, so it does not matter which. */
export function rowOf({ waitingRows, runs, waiting }: KeyState): Row {
  return (waitingRows[0]?.row ?? runs[0]?.cell.row ?? waiting[0]?.row) as Row
}

/**
 * The keys of a group that have changed since snapshot `since`, as they were at the barrier; deleted keys are empty. A
 * key that changes meanwhile may come twice, the same both times.
 */
function* frozenKeys(
  { group, of, end: [at] }: GroupLog,
  since: number,
  { saved, returned }: Frozen,
): Generator<FrozenKey> {
  for (const live of of.keys.values()) if (live.changed > since && live.changed <= at) yield live
  for (const key of saved.get(group) ?? []) if (key.changed > since) yield key
  for (const [key, changed] of [...of.removed, ...(returned.get(group) ?? [])]) {
    if (changed > since && changed <= at) yield { key, changed, seq: 0, waitingRows: [], runs: [], waiting: [] }
  }
}

function isOfGroup(stretch: Stretch<Mark, FrozenLog>): stretch is Stretch<Mark, GroupLog> {
  return stretch.log.of !== undefined
}

function push<T>(lists: Map<number, T[]>, group: number, one: T): void {
  const list = lists.get(group)
  if (list === undefined) lists.set(group, [one])
  else list.push(one)
}
