import { MillraceError } from '../model/errors.ts'
import type { Verb } from '../graph/verbs/all.ts'
import { createAsyncMapStage } from './async-map/async-map-stage.ts'
import { createBroadcastStage } from './broadcast/broadcast-stage.ts'
import { createDedupeStage } from './dedupe/dedupe-stage.ts'
import { createFlatMapStage } from './flat-map/flat-map-stage.ts'
import { createJoinStage } from './join/join-stage.ts'
import { createLookupStage } from './join/lookup-stage.ts'
import { createPatternStage } from './pattern/pattern-stage.ts'
import { createProcessStage } from './process/process-stage.ts'
import { createReduceStage } from './reduce/reduce-stage.ts'
import { createRunningAggregateStage, createTimelessWindowStage } from './running-aggregate/running-aggregate-stage.ts'
import { createSideOutputStage } from './side-output/side-output-stage.ts'
import { createTopNStage } from './top-n/top-n-stage.ts'
import { WindowStage } from './window/window-stage.ts'
import type { OperatorContext } from './operator-context.ts'
import type { OperatorStage } from './stage.ts'

/** Verbs that are a stage of their own; the others are loops, sources, sinks, or only say how rows travel. */
type StagedVerb = Exclude<
  Verb,
  { kind: 'source' | 'filter' | 'map' | 'userFilter' | 'userMap' | 'keyBy' | 'union' | 'sink' }
>

type Factories = {
  readonly [Kind in StagedVerb['kind']]: (
    verb: Extract<StagedVerb, { kind: Kind }>,
    context: OperatorContext,
  ) => OperatorStage
}

const FACTORIES: Factories = {
  window: (verb, context) =>
    verb.window.kind === 'count' || verb.window.kind === 'global'
      ? createTimelessWindowStage(verb, context)
      : new WindowStage(verb, context),
  join: createJoinStage,
  lookup: createLookupStage,
  dedupe: createDedupeStage,
  topN: createTopNStage,
  pattern: createPatternStage,
  process: createProcessStage,
  asyncMap: createAsyncMapStage,
  broadcast: createBroadcastStage,
  flatMap: createFlatMapStage,
  sideOutput: createSideOutputStage,
  aggregate: createRunningAggregateStage,
  reduce: createReduceStage,
}

export function isStaged(verb: Verb): verb is StagedVerb {
  return verb.kind in FACTORIES
}

/** The stage of one operator, its code generated anew. */
export function createOperatorStage(verb: StagedVerb, context: OperatorContext): OperatorStage {
  const create = FACTORIES[verb.kind] as ((verb: StagedVerb, context: OperatorContext) => OperatorStage) | undefined
  if (create === undefined)
    throw new MillraceError('VERB_UNSUPPORTED', `operator ${context.node.id}: there is no stage for ${verb.kind}`)
  return create(verb, context)
}
