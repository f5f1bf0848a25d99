import { expect, test } from 'vitest'
import { parseStatus } from '../../../../operator/druid/druid-answers.ts'
import type { SupervisorStatus } from '../../../../operator/druid/druid-client.ts'
import { unreadAfter, wantsHandOff } from '../../../../operator/druid/unread-partitions.ts'
import { recordedJson } from '../../../harness/druid-fixtures.ts'

const now = Date.parse('2026-11-21T08:00:00Z')
const running = parseStatus(recordedJson('supervisor-status-running')) as SupervisorStatus

test('when tasks read every partition, none is unread', () => {
  expect(unreadAfter(undefined, running, now)).toBeUndefined()
})

test('when a partition is left, the time it began stays while others join it', () => {
  const first = unreadAfter(undefined, { ...running, unread: ['1'] }, now)
  expect(first).toEqual({ partitions: ['1'], since: '2026-11-21T08:00:00Z' })
  expect(unreadAfter(first, { ...running, unread: ['0', '1'] }, now + 9_000)).toEqual({
    partitions: ['0', '1'],
    since: '2026-11-21T08:00:00Z',
  })
})

test('when a supervisor is suspended or gone, nothing is unread', () => {
  expect(unreadAfter(undefined, { ...running, unread: ['1'], suspended: true }, now)).toBeUndefined()
  expect(unreadAfter(undefined, undefined, now)).toBeUndefined()
})

test('while a supervisor has no task yet, none of its partitions counts as unread', () => {
  expect(parseStatus(recordedJson('supervisor-status-initial'))?.unread).toEqual([])
})

test('a hand-off is wanted half a minute after a partition was left, and half a minute after the last one', () => {
  const unread = { partitions: ['1'], since: '2026-11-21T08:00:00Z' }
  expect([29_000, 30_000].map((after) => wantsHandOff(unread, now + after))).toEqual([false, true])
  const told = { ...unread, handedOff: '2026-11-21T08:00:30Z' }
  expect([59_000, 60_000].map((after) => wantsHandOff(told, now + after))).toEqual([false, true])
})
