import type { Batch } from '../memory/batch.ts'
import type { PassThroughTexts } from '../memory/pass-through-texts.ts'
import type { Schema } from '../model/schema.ts'
import type { Attempt, CheckpointId } from '../model/ids.ts'
import type { Ports } from '../ports/ports.ts'
import type { Committable, SinkNote } from '../model/snapshot.ts'
import type { SystemReports } from './system-reports.ts'

/** The surroundings of one writer; made once per subtask and attempt. */
export interface SinkContext extends SystemReports {
  /** The UID of the job, which never changes: names of transactions and pending files derive from it. */
  jobUid: string
  /** UIDs of jobs that are gone and whose work this one continues: what they left open belongs to no checkpoint. */
  predecessors: readonly string[]
  operatorId: string
  slot: number
  attempt: Attempt
  schema: Schema
  ports: Ports
  baseDir: string
  /**
   * Has values of the rows that stay in the bytes of their records until `write` resolves. Given only where the source
   * of the chain `passesTexts` and the declaration `takesTexts`.
   */
  passed?: PassThroughTexts
  /** Aborted when the subtask has to stop: calls that wait for the outside system then reject, and `close` follows. */
  stopping: AbortSignal
}

/** A sink whose options have been read. */
export interface SinkConnector {
  writer(context: SinkContext): SinkWriter
  /**
   * Looks whether rows of such a schema could be written, and changes nothing: it opens no transaction and fences nobody.
   * Resolves with what it found, in a few words; rejects as `open` of a writer would. For `millrace doctor`.
   */
  probe?(context: ProbeContext): Promise<string>
}

/** The surroundings of a probe. */
export type ProbeContext = Pick<
  SinkContext,
  'operatorId' | 'schema' | 'ports' | 'baseDir' | 'stopping' | keyof SystemReports
>

export type { Committable } from '../model/snapshot.ts'

/**
 * Two-phase commit, one writer per subtask, never called concurrently.
 *
 * Order within an attempt: open(recovered) → (write* → prepareCommit(n) → commit(n) once n is complete)*; behind the
 * last write of a bounded input comes `endInput`.
 * Output of an attempt that was never prepared into a completed checkpoint must never become visible.
 */
export interface SinkWriter {
  /** As Stage.takesColumns. */
  readonly takesColumns?: boolean
  /**
   * Called first. Commits `recovered` (those of the restored manifest; some or all may be committed already,
   * by a writer of an older attempt or another slot) and fences and aborts whatever older attempts left open.
   * `notes` are those of the restored checkpoint, if it has any.
   */
  open(recovered: readonly Committable[], notes?: readonly SinkNote[]): Promise<void>
  /** The batch is the writer's until it resolves. */
  write(batch: Batch): Promise<void>
  /** At the barrier: everything written so far is durable but invisible. Returns what the manifest keeps. */
  prepareCommit(checkpoint: CheckpointId): Promise<Committable[]>
  /**
   * Called right behind `prepareCommit`. A checkpoint keeps the notes as long as it is kept, while committables are
   * forgotten once they are committed. After a restore they are dealt to the slots of the sink.
   */
  notes?(): readonly SinkNote[]
  /** The input has ended: no row will follow, in no attempt. Called before the last `prepareCommit`s. */
  endInput?(): void
  /**
   * Makes the output of `checkpoint` visible. May be called again with the same: idempotent. A writer whose rows are
   * outside for good when `prepareCommit` has resolved has no such member, and returns no committables; one of another
   * sink that stood in its place is refused before `open`, because nobody would ever commit it.
   */
  commit?(committables: readonly Committable[]): Promise<void>
  /** Ends without committing. After a crash it is never called. */
  close(): Promise<void>
}
