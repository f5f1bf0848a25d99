import type { OpenedAs } from '../model/reach.ts'
import type { Field, Schema } from '../model/schema.ts'

/** A connector's options as the author of the job wrote them. The JobGraph carries them in this form. */
export type Options = Readonly<Record<string, unknown>>

/** A mistake in options. `path` is relative to them: `topic`, `paths[0]`, or empty for all of them. */
export interface OptionProblem {
  path: string
  message: string
  hint?: string
}

/** A file, folder or glob that options name. `path` is where in the options it stands, as in OptionProblem. */
export interface OpenedFile {
  path: string
  file: string
  as: OpenedAs
}

/** One option, as the documentation shows it. */
export interface OptionDescription {
  /** `fields` are the options of a mapping. */
  readonly type: { readonly name: string; readonly fields?: OptionDescriptions }
  /** One sentence. */
  readonly doc: string
  /** A text says what is needed and becomes part of the error message. */
  readonly required?: string
  /** As an author would write it. */
  readonly default?: unknown
  readonly unit?: string
  /** The value is a credential or leads to one: error messages do not repeat it. */
  readonly secret?: true
}

export type OptionDescriptions = Readonly<Record<string, OptionDescription>>

/** The options of one role of a connector: what there is, and a check that touches nothing outside the process. */
export interface DeclaredOptions {
  readonly table: OptionDescriptions
  /** Returns all mistakes at once. */
  check(options: Options): readonly OptionProblem[]
  /** Returns everything that the connector will open because of options that passed the check. Absent: nothing. */
  opens?(options: Options): readonly OpenedFile[]
}

/**
 * What planning, validation and documentation need to know of a connector. It holds no client and no generated code,
 * so that a process can plan jobs without loading any connector. All functions but `check` are called only with
 * options that passed it.
 */
export interface ConnectorDeclaration {
  /** The name in the graph. */
  readonly name: string
  /** One sentence for the documentation. */
  readonly doc: string
  readonly source?: SourceDeclaration
  readonly sink?: SinkDeclaration
  readonly table?: TableDeclaration
  readonly deadLetters?: DeadLetterDeclaration
}

export interface SourceDeclaration {
  readonly options: DeclaredOptions
  /** The option that a list stands for where the job has a list in place of the options. */
  readonly shorthand?: string
  /** Returns the parts of the schema that the source cannot provide. */
  checkSchema?(options: Options, schema: Schema): readonly OptionProblem[]
  /** Returns what the author of a sound source should be asked about. */
  warnings?(options: Options): readonly OptionProblem[]
  /** The ports at which senders reach every slot of the source; absent: it listens nowhere. */
  listens?(options: Options): readonly number[]
  /** The schema that the source always has; a job then writes none. */
  fixedSchema?(options: Options): Schema
  /** Side outputs of a source with a fixed schema: other rows of the same splits, under the same event time. */
  fixedSides?(options: Options): Readonly<Record<string, Schema>>
  /**
   * How often the coordinator looks for new splits while an attempt runs; undefined or absent: never. Readers then
   * have `addSplits`.
   */
  lookAgainMs?(options: Options): number | undefined
  /** True when the readers can leave values in the bytes of the record (`passed` of ReaderContext). */
  passesTexts?(options: Options): boolean
}

export interface SinkDeclaration {
  readonly options: DeclaredOptions
  /** Returns the parts of the schema that the sink cannot write. */
  checkSchema?(options: Options, schema: Schema): readonly OptionProblem[]
  /**
   * The fields that the writers copy unchanged and so can take from the bytes of the record (`passed` of
   * SinkContext).
   */
  takesTexts?(options: Options, schema: Schema): ReadonlySet<string>
  /** The number of slots that the sink needs, whatever the parallelism of the job; undefined or absent: any. */
  slots?(options: Options): number | undefined
}

/** Rows can be looked up in a table of the connector (`join: { lookup: … }`). */
export interface TableDeclaration {
  readonly options: DeclaredOptions
  /** The option that a list stands for, as in SourceDeclaration. */
  readonly shorthand?: string
  /** The columns that rows are looked up by, for documentation: `all columns of the primary key`. */
  readonly keys: string
  /** Returns what cannot be looked up: `key` are the columns asked by, `output` those that are wanted. */
  checkLookup?(options: Options, key: readonly Field[], output: Schema): readonly OptionProblem[]
}

/** The connector can store the dead letters of sources (`onError`). */
export interface DeadLetterDeclaration {
  readonly options: DeclaredOptions
}

/** The declarations of all connectors, by role and then by name. */
export interface ConnectorDeclarations {
  readonly sources: Readonly<Record<string, SourceDeclaration>>
  readonly sinks: Readonly<Record<string, SinkDeclaration>>
  readonly tables: Readonly<Record<string, TableDeclaration>>
  readonly deadLetters: Readonly<Record<string, DeadLetterDeclaration>>
}
