import type { TopNVerb } from '../../graph/verbs/top-n.ts'
import type { Operator } from '../operator.ts'
import { createTopNStage } from './top-n-stage.ts'

export const operator: Operator<TopNVerb> = {
  createStage: createTopNStage,
  stateEntries: { declared: () => undefined },
}
