import type { PassedTexts } from '../memory/passed-texts.ts'
import type { RowClass } from '../codegen/rows/row.ts'
import type { SourceVerb } from '../graph/verbs/source.ts'
import type { Row, Schema } from '../model/schema.ts'
import type { Split } from '../model/snapshot.ts'
import type { Timestamp } from '../model/time.ts'
import type { Ports } from '../ports/ports.ts'

export type { Json, Split } from '../model/snapshot.ts'

/** What a connector's factory gets; made once per source and process. */
export interface SourceContext {
  operatorId: string
  verb: SourceVerb
  schema: Schema
  ports: Ports
  /** Folder that relative paths in the job refer to. */
  baseDir: string
  /** Called for every record that could not be read, with its place; the policy of the source is applied. */
  onBadRecord(error: Error, where: string, raw: Uint8Array | string): void
  /**
   * Tells the user that the outside system cannot be used right now (a MillraceError naming it) while the
   * connector goes on trying; null when it works again.
   */
  reportTrouble(error: Error | null): void
}

/** What a reader knows besides: which of how many subtasks it is. */
export interface ReaderContext extends SourceContext {
  slot: number
  parallelism: number
  /** Row classes of the side outputs that somebody reads. */
  sides?: Readonly<Record<string, RowClass>>
  /** Values of its rows that may stay in the bytes they came in until the next poll; only given where `passesTexts`. */
  passed?: PassedTexts
}

export interface SourceConnector {
  /** Checks options without touching the outside; returns problems with paths relative to the options. */
  validate(options: Readonly<Record<string, unknown>>): { path: string; message: string }[]
  /** As validate, of what the schema and the options are together. Called with options that passed. */
  checkSchema?(options: Readonly<Record<string, unknown>>, schema: Schema): { path: string; message: string }[]
  /** Whether its readers know `passed`. Called with options that passed. */
  passesTexts?(options: Readonly<Record<string, unknown>>): boolean
  enumerator(context: SourceContext): SplitEnumerator
  /** Called once per subtask and attempt. */
  reader(context: ReaderContext, rows: RowClass): SourceReader
  /**
   * How often the coordinator looks for new splits while an attempt runs; undefined or absent: never. Readers then have
   * `addSplits`.
   */
  lookAgainMs?(options: Readonly<Record<string, unknown>>): number | undefined
}

/** Runs in the coordinator, before the subtasks of an attempt are deployed and whenever it looks for new splits. */
export interface SplitEnumerator {
  /**
   * All splits that exist now. `known` are those of the restored checkpoint: they come back with their
   * positions, new ones at their start. Throws MillraceError naming broker/topic/path when it cannot tell.
   */
  discover(known: readonly Split[], parallelism: number): Promise<Split[]>
  close(): Promise<void>
}

/** A batch of rows of one split, in the order of the split. */
export interface SourceBatch {
  split: string
  /** Instances of the source's row class. The array belongs to the caller until the next poll. */
  rows: Row[]
  /**
   * Rows of side outputs from the same stretch of the split, at most 1024 of each; their times count as those of
   * `rows`.
   */
  sides?: Readonly<Record<string, Row[]>>
}

/**
 * Reads the splits of one subtask. Never called concurrently.
 * `poll` resolves to undefined when nothing is there right now: call again after `idleMs`, or when `poll`'s
 * promise would block longer it must resolve undefined within about 100 ms so that barriers are not held up.
 */
export interface SourceReader {
  open(splits: readonly Split[]): Promise<void>
  /** Called between polls: splits that came to be while the subtask runs. */
  addSplits?(splits: readonly Split[]): void
  /** At most `maxRows` rows of one split, none mixed. */
  poll(maxRows: number): Promise<SourceBatch | undefined>
  /** Splits as of the last batch returned by poll. Called between polls, never during one. */
  snapshot(): Split[]
  /**
   * Event times of the next record of unfinished splits, where they are known without having been given out (read
   * ahead, or looked up by the enumerator): the watermark counts them as seen. Without it a split that waits for
   * its turn holds the watermark back. Called after open and after each poll.
   */
  headTimes?(): Iterable<readonly [split: string, time: Timestamp]>
  /**
   * Splits of which poll is to give nothing until it is told otherwise, all of them: those left out go on where they
   * stand. Called between polls. A reader without it cannot take part in watermark alignment.
   */
  pauseSplits?(paused: ReadonlySet<string>): void
  /** True when every split is finished and poll will never return rows again. */
  isFinished(): boolean
  /** Rows waiting in the outside system, when it can tell (Kafka lag). */
  lagRecords?(): number | undefined
  /** Called when a checkpoint is complete: for systems that like to be told offsets. May be repeated. */
  notifyCheckpointComplete?(splits: readonly Split[]): Promise<void>
  close(): Promise<void>
}

/** Event-time position of a split's next record, for `rate: 1000x`; undefined when the split is finished. */
export interface EventTimePeek {
  peekEventTime(split: Split): Promise<Timestamp | undefined>
}
