import { describe, expect, test } from 'vitest'
import { SourcePace } from '../../../../runtime/task/source-pace.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'

/** Polls whenever it may, for a time; each poll and what follows takes `busyMs`. The share of the time that was busy. */
async function busyShare(share: number, busyMs: number): Promise<number> {
  const clock = new ManualClock()
  const pace = new SourcePace(share, clock)
  const startedAt = clock.now()
  let busy = 0
  while (clock.now() - startedAt < 60_000) {
    const restMs = pace.restMs()
    if (restMs === 0) {
      pace.polled('rows')
      await clock.advance(busyMs)
      busy += busyMs
    } else await clock.advance(restMs)
  }
  return busy / (clock.now() - startedAt)
}

describe('the pace of a source', () => {
  test.each([
    [1, 20],
    [0.5, 20],
    [0.25, 0.25],
    [1 / 16, 3],
  ])('when its share is %d, it reads for so much of the time with batches of %d ms', async (share, busyMs) => {
    expect(await busyShare(share, busyMs)).toBeCloseTo(share, 1)
  })

  test('when it is lifted, there is no rest, not even the one that has begun', async () => {
    const clock = new ManualClock()
    const pace = new SourcePace(0.5, clock)
    pace.polled('rows')
    await clock.advance(100)
    expect(pace.restMs()).toBe(100)
    pace.lift()
    expect(pace.restMs()).toBe(0)
  })

  test('when a poll brought nothing, waiting for the next one does not count as reading', async () => {
    const clock = new ManualClock()
    const pace = new SourcePace(0.5, clock)
    pace.polled('nothing')
    await clock.advance(10_000)
    expect(pace.restMs()).toBe(0)
  })

  test('when a batch took long, the rest ends after a second, so that lag does not look like death', async () => {
    const clock = new ManualClock()
    const pace = new SourcePace(1 / 16, clock)
    pace.polled('rows')
    await clock.advance(60_000)
    expect(pace.restMs()).toBe(1_000)
  })
})
