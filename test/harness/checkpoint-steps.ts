import fc from 'fast-check'
import type { SnapshotExtent } from '../../runtime/model/snapshot.ts'
import type { OperatorSlots } from './operator-slots.ts'

/** What happens to an operator beside its input. `meanwhile` is what ending slots get while their last checkpoint is read. */
export type CheckpointStep<Meanwhile> =
  | { kind: 'freeze'; extent: SnapshotExtent; blocks: number } | { kind: 'read'; blocks: number } | { kind: 'fail' }
  | { kind: 'rescale'; parallelism: number; extent: SnapshotExtent; meanwhile: Meanwhile }

const extent = fc.constantFrom<SnapshotExtent[]>('changes', 'changes', 'changes', 'appended', 'whole')

const blocks = fc.oneof(fc.nat(6), fc.constant(1000), fc.constant(1000))

/** Checkpoints that are read while work goes on, or fail, and others from which it goes on. */
export function checkpointSteps<Meanwhile>(meanwhile: fc.Arbitrary<Meanwhile>): { weight: number; arbitrary: fc.Arbitrary<CheckpointStep<Meanwhile>> }[] {
  return [
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('freeze' as const), extent, blocks }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('read' as const), blocks }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('rescale' as const), parallelism: fc.integer({ min: 1, max: 4 }), extent, meanwhile }) },
  ]
}

/** Does a step that is no rescale. */
export async function takeStep(slots: OperatorSlots, step: Exclude<CheckpointStep<unknown>, { kind: 'rescale' }>): Promise<void> {
  if (step.kind === 'freeze') await slots.freeze(step.extent)
  if (step.kind === 'fail') slots.fail()
  else slots.read(step.blocks)
}
