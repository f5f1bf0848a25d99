import { describe, expect, test } from 'vitest'
import { ServerClock } from '../../../../operator/kube/server-clock.ts'

const NOON = Date.parse('2026-11-22T12:00:00Z')

/** An exchange with a server whose clock is `aheadMs` before the own one, each way taking so long. */
function exchange(aheadMs: number, ways: readonly { at: number; there: number; back: number }[]): number[] {
  let own = NOON
  const clock = new ServerClock(() => own)
  return ways.map(({ at, there, back }) => {
    const sentAt = NOON + at
    own = sentAt + there + back
    clock.heard(new Date(sentAt + there + aheadMs).toUTCString(), sentAt)
    return clock.now() - (own + aheadMs)
  })
}

describe('the clock of the API server', () => {
  test.each([0, 35_000, 300_000, -300_000])('that is %i ms ahead is known to a second', (aheadMs) => {
    const wrong = exchange(
      aheadMs,
      Array.from({ length: 50 }, (_, call) => ({ at: call * 1_370, there: (call * 7) % 40, back: (call * 11) % 60 })),
    )
    expect(Math.max(...wrong.map(Math.abs))).toBeLessThanOrEqual(1_000)
  })

  test('is not moved by an answer that fits it', () => {
    const clock = new ServerClock(() => NOON)
    clock.heard(new Date(NOON).toUTCString(), NOON)
    expect(clock.now()).toBe(NOON)
  })

  test('is the own one while no answer has said anything', () => {
    const clock = new ServerClock(() => NOON)
    clock.heard(undefined, NOON)
    clock.heard('yesterday', NOON)
    expect(clock.now()).toBe(NOON)
  })

  test('is followed when the own one is set', () => {
    let own = NOON
    const clock = new ServerClock(() => own)
    clock.heard(new Date(NOON).toUTCString(), own)
    own = NOON + 300_000
    clock.heard(new Date(NOON + 2_000).toUTCString(), own)
    expect(Math.abs(clock.now() - NOON - 2_000)).toBeLessThan(1_000)
  })
})
