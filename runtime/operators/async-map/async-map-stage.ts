import { MillraceError } from '../../model/errors.ts'
import type { AsyncMapVerb } from '../../plan/async-map-verb.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'

export function createAsyncMapStage(verb: AsyncMapVerb, context: OperatorContext): OperatorStage {
  throw new MillraceError('VERB_UNSUPPORTED', `operator ${context.node.id}: ${verb.kind} is not there yet`)
}
