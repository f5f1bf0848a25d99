import type { Schema } from '../model/schema.ts'

/** What is wrong with a connector's options; `path` is relative to them (`topic`, `paths[0]`, empty for all). */
export interface OptionProblem {
  path: string
  message: string
}

export type Options = Readonly<Record<string, unknown>>

/**
 * The connectors by name, as far as reading a job needs them: it looks at options and touches nothing outside.
 * The connectors themselves fit these shapes; the plan does not import them.
 */
export interface ConnectorChecks {
  sources: Readonly<Record<string, SourceCheck>>
  sinks: Readonly<Record<string, SinkCheck>>
}

export interface SourceCheck {
  validate(options: Options): readonly OptionProblem[]
  /** What of the schema the source cannot give. Called only with options that passed. */
  checkSchema?(options: Options, schema: Schema): readonly OptionProblem[]
  /** The schema that this source always has; a job then writes none. Called only with options that passed. */
  fixedSchema?(options: Options): Schema
  /**
   * Side outputs of a source with a fixed schema: other kinds of rows from the same splits, under the same event
   * time.
   */
  fixedSides?(options: Options): Readonly<Record<string, Schema>>
}

export interface SinkCheck {
  validate(options: Options): readonly OptionProblem[]
  /** What of the schema the sink cannot take. Called only with options that passed. */
  checkSchema?(options: Options, schema: Schema): readonly OptionProblem[]
  /** Present when dead letters of sources can go there; they have options of their own. */
  deadLetters?: { validate(options: Options): readonly OptionProblem[] }
}
