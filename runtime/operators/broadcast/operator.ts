import type { BroadcastVerb } from '../../graph/verbs/broadcast.ts'
import { fieldsOf } from '../../model/schema.ts'
import type { Operator } from '../operator.ts'
import { createBroadcastStage, readRules } from './broadcast-stage.ts'

export const operator: Operator<BroadcastVerb> = {
  createStage: createBroadcastStage,
  stateEntries: (verb, by, _group, blocks) => {
    const rules = by.input(1)
    return blocks
      .flatMap((block) => readRules(rules, block))
      .map((row) => ({
        table: 'rules',
        key: { fields: fieldsOf(rules, verb.key), row },
        value: { fields: rules.fields, row },
      }))
  },
}
