import { MillraceError } from '../../model/errors.ts'
import type { FlatMapVerb } from '../../plan/flat-map-verb.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'

export function createFlatMapStage(verb: FlatMapVerb, context: OperatorContext): OperatorStage {
  throw new MillraceError('VERB_UNSUPPORTED', `operator ${context.node.id}: ${verb.kind} is not there yet`)
}
