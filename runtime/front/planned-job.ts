import { validateJob } from './job-spec.ts'
import type { ConnectorDeclarations } from '../graph/connector-declaration.ts'
import type { Origin } from '../graph/problems.ts'
import type { JobGraph } from '../graph/job-graph.ts'
import { MillraceError } from '../model/errors.ts'
import { executionPlan } from '../plan/chaining.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'

export interface PlannedJob {
  graph: JobGraph
  plan: ExecutionPlan
}

/** Spec → what runs; the same spec gives the same plan in every process. Throws SPEC_INVALID. */
export function planJob(spec: unknown, connectors: ConnectorDeclarations, origin: Origin = 'written'): PlannedJob {
  const validation = validateJob(spec, connectors, origin)
  if ('graph' in validation) return { graph: validation.graph, plan: executionPlan(validation.graph) }
  const first = validation.problems[0]
  const more = validation.problems.length > 1 ? ` (and ${validation.problems.length - 1} more)` : ''
  throw new MillraceError('SPEC_INVALID', `${first?.path ?? 'spec'}: ${first?.message ?? 'is not valid'}${more}`, {
    domain: 'user',
    ...(first ? { path: first.path } : {}),
    ...(first?.hint === undefined ? {} : { hint: first.hint }),
  })
}
