import type { TopNVerb } from '../../graph/verbs/top-n.ts'
import type { Operator } from '../operator.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'
import { FinalTopNStage } from './final-top-n-stage.ts'
import { rankByOf } from './rank-by.ts'
import { ranksTexts } from './ranked-lists.ts'
import { TextTopNStage } from './text-top-n-stage.ts'
import { createTopNStage } from './top-n-stage.ts'

export const operator: Operator<TopNVerb> = {
  createStage,
  stateEntries: { declared: () => undefined },
}

function createStage(verb: TopNVerb, context: OperatorContext): OperatorStage {
  if (verb.finalAt !== undefined) return new FinalTopNStage(verb, verb.finalAt, context)
  const [input] = context.inputs
  return input !== undefined && ranksTexts(rankByOf(verb, input.schema, context.node.id))
    ? new TextTopNStage(verb, context)
    : createTopNStage(verb, context)
}
