import type { ConnectorDeclarations } from './connector-declaration.ts'
import type { Schema } from '../model/schema.ts'

/** What is known of the stream that comes out of an operator. */
export interface Stream {
  /** Absent when it could not be worked out; the reason has been reported and readers of the stream stay silent. */
  schema?: Schema
  time: StreamTime
}

/** What comes out of an operator that could not be read. */
export const UNKNOWN_STREAM: Stream = { time: { kind: 'unknown' } }

/** The field that carries event time, or why there is none. */
export type StreamTime =
  | { kind: 'field'; field: string; offsetMs: number }
  | { kind: 'none'; why: string }
  /** Already reported. */
  | { kind: 'unknown' }

/** An input whose fields are known. */
export type Input = Stream & { schema: Schema }

/** What an operator may name besides its inputs. */
export interface Surroundings {
  connectors: ConnectorDeclarations
  /** Names of `spec.modules`. */
  modules: ReadonlySet<string>
}
