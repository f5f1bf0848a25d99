import type { LookupVerb } from '../../graph/verbs/join/lookup.ts'
import type { Operator } from '../operator.ts'
import { createLookupStage } from './lookup-stage.ts'

export const operator: Operator<LookupVerb> = { createStage: createLookupStage, stateEntries: 'none' }
