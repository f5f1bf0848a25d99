import type { TopNVerb } from '../../graph/verbs/top-n.ts'
import type { Operator } from '../operator.ts'
import { FinalTopNStage } from './final-top-n-stage.ts'
import { createTopNStage } from './top-n-stage.ts'

export const operator: Operator<TopNVerb> = {
  createStage: (verb, context) =>
    verb.finalAt === undefined ? createTopNStage(verb, context) : new FinalTopNStage(verb, verb.finalAt, context),
  stateEntries: { declared: () => undefined },
}
