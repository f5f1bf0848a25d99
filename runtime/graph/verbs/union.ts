import type { VerbDefinition } from './verb.ts'

/** Streams of one schema as one. */
export interface UnionVerb {
  kind: 'union'
}

export const unionVerb: VerbDefinition<UnionVerb> = {
  word: 'union',
  entry: {
    forms: { union: { fields: ['union'], takes: [] } },
    inputs: 'one stream',
    read: (_entry, input) => ({ stream: input, verb: { kind: 'union' } }),
    checkForm: () => undefined,
  },
  reads: (_node, wanted) => wanted,
  distributes: () => [],
  changes: () => ({ makes: { kind: 'asInput' }, addsUp: undefined }),
  keeps: () => 'nothing',
  aspects: () => [],
  stage: undefined,
  spills: false,
  dependsOnArrival: false,
  refusesRows: false,
  functions: () => [],
  service: () => undefined,
  describe: () => 'union',
}
