import type { Entry } from './graph-entries.ts'
import { join, type Problems } from './problems.ts'
import type { Input, ReadOperator } from './read-operator.ts'

export interface JoinVerb { kind: 'join' }

export function readJoin(entry: Entry, inputs: readonly Input[], problems: Problems): ReadOperator {
  void inputs
  problems.report('VERB_UNSUPPORTED', join(entry.path, 'join'), 'join is not there yet')
  return { stream: { time: { kind: 'unknown' } } }
}
