import { MillraceError } from '../../model/errors.ts'
import type { RunningAggregateVerb } from '../../plan/running-aggregate-verb.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'

export function createRunningAggregateStage(verb: RunningAggregateVerb, context: OperatorContext): OperatorStage {
  throw new MillraceError('VERB_UNSUPPORTED', `operator ${context.node.id}: ${verb.kind} is not there yet`)
}
