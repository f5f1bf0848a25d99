import type { Batch } from '../memory/batch.ts'
import type { PassThroughTexts } from '../memory/pass-through-texts.ts'
import type { RowClass } from '../codegen/rows/row.ts'
import type { SourceVerb } from '../graph/verbs/source.ts'
import type { Attempt } from '../model/ids.ts'
import type { Schema } from '../model/schema.ts'
import type { Split } from '../model/snapshot.ts'
import type { Timestamp } from '../model/time.ts'
import type { Ports } from '../ports/ports.ts'
import type { SystemReports } from './system-reports.ts'

export type { Json, Split } from '../model/snapshot.ts'

/** The surroundings of a source; made once per source and process. */
export interface SourceContext extends SystemReports {
  /** The name of the job. */
  job: string
  operatorId: string
  /** The rest of what the author wrote: the options have been read. */
  verb: Omit<SourceVerb, 'options'>
  schema: Schema
  ports: Ports
  /** Relative paths in the job count from this folder. */
  baseDir: string
  /** Takes a record that could not be read, with its place; it applies the `onError` of the source. */
  onBadRecord(error: Error, where: string, raw: Uint8Array | string): void
}

/** The surroundings of one reader; made once per subtask and attempt. */
export interface ReaderContext extends SourceContext {
  slot: number
  parallelism: number
  /** The address at which this process takes connections: that of its pod, on a laptop the loopback address. */
  host: string
  /**
   * Resolves as `until` does, which only waits for records that are not there yet: the time does not count as work.
   * Called within `poll`.
   */
  idle(until: Promise<void>): Promise<void>
  /** Row classes of the side outputs that are read. */
  sides?: Readonly<Record<string, RowClass>>
  /**
   * Receives values that stay in the bytes of their records until the next poll. Given only where the declaration
   * `passesTexts` and the sink of the chain `takesTexts`.
   */
  passed?: PassThroughTexts
}

/** The surroundings of a probe; `stopping` is aborted when nobody waits for the answer any more. */
export type SourceProbeContext = SourceContext & { readonly stopping: AbortSignal }

/** A source whose options have been read. */
export interface SourceConnector {
  /** Discovering the splits asks no system, though there may be one: so `millrace doctor` learns nothing of it. */
  readonly discoversWithoutAsking?: true
  /** As SinkConnector.probe, of a system that discovering the splits does not ask. */
  probe?(context: SourceProbeContext): Promise<string>
  enumerator(context: SourceContext): SplitEnumerator
  /** Called once per subtask and attempt. */
  reader(context: ReaderContext, rows: RowClass): SourceReader
}

/** Runs in the coordinator, before the subtasks of an attempt are deployed and whenever it looks for new splits. */
export interface SplitEnumerator {
  /**
   * Returns all splits that exist now. `known` are the splits of the restored checkpoint: they keep their positions.
   * New splits begin at their start. Throws a MillraceError that names the broker, topic or path it cannot reach.
   * `attempt` is the one that begins with these splits: no older one is to be served any more. Without it nobody reads
   * the splits, or an attempt runs already, and nothing outside may be changed.
   */
  discover(known: readonly Split[], parallelism: number, attempt?: Attempt): Promise<Split[]>
  close(): Promise<void>
}

/** A batch of rows of one split, in the order of the split. */
export interface SourceBatch {
  split: string
  /** Its rows are instances of the source's row class. It is the caller's until the next poll. */
  batch: Batch
  /**
   * Those of side outputs from the same stretch of the split. The watermark counts their times together with those of
   * `batch`.
   */
  sides?: Readonly<Record<string, Batch>>
}

/**
 * Reads the splits of one subtask. Never called concurrently.
 * `poll` resolves to undefined when there is nothing to read at the moment. It must do so within about 100 ms, so that
 * barriers are not delayed.
 */
export interface SourceReader {
  open(splits: readonly Split[]): Promise<void>
  /** Called between polls, with splits that appeared while the subtask runs. */
  addSplits?(splits: readonly Split[]): void
  /** Returns at most `maxRows` rows, all of one split. */
  poll(maxRows: number): Promise<SourceBatch | undefined>
  /** Returns the splits as of the last batch that poll returned. Called between polls, never during one. */
  snapshot(): Split[]
  /**
   * Returns the event time of the next record of each unfinished split, where it is known before poll returns the
   * record (it was read ahead, or the enumerator looked it up). The watermark counts it as seen. Without this method a
   * split that waits for its turn holds the watermark back. Called after open and after each poll.
   */
  headTimes?(): Iterable<readonly [split: string, time: Timestamp]>
  /**
   * From now on poll returns nothing of the `paused` splits; all other splits continue where they were. Called between
   * polls. A reader without this method cannot take part in watermark alignment.
   */
  pauseSplits?(paused: ReadonlySet<string>): void
  /** True when every split is finished and poll will never return rows again. */
  isFinished(): boolean
  /** Rows waiting in the outside system, when it can tell (Kafka lag). */
  lagRecords?(): number | undefined
  /**
   * Called when a checkpoint is complete, with what `snapshot` returned for it: nothing before these positions is read
   * again. Not every checkpoint is announced; a later one covers the earlier.
   */
  notifyCheckpointComplete?(splits: readonly Split[]): Promise<void>
  close(): Promise<void>
}
