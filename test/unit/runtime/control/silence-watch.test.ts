import { describe, expect, test } from 'vitest'
import { SilenceWatch } from '../../../../runtime/control/silence-watch.ts'
import type { Clock } from '../../../../runtime/ports/clock.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'

/** A watch of 50 s, and how often it has called its peer silent. */
function watching(clock: Clock) {
  let silent = 0
  const watch = new SilenceWatch(clock, 50_000, () => {
    silent += 1
  })
  return { watch, silent: () => silent }
}

describe('a peer', () => {
  test('that says nothing for the whole time is silent, once', async () => {
    const clock = new ManualClock()
    const { silent } = watching(clock)
    await clock.advance(49_000)
    expect(silent()).toBe(0)
    await clock.advance(200_000)
    expect(silent()).toBe(1)
  })

  test('that says something now and then is not', async () => {
    const clock = new ManualClock()
    const { watch, silent } = watching(clock)
    for (let i = 0; i < 20; i++) {
      await clock.advance(40_000)
      watch.heard()
    }
    expect(silent()).toBe(0)
  })

  test('is asked before it is called silent by a process that slept', () => {
    let tick = (): void => undefined
    const clock: Clock = {
      now: () => 0,
      after: (_, run) => {
        tick = run
        return () => undefined
      },
      nextTurn: setImmediate,
    }
    const { watch, silent } = watching(clock)
    for (let beforeSleep = 0; beforeSleep < 4; beforeSleep++) tick()
    watch.heard()
    // The process wakes after an hour: its timer is due once, and what the peer sent meanwhile is read after it.
    tick()
    watch.heard()
    for (let later = 0; later < 4; later++) tick()
    expect(silent()).toBe(0)
    tick()
    expect(silent()).toBe(1)
  })
})
