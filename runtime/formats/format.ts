import type { RowScanner, RowWriter } from '../codegen/contracts.ts'
import type { PassThroughTexts } from '../memory/pass-through-texts.ts'
import type { RowClass } from '../codegen/rows/row.ts'
import type { OpenedFile, OptionProblem } from '../graph/connector-declaration.ts'
import type { ReportOption } from '../graph/unknown-options.ts'
import type { Schema } from '../model/schema.ts'
import type { Ports } from '../ports/ports.ts'

/** How writers of texts print a timestamp. */
export type TimestampFormat = 'iso' | 'epochMillis'

/** Whether a source reads records or a sink writes them. */
export type Direction = 'read' | 'write'

export interface FormatContext {
  schema: Schema
  ports: Pick<Ports, 'files' | 'httpClient' | 'clock'>
  /** Folder that relative paths in the job refer to. */
  baseDir: string
  /** Kafka only: the topic after which the subjects of a schema registry are named. */
  topic?: string
  /**
   * Texts that a scanner may leave in the bytes they came in, and a writer finds there; of formats that
   * `passTexts`.
   */
  passed?: PassThroughTexts
  /** For writers; `iso` when absent. */
  timestampFormat?: TimestampFormat
}

/**
 * Bytes of one record ↔ row, by the options of one source or sink. Made by readFormat; a scanner or writer belongs
 * to one stream.
 */
export interface RecordFormat {
  /** How the records of a file are separated; undefined: only systems with whole messages (Kafka) can carry them. */
  file?: {
    /** The extension of the files that a sink writes. */
    suffix: string
    /** A line end in quotes belongs to its record: files are not split. */
    quotesLineEnds?: boolean
    /** The first line of a file is not a record: a sink begins its files with it, a source gives it to `scanner`. */
    head?(schema: Schema): string
  }
  /** Records name their fields, so a schema of some of them reads them too. */
  isNamed?: boolean
  /** Its scanner and its writer know `passed` of the context. */
  passesTexts?: boolean
  /** The files that its options name; paths are relative to the format as it is written. */
  opens?: readonly OpenedFile[]
  /** What of the schema the format cannot carry in this direction. */
  check(schema: Schema, direction: Direction): OptionProblem[]
  /** May ask files or a registry. Throws MillraceError when the format's own schema cannot be had or does not fit. */
  scanner(context: FormatContext, rows: RowClass, head?: string): RowScanner | Promise<RowScanner>
  writer(context: FormatContext): RowWriter | Promise<RowWriter>
}

/** Options of one format → the format; undefined when something was wrong with them. */
export type FormatReader = (options: Readonly<Record<string, unknown>>, problem: ReportOption) => RecordFormat
