import type { SideOutputVerb } from '../../graph/verbs/side-output.ts'
import type { Operator } from '../operator.ts'
import { createSideOutputStage } from './side-output-stage.ts'

export const operator: Operator<SideOutputVerb> = { createStage: createSideOutputStage, stateEntries: 'none' }
