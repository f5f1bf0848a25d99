import { MillraceError } from '../../model/errors.ts'
import type { ProcessVerb } from '../../plan/process-verb.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'

export function createProcessStage(verb: ProcessVerb, context: OperatorContext): OperatorStage {
  throw new MillraceError('VERB_UNSUPPORTED', `operator ${context.node.id}: ${verb.kind} is not there yet`)
}
