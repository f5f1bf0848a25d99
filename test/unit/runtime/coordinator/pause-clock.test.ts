import { expect, test } from 'vitest'
import type { SubtaskMetrics } from '../../../../runtime/control/messages.ts'
import { PauseClock } from '../../../../runtime/coordinator/pause-clock.ts'

function metrics(attempt: number, firstRecordAt: number | null, lastRecordAt: number | null): SubtaskMetrics {
  return {
    attempt,
    firstRecordAt,
    lastRecordAt,
    recordsIn: 0,
    recordsOut: 0,
    badRecords: 0,
    lateRecords: 0,
    watermark: null,
    lagRecords: null,
    trouble: null,
  }
}

test('the pause lasts from the newest record of one attempt to the oldest of the next', () => {
  const clock = new PauseClock()
  clock.observe(metrics(1, 10, 100))
  clock.observe(metrics(1, 12, 130))
  expect(clock.pauseBefore(1)).toBeNull()
  clock.observe(metrics(2, 200, 300))
  clock.observe(metrics(2, 170, 310))
  expect(clock.pauseBefore(2)).toBe(40)
})

test('before the first record of an attempt its pause is unknown, and never that of an earlier one', () => {
  const clock = new PauseClock()
  clock.observe(metrics(1, 10, 100))
  clock.observe(metrics(2, 150, 160))
  expect(clock.pauseBefore(3)).toBeNull()
  clock.observe(metrics(3, 500, 510))
  expect(clock.pauseBefore(3)).toBe(340)
})

test('a late word of an older attempt, or of a subtask without records, changes nothing', () => {
  const clock = new PauseClock()
  clock.observe(metrics(1, 10, 100))
  clock.observe(metrics(2, 150, 160))
  clock.observe(metrics(1, 10, 149))
  clock.observe(metrics(3, null, null))
  expect(clock.pauseBefore(2)).toBe(50)
})
