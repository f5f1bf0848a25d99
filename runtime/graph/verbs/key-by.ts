import { aspect } from './kit/aspects.ts'
import { namesText } from './kit/descriptions.ts'
import { withFields } from './kit/field-names.ts'
import { readKeys } from './kit/key-fields.ts'
import type { VerbDefinition } from './verb.ts'

/** Distributes rows by key and leaves them as they are. */
export interface KeyByVerb {
  kind: 'keyBy'
}

export const keyByVerb: VerbDefinition<KeyByVerb> = {
  word: 'keyBy',
  entry: {
    forms: { keyBy: { fields: ['keyBy'], takes: [] } },
    inputs: 'one stream',
    read: (entry, input, _around, problems) => {
      const keyBy = readKeys(entry, input.schema, problems)
      return keyBy === undefined ? { stream: input } : { stream: input, verb: { kind: 'keyBy' }, keyBy }
    },
    checkForm: () => undefined,
  },
  reads: ({ keyBy = [] }, wanted) => withFields(wanted, keyBy),
  distributes: ({ keyBy }) => (keyBy === undefined ? [] : [keyBy]),
  changes: () => ({ makes: { kind: 'asInput' }, addsUp: undefined }),
  keeps: () => 'nothing',
  aspects: ({ keyBy }) => [aspect('keyBy', keyBy, 'binds no state')],
  stage: undefined,
  spills: false,
  dependsOnArrival: false,
  refusesRows: false,
  functions: () => [],
  service: () => undefined,
  describe: ({ keyBy }) => `key by ${namesText(keyBy)}`,
}
