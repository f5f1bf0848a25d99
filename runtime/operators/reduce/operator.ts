import type { ReduceVerb } from '../../graph/verbs/reduce.ts'
import type { Operator } from '../operator.ts'
import { createReduceStage } from './reduce-stage.ts'

export const operator: Operator<ReduceVerb> = {
  createStage: createReduceStage,
  stateEntries: { declared: () => undefined },
}
