import { MillraceError } from '../../model/errors.ts'
import type { ReduceVerb } from '../../plan/reduce-verb.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'

export function createReduceStage(verb: ReduceVerb, context: OperatorContext): OperatorStage {
  throw new MillraceError('VERB_UNSUPPORTED', `operator ${context.node.id}: ${verb.kind} is not there yet`)
}
