import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { realClock } from '../../../../runtime/ports/real/clock.ts'

const DAY_MS = 86_400_000

describe('a timer of forty days', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('runs once, after forty days', () => {
    const run = vi.fn<() => void>()
    realClock.after(40 * DAY_MS, run)
    vi.advanceTimersByTime(40 * DAY_MS - 1)
    expect(run).not.toHaveBeenCalled()
    vi.advanceTimersByTime(DAY_MS)
    expect(run).toHaveBeenCalledTimes(1)
  })

  test('can be cancelled after thirty', () => {
    const run = vi.fn<() => void>()
    const cancel = realClock.after(40 * DAY_MS, run)
    vi.advanceTimersByTime(30 * DAY_MS)
    cancel()
    vi.advanceTimersByTime(30 * DAY_MS)
    expect(run).not.toHaveBeenCalled()
  })
})
