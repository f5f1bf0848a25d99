import { MillraceError } from '../../model/errors.ts'
import type { SideOutputVerb } from '../../plan/side-output-verb.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'

export function createSideOutputStage(verb: SideOutputVerb, context: OperatorContext): OperatorStage {
  throw new MillraceError('VERB_UNSUPPORTED', `operator ${context.node.id}: ${verb.kind} is not there yet`)
}
