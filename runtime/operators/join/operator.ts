import type { JoinVerb } from '../../graph/verbs/join/join.ts'
import type { Operator } from '../operator.ts'
import { joinEntries } from './join-entries.ts'
import { createJoinStage } from './join-stage.ts'

export const operator: Operator<JoinVerb> = {
  createStage: createJoinStage,
  stateEntries: (verb, by, _group, blocks) => joinEntries(verb, [by.input(0), by.input(1)], blocks),
}
