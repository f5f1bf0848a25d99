import type { PatternVerb } from '../../graph/verbs/pattern/pattern.ts'
import type { Operator } from '../operator.ts'
import { patternEntries } from './pattern-entries.ts'
import { createPatternStage } from './pattern-stage.ts'

export const operator: Operator<PatternVerb> = {
  createStage: createPatternStage,
  stateEntries: (verb, by, _group, blocks) => patternEntries(verb, by.node, by.input(0), blocks),
}
