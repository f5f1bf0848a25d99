import { expect, test } from 'vitest'
import { MIN_TIMESTAMP } from '../../../../runtime/model/time.ts'
import { EventTimeCheck } from '../../../../runtime/task/event-time-check.ts'

function hintsAt(times: readonly number[]): string[] {
  const hints: string[] = []
  const check = new EventTimeCheck((_time, hint) => hints.push(hint))
  for (const time of times) check.see(time)
  return hints
}

test.each([
  ['seconds', 1_700_000_000],
  ['micro', 1_700_000_000_000_000],
])('event times in %s are reported once, with what to do', (unit, time) => {
  expect(hintsAt([time, time + 1])).toEqual([expect.stringContaining(unit)])
})

test('event times of 1980 to 2100 in milliseconds, and batches without any, are not reported', () => {
  expect(hintsAt([Date.UTC(1980, 0), Date.UTC(2026, 10), Date.UTC(2099, 11), MIN_TIMESTAMP])).toEqual([])
})
