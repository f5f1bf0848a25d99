import type { Entry } from './graph-entries.ts'
import { join, type Problems } from './problems.ts'
import type { Input, ReadOperator } from './read-operator.ts'

export interface PatternVerb { kind: 'pattern' }

export function readPattern(entry: Entry, inputs: readonly Input[], problems: Problems): ReadOperator {
  void inputs
  problems.report('VERB_UNSUPPORTED', join(entry.path, 'pattern'), 'pattern is not there yet')
  return { stream: { time: { kind: 'unknown' } } }
}
