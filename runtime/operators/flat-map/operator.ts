import type { FlatMapVerb } from '../../graph/verbs/flat-map.ts'
import type { Operator } from '../operator.ts'
import { createFlatMapStage } from './flat-map-stage.ts'

export const operator: Operator<FlatMapVerb> = { createStage: createFlatMapStage, stateEntries: 'none' }
