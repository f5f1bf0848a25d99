import type { ProcessVerb } from '../../graph/verbs/process.ts'
import type { Operator } from '../operator.ts'
import { declaredName } from './process-context.ts'
import { createProcessStage } from './process-stage.ts'

export const operator: Operator<ProcessVerb> = {
  createStage: createProcessStage,
  stateEntries: {
    declared: (verb, table) => {
      const declared = verb.state[declaredName(table)]
      return declared && { userKey: declared.kind === 'map' ? declared.userKey : [], schema: declared.schema }
    },
  },
}
