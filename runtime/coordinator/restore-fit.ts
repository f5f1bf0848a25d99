import type { Manifest } from '../checkpoint/manifest.ts'
import { droppedState } from '../checkpoint/restore-assignment.ts'
import type { SavedState } from '../checkpoint/saved-state.ts'
import { MillraceError } from '../model/errors.ts'
import { incompatibilities, stateChange } from '../plan/change.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'
import type { JobGraph } from '../graph/job-graph.ts'
import type { PlannedJob } from '../front/list/planned-job.ts'
import type { JobTarget } from '../model/job.ts'

/**
 * Whether a job may start from a saved state: every source and every operator with state is still there, keeps its
 * state in the same shape, and state is divided into as many key groups. Throws RESTORE_INCOMPATIBLE with all that
 * does not fit.
 */
export function checkFit(
  { location, manifest }: SavedState,
  wanted: PlannedJob & { target: JobTarget },
  planJob: (spec: unknown) => PlannedJob,
): void {
  const bySpec = [
    ...incompatibilities(manifest.spec, wanted.target.spec),
    ...shapeReasons(planOf(manifest.spec, planJob), wanted.plan),
  ]
  const reasons =
    bySpec.length > 0
      ? bySpec
      : droppedState(wanted.plan, manifest).map((operator) => `"${operator}" keeps state and is gone`)
  if (reasons.length === 0) return
  throw new MillraceError('RESTORE_INCOMPATIBLE', `the state at ${location} does not fit: ${reasons.join('; ')}`, {
    domain: 'user',
    path: 'spec.restore',
    hint: 'keep the ids, keys, windows and aggregates of operators with state, and maxParallelism',
  })
}

/** Undefined when this version no longer takes the spec that the state was kept under. */
function planOf(spec: unknown, planJob: (spec: unknown) => PlannedJob): ExecutionPlan | undefined {
  try {
    return planJob(spec).plan
  } catch (error) {
    if (error instanceof MillraceError && error.domain === 'user') return undefined
    throw error
  }
}

/**
 * Why a running job must not become another: `newest` or what is kept since has no place in it. Undefined when all
 * has.
 */
export function lostState(
  running: { target: JobTarget; plan: ExecutionPlan },
  wanted: { target: JobTarget; plan: ExecutionPlan },
  newest: Manifest | undefined,
): MillraceError | undefined {
  const dropped = newest ? droppedState(wanted.plan, newest) : []
  const changed = dropped.length > 0 ? [] : misfits(running, wanted)
  if (dropped.length === 0 && changed.length === 0) return undefined
  return new MillraceError(
    'STATE_WOULD_BE_LOST',
    dropped.length > 0
      ? `the new graph lacks ${dropped.join(', ')}, whose state the job holds`
      : `state has no place in the new graph: ${changed.join('; ')}`,
    {
      domain: 'user',
      path: 'spec.graph',
      hint: 'Keep the ids of sources, and ids, keys and types of operators with state, or give what changed a new id; the job goes on as before.',
    },
  )
}

/** As far as specs and plans tell; empty when everything has a place. */
function misfits(
  running: { target: JobTarget; plan: ExecutionPlan },
  wanted: { target: JobTarget; plan: ExecutionPlan },
): readonly string[] {
  const bySpec = incompatibilities(running.target.spec, wanted.target.spec)
  return bySpec.length > 0 ? bySpec : shapeReasons(running.plan, wanted.plan)
}

function shapeReasons(kept: ExecutionPlan | undefined, wanted: ExecutionPlan): readonly string[] {
  if (kept === undefined) return []
  const operatorsOf = (plan: ExecutionPlan): Pick<JobGraph, 'operators'> => ({
    operators: plan.chains.flatMap((chain) => chain.operators),
  })
  return stateChange(operatorsOf(kept), operatorsOf(wanted)).reasons
}
