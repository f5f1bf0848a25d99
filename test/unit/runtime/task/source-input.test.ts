import { expect, test } from 'vitest'
import type { Split } from '../../../../runtime/connectors/source.ts'
import { RowBatch } from '../../../../runtime/memory/batch.ts'
import { SourceInput } from '../../../../runtime/task/source-input.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'

test('a split that waits for its turn while the source rests is not idle: its rows are not late', async () => {
  const clock = new ManualClock()
  const splits: Split[] = Array.from({ length: 8 }, (_, nr) => ({ id: `split-${nr}`, position: 0, finished: false }))
  let polls = 0
  const input = new SourceInput({
    operatorId: 'in',
    splits,
    reader: {
      open: () => Promise.resolve(),
      // All in turn; the first one is far behind the others.
      poll: () => {
        const turn = polls % splits.length
        const round = Math.floor(polls / splits.length) + 1
        polls += 1
        const at = turn === 0 ? round : round * 1_000_000
        return Promise.resolve({ split: `split-${turn}`, batch: new RowBatch([{ at }], 1) })
      },
      snapshot: () => splits,
      isFinished: () => false,
      close: () => Promise.resolve(),
    },
    eventTime: { max: ([row]) => Number(row?.['at']), outOfOrdernessMs: 0, idleAfterMs: 5_000 },
    onOddTime: () => undefined,
    readingShare: 1 / 16,
    clock,
  })
  const watermarks: number[] = []
  while (polls < 40) {
    const step = await input.next()
    if (step.kind === 'watermark') watermarks.push(step.time)
    // What a batch costs downstream.
    await clock.advance(step.kind === 'batch' ? 100 : step.kind === 'idle' ? (step.retryMs ?? 0) : 0)
  }
  expect(Math.max(...watermarks)).toBeLessThan(10)
})
