import type { DedupeVerb } from '../../graph/verbs/dedupe.ts'
import type { Operator } from '../operator.ts'
import { createDedupeStage } from './dedupe-stage.ts'

export const operator: Operator<DedupeVerb> = {
  createStage: createDedupeStage,
  stateEntries: { declared: () => undefined },
}
