import { MillraceError } from '../../model/errors.ts'
import type { JoinVerb } from '../../plan/join-verb.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'

export function createJoinStage(verb: JoinVerb, context: OperatorContext): OperatorStage {
  throw new MillraceError('VERB_UNSUPPORTED', `operator ${context.node.id}: ${verb.kind} is not there yet`)
}
