import type { OperatorNode } from '../graph/job-graph.ts'
import type { Problems } from '../graph/problems.ts'
import type { Surroundings } from '../graph/stream.ts'

/**
 * A language in which users say what a job computes. It reads one field of the spec; the rest of the spec is
 * common.
 */
export interface FrontEnd {
  /** The field of `spec` that holds the text. */
  readonly field: string
  /**
   * Reads that field into operators in topological order. Everything wrong goes to `problems`, with paths that begin
   * at `spec`; what is returned is used only when nothing was. Pure.
   */
  read(value: unknown, around: FrontEndContext, problems: Problems): readonly OperatorNode[]
  /** The same text, which was sound, but with these numbers of slots for operators that say none. Pure. */
  withReplicas(value: unknown, replicas: ReadonlyMap<string, number>): unknown
}

export interface FrontEndContext extends Surroundings {
  readonly maxParallelism: number
}
