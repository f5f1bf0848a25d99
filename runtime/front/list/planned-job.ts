import { MillraceError } from '../../model/errors.ts'
import { executionPlan } from '../../plan/chaining.ts'
import type { ConnectorDeclarations } from '../../graph/connector-declaration.ts'
import type { ExecutionPlan } from '../../plan/execution-plan.ts'
import { checkpointSettings, validateJob, type CheckpointSettings } from './job-spec.ts'

export interface PlannedJob {
  plan: ExecutionPlan
  checkpoints: CheckpointSettings
}

/**
 * Spec → what runs. Coordinator and workers call this with the same spec and get the same plan. Throws
 * SPEC_INVALID.
 */
export function planJob(spec: unknown, connectors: ConnectorDeclarations): PlannedJob {
  const validation = validateJob(spec, connectors)
  if ('problems' in validation) {
    const first = validation.problems[0]
    const more = validation.problems.length > 1 ? ` (and ${validation.problems.length - 1} more)` : ''
    throw new MillraceError('SPEC_INVALID', `${first?.path ?? 'spec'}: ${first?.message ?? 'is not valid'}${more}`, {
      domain: 'user',
      ...(first ? { path: first.path } : {}),
      ...(first?.hint === undefined ? {} : { hint: first.hint }),
    })
  }
  return { plan: executionPlan(validation.graph), checkpoints: checkpointSettings(spec) }
}
