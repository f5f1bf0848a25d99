import { describe, expect, test } from 'vitest'
import type { OperatorRecords, SubtaskMetrics } from '../../../../runtime/control/messages.ts'
import { excessiveLoss, lossesOf } from '../../../../runtime/coordinator/record-losses.ts'

const subtask = (...operators: OperatorRecords[]): SubtaskMetrics => ({
  attempt: 1,
  recordsIn: 0,
  recordsOut: 0,
  badRecords: 0,
  lateRecords: 0,
  lastRecordAt: null,
  firstRecordAt: null,
  watermark: null,
  lagRecords: null,
  trouble: null,
  operators,
})
const records = (operator: string, seen: number, skipped = 0, deadLettered = 0): OperatorRecords => ({
  operator,
  seen,
  skipped,
  deadLettered,
  ...(skipped + deadLettered === 0 ? {} : { firstReason: `${operator} said no` }),
})

describe('what operators have refused', () => {
  test('is summed over all slots, those that refused nothing included', () => {
    expect(
      lossesOf([subtask(records('a', 10, 1)), subtask(records('a', 90)), subtask(records('a', 50, 2, 3))]),
    ).toEqual([{ operator: 'a', seen: 150, skipped: 3, deadLettered: 3, firstReason: 'a said no' }])
  })

  test('names no operator that refused nothing', () => {
    expect(lossesOf([subtask(records('a', 10), records('b', 5, 1))]).map(({ operator }) => operator)).toEqual(['b'])
  })
})

describe('a job loses too much', () => {
  const excess = (seen: number, skipped: number, share?: number): string | undefined =>
    excessiveLoss(lossesOf([subtask(records('a', seen, skipped))]), share)?.code

  test.each([
    ['all of one record', 1, 1],
    ['all of many', 500, 500],
    ['more than 5 % of a thousand', 1000, 51],
  ])('when an operator skipped %s', (_, seen, skipped) => {
    expect(excess(seen, skipped)).toBe('TOO_MANY_BAD_RECORDS')
  })

  test.each([
    ['nothing', 1000, 0],
    ['5 % of a thousand', 1000, 50],
    ['most of a few', 999, 998],
  ])('and not when it skipped %s', (_, seen, skipped) => {
    expect(excess(seen, skipped)).toBeUndefined()
  })

  test('and not when the job allows all of them to be skipped', () => {
    expect(excess(1000, 1000, 1)).toBeUndefined()
  })

  test('when it allows none and one was skipped', () => {
    expect(excess(1000, 1, 0)).toBe('TOO_MANY_BAD_RECORDS')
  })

  test('and not by dead letters, which are kept', () => {
    expect(excessiveLoss(lossesOf([subtask(records('a', 10, 0, 10))]))).toBeUndefined()
  })
})
