import { asyncMapVerb } from './async-map.ts'
import { broadcastVerb } from './broadcast.ts'
import { dedupeVerb } from './dedupe.ts'
import { filterVerb, userFilterVerb } from './filter.ts'
import { flatMapVerb } from './flat-map.ts'
import { joinVerb } from './join/join.ts'
import { lookupVerb } from './join/lookup.ts'
import { keyByVerb } from './key-by.ts'
import { mapVerb, userMapVerb } from './map.ts'
import { patternVerb } from './pattern/pattern.ts'
import { processVerb } from './process.ts'
import { reduceVerb } from './reduce.ts'
import { runningAggregateVerb } from './running-aggregate.ts'
import { sideOutputVerb } from './side-output.ts'
import { sinkVerb } from './sink.ts'
import { sourceVerb } from './source.ts'
import { topNVerb } from './top-n.ts'
import { unionVerb } from './union.ts'
import { windowVerb } from './window.ts'
import type { VerbDefinition } from './verb.ts'
import type { OperatorNode, VerbData } from '../job-graph.ts'

/** Every verb, by the kind of its data. Messages list the verbs in this order. */
export const VERBS = {
  source: sourceVerb,
  filter: filterVerb,
  userFilter: userFilterVerb,
  map: mapVerb,
  userMap: userMapVerb,
  flatMap: flatMapVerb,
  union: unionVerb,
  sideOutput: sideOutputVerb,
  asyncMap: asyncMapVerb,
  keyBy: keyByVerb,
  window: windowVerb,
  aggregate: runningAggregateVerb,
  reduce: reduceVerb,
  join: joinVerb,
  lookup: lookupVerb,
  dedupe: dedupeVerb,
  topN: topNVerb,
  pattern: patternVerb,
  process: processVerb,
  broadcast: broadcastVerb,
  sink: sinkVerb,
} as const

type DataOf<D> = D extends VerbDefinition<infer V> ? V : never

/** The data of any operator. */
export type Verb = DataOf<(typeof VERBS)[keyof typeof VERBS]>

/** The definition of a node's verb; the two always belong together, which the type of a record cannot say. */
export function definitionOf<V extends Verb>(node: OperatorNode<V>): VerbDefinition<VerbData> {
  return VERBS[node.verb.kind] as VerbDefinition<VerbData>
}

export function isVerbKind(kind: unknown): kind is Verb['kind'] {
  return typeof kind === 'string' && Object.hasOwn(VERBS, kind)
}
