import type { AsyncMapVerb } from '../../graph/verbs/async-map.ts'
import type { Operator } from '../operator.ts'
import { createAsyncMapStage } from './async-map-stage.ts'

export const operator: Operator<AsyncMapVerb> = { createStage: createAsyncMapStage, stateEntries: 'none' }
