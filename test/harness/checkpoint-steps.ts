import fc from 'fast-check'
import type { Row } from '../../runtime/model/schema.ts'
import type { SnapshotExtent } from '../../runtime/model/snapshot.ts'
import type { OperatorSlots } from './operator-slots.ts'

/**
 * What happens to an operator beside its input. `meanwhile` is what ending slots get while their last checkpoint is
 * read.
 */
export type CheckpointStep<Meanwhile> =
  | { kind: 'freeze'; extent: SnapshotExtent; blocks: number }
  | { kind: 'read'; blocks: number }
  | { kind: 'fail' }
  | { kind: 'rescale'; parallelism: number; extent: SnapshotExtent; meanwhile: Meanwhile }

const extent = fc.constantFrom<SnapshotExtent[]>('changes', 'changes', 'changes', 'appended', 'whole')

const blocks = fc.oneof(fc.nat(6), fc.constant(1000), fc.constant(1000))

/** Checkpoints that are read while work goes on, or fail, and others from which it goes on. */
export function checkpointSteps<Meanwhile>(
  meanwhile: fc.Arbitrary<Meanwhile>,
): { weight: number; arbitrary: fc.Arbitrary<CheckpointStep<Meanwhile>> }[] {
  return [
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('freeze' as const), extent, blocks }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('read' as const), blocks }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('rescale' as const),
        parallelism: fc.integer({ min: 1, max: 4 }),
        extent,
        meanwhile,
      }),
    },
  ]
}

/** One of them, or rows between them: most often rows. */
export function rowsAndCheckpoints<Input>(
  row: fc.Arbitrary<Input>,
): fc.Arbitrary<RowsStep<Input> | CheckpointStep<Input[]>> {
  const wait = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(60) })
  return fc.oneof(
    {
      weight: 7,
      arbitrary: fc.record({ kind: fc.constant('rows' as const), rows: fc.array(row, { maxLength: 20 }), wait }),
    },
    ...checkpointSteps(fc.array(row, { maxLength: 6 })),
  )
}

export interface RowsStep<Input> {
  kind: 'rows'
  rows: Input[] /** Milliseconds that pass before. */
  wait: number
}

/** `onMeanwhile` gives slots that end what they get. */
export async function takeStep<Meanwhile>(
  slots: OperatorSlots,
  step: CheckpointStep<Meanwhile>,
  onMeanwhile: (meanwhile: Meanwhile) => Promise<void>,
): Promise<void> {
  switch (step.kind) {
    case 'freeze':
      await slots.freeze(step.extent)
      slots.read(step.blocks)
      break
    case 'read':
      slots.read(step.blocks)
      break
    case 'fail':
      slots.fail()
      break
    case 'rescale':
      await slots.rescale(step.parallelism, step.extent, () => onMeanwhile(step.meanwhile))
      break
  }
}

/** Takes steps one after the other; `onRows` is called before the slots get rows, and what it gives after that. */
export async function takeSteps<Input extends Row>(
  slots: OperatorSlots,
  steps: readonly (RowsStep<Input> | CheckpointStep<Input[]>)[],
  onRows: (rows: Input[]) => () => void,
): Promise<void> {
  for (const step of steps) {
    if (step.kind !== 'rows') {
      await takeStep(slots, step, (rows) => slots.process(rows))
      continue
    }
    await slots.advance(step.wait)
    const check = onRows(step.rows)
    await slots.process(step.rows)
    check()
  }
}
