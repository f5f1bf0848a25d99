import type { Manifest } from '../checkpoint/manifest.ts'
import { droppedOutput, droppedState } from '../checkpoint/restore-assignment.ts'
import type { SavedState } from '../checkpoint/saved-state.ts'
import { MillraceError } from '../model/errors.ts'
import { incompatibilities } from '../plan/change.ts'
import type { JobGraph } from '../graph/job-graph.ts'
import type { PlannedJob } from '../front/planned-job.ts'
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
  const kept = graphOf(manifest.spec, planJob)
  const misfits = kept === undefined ? [] : incompatibilities(kept, wanted.graph)
  const reasons =
    misfits.length > 0
      ? misfits
      : droppedState(wanted.plan, manifest).map((operator) => `"${operator}" keeps state and is gone`)
  if (reasons.length === 0) return
  throw new MillraceError('RESTORE_INCOMPATIBLE', `the state at ${location} does not fit: ${reasons.join('; ')}`, {
    domain: 'user',
    path: 'spec.restore',
    hint: 'keep the ids, keys, windows and aggregates of operators with state, and maxParallelism',
  })
}

/**
 * Undefined when this version no longer takes the spec that the state was kept under. The state then says itself
 * whether it fits: each table is restored only into one of its own shape.
 */
function graphOf(spec: unknown, planJob: (spec: unknown) => PlannedJob): JobGraph | undefined {
  try {
    return planJob(spec).graph
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
  running: Pick<PlannedJob, 'graph'>,
  wanted: PlannedJob,
  newest: Manifest | undefined,
): MillraceError | undefined {
  const dropped = newest ? droppedState(wanted.plan, newest) : []
  const changed = dropped.length > 0 ? [] : incompatibilities(running.graph, wanted.graph)
  if (dropped.length === 0 && changed.length === 0) return undefined
  return new MillraceError(
    'STATE_WOULD_BE_LOST',
    dropped.length > 0
      ? `the new graph lacks ${dropped.join(', ')}, whose state the job holds`
      : `state has no place in the new graph: ${changed.join('; ')}`,
    {
      domain: 'user',
      path: 'spec.graph',
      hint: 'Keep the ids of sources, and ids, keys and types of operators with state, or give what changed a new id; the job continues as before.',
    },
  )
}

/**
 * Why an attempt must not start from a checkpoint, given without what is committed: a sink that is gone has output there.
 */
export function lostOutput({ plan }: PlannedJob, manifest: Manifest | undefined): MillraceError | undefined {
  const dropped = droppedOutput(plan, manifest)
  if (dropped.length === 0) return undefined
  return new MillraceError(
    'SINK_CHANGED',
    `the graph lacks ${dropped.join(', ')}, whose output of the newest checkpoint waits for its commit`,
    {
      domain: 'user',
      path: 'spec.graph',
      hint: 'put the sink back until the job has completed a checkpoint, then remove or rename it',
    },
  )
}
