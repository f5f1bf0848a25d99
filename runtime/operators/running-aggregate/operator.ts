import type { RunningAggregateVerb } from '../../graph/verbs/running-aggregate.ts'
import type { Operator } from '../operator.ts'
import { aggregateEntries } from './aggregate-entries.ts'
import { createRunningAggregateStage } from './running-aggregate-stage.ts'

export const operator: Operator<RunningAggregateVerb> = {
  createStage: createRunningAggregateStage,
  stateEntries: aggregateEntries,
}
