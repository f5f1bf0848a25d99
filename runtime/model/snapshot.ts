import type { SubtaskId } from './ids.ts'

/** Any JSON value; what crosses processes and lands in manifests. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * A piece of a source and the position to resume from: the first record NOT yet emitted. Keeping the last
 * emitted position instead is the classic mistake: that record would be emitted twice after every restore.
 * `id` is stable for ever (path and byte range, topic and partition): a restore matches splits by it.
 */
export interface Split {
  id: string
  /** Connector-owned; null for a split never read. */
  position: Json
  /** A finished split stays in the snapshot so that a restore does not read it again. */
  finished: boolean
}

/** What is needed to commit one writer's output of one checkpoint: repeatable from the manifest alone. */
export type Committable = Json

/** A sink needs this of its output after a restore, whether or not that output is committed. */
export type SinkNote = Json

/** Keyed state of one operator in one subtask, or a part of it: blocks behind each other. */
export interface StateFile {
  path: string
  sizeBytes: number
  sha256: string
  /** Its bytes in base64, where they are so few that they stay in the manifest: the store then has no such file. */
  inline?: string
  /** [key group, offset, length] of every block, in the order in which the blocks of a group are to be restored. */
  groups: readonly (readonly [number, number, number])[]
}

/** What one subtask puts into a checkpoint, by operator id. State bytes are in the store before it is sent. */
export interface SubtaskSnapshot {
  splits: Readonly<Record<string, readonly Split[]>>
  /** The files of an operator in the order in which they are to be restored. */
  state: Readonly<Record<string, readonly StateFile[]>>
  committables: Readonly<Record<string, readonly Committable[]>>
  /** The notes of sinks (`SinkWriter.notes`); absent where no sink has any. */
  sinkNotes?: Readonly<Record<string, readonly SinkNote[]>>
}

/** What a subtask starts from: the parts of a checkpoint that are now its own, by operator id. */
export interface SubtaskRestore {
  splits: Readonly<Record<string, readonly Split[]>>
  /** Files that contain key groups of this subtask; it reads only its own groups. */
  state: Readonly<Record<string, readonly StateFile[]>>
  committables: Readonly<Record<string, readonly Committable[]>>
  sinkNotes: Readonly<Record<string, readonly SinkNote[]>>
}

export type SubtaskRestores = Readonly<Record<SubtaskId, SubtaskRestore>>

/** A block of state: of one operator and key group all there is, or a part. */
export type GroupState = readonly [group: number, bytes: Uint8Array]

/**
 * How much a checkpoint writes: the changes since the last written one, or the whole state. `appended` is `changes` for
 * a switch that is being prepared: until a barrier of another extent, the files of each checkpoint begin with those of
 * the one before, so that a worker that has restored these needs only the rest. Nothing is merged then, and operators
 * whose state `appends` hold back what would break that order, as far as memory allows.
 */
export type SnapshotExtent = 'changes' | 'whole' | 'appended'

/** An operator's state as of a barrier: it stays so, whatever the operator does meanwhile, until it is released. */
export interface FrozenState {
  /** Called once, when what was frozen before has been released. */
  read(): StateReading
  /**
   * Called once, at the end: with the files into which the blocks have gone, row by row of their tables in the
   * order of the blocks; without them when they were not all written.
   */
  release(files?: readonly StateFile[]): void
}

export interface StateReading {
  /**
   * Files that earlier checkpoints wrote, with those of their blocks that still hold: to be restored before
   * `blocks`.
   */
  kept: readonly StateFile[]
  /** Bytes of all blocks together, or somewhat more; an estimate where they are not known. */
  bytes: number
  /** The blocks to write. Each is made when it is asked for, and may be there only until the next one is. */
  blocks: Iterable<GroupState>
}
