import type { ConnectorDeclarations } from './connector-declaration.ts'
import type { Distribution, Verb } from './job-graph.ts'
import type { Schema } from '../model/schema.ts'

/** What is known of the stream that comes out of an operator. */
export interface Stream {
  /** Absent when it could not be worked out; the reason has been reported and readers of the stream stay silent. */
  schema?: Schema
  time: StreamTime
}

/** The field that carries event time, or why there is none. */
export type StreamTime =
  | { kind: 'field'; field: string; offsetMs: number }
  | { kind: 'none'; why: string }
  /** Already reported. */
  | { kind: 'unknown' }

/** An input whose fields are known. */
export type Input = Stream & { schema: Schema }

/** An operator as far as it could be read; `verb` is absent when something was reported. */
export interface ReadOperator {
  stream: Stream
  verb?: Verb
  keyBy?: readonly string[]
  distribution?: readonly Distribution[]
  sideOutputs?: Readonly<Record<string, Stream>>
}

/** What an operator may name besides its inputs. */
export interface Surroundings {
  connectors: ConnectorDeclarations
  /** Names of `spec.modules`. */
  modules: ReadonlySet<string>
}
