import { expect, test } from 'vitest'
import { parseStatus, parseTasks } from '../../../../operator/druid/druid-answers.ts'
import { healthOf, isTransitional } from '../../../../operator/druid/health.ts'
import { recordedJson } from '../../../harness/druid-fixtures.ts'

const now = Date.parse('2026-11-21T07:31:00Z')

function statusOf(name: string) {
  return parseStatus(recordedJson(name))
}

test.each([
  ['supervisor-status-running', 'True', 'Running'],
  ['supervisor-status-suspended', 'True', 'Suspended'],
  ['supervisor-status-initial', 'True', 'Pending'],
  ['supervisor-status-after-bad-topic-missing', 'False', 'UnableToConnectToStream'],
  ['supervisor-status-after-bad-bootstrap-no-port', 'False', 'NotStarting'],
  ['supervisor-status-offset-out-of-range', 'False', 'OffsetsOutOfRange'],
])('%s is seen as Healthy=%s, %s', (name, status, reason) => {
  expect(healthOf(statusOf(name), [], undefined, now)).toMatchObject({ status, reason })
})

test('a supervisor whose tasks all fail is unhealthy although Druid calls it healthy', () => {
  const tasks = parseTasks({ json: recordedJson('tasks-failed-stream') as never, at: now })
  const health = healthOf(statusOf('supervisor-status-running'), tasks, undefined, now)
  expect(health).toMatchObject({ status: 'False', reason: 'TasksFailing' })
  expect(health.message).toContain('Max parse exceptions[0] exceeded')
  expect(health.message).not.toContain('\tat ')
})

test('tasks that failed long ago do not count', () => {
  const tasks = parseTasks({ json: recordedJson('tasks-failed-stream') as never, at: now + 3_600_000 })
  expect(healthOf(statusOf('supervisor-status-running'), tasks, undefined, now)).toMatchObject({ status: 'True' })
})

test('tasks count when Druid does not say what time it is', () => {
  const tasks = parseTasks({ json: recordedJson('tasks-failed-stream') as never, at: Number.NaN })
  expect(healthOf(statusOf('supervisor-status-running'), tasks, undefined, now)).toMatchObject({
    status: 'False',
    reason: 'TasksFailing',
  })
})

test('a partition without a reader is trouble only when it stays so', () => {
  const unread = { partitions: ['1'], since: '2026-11-21T07:31:00Z' }
  expect(healthOf(statusOf('supervisor-status-running'), [], unread, now + 29_000)).toMatchObject({ status: 'True' })
  expect(healthOf(statusOf('supervisor-status-running'), [], unread, now + 30_000)).toMatchObject({
    status: 'False',
    reason: 'PartitionsUnread',
    message: expect.stringContaining('partition 1') as unknown,
  })
})

test.each([
  ['a state of a newer version', { state: 'COMPLETED', detailedState: 'COMPLETED' }, 'COMPLETED', 'Completed'],
  ['a state that nobody knows', { state: 'ON_HOLIDAY', detailedState: 'AT_SEA' }, 'AT_SEA', 'OnHoliday'],
  ['no state', { state: null, detailedState: 7 }, 'UNKNOWN', 'Unknown'],
])('%s is shown as Druid says it, and looked at without hurry', (_, said, detailedState, reason) => {
  const recorded = recordedJson('supervisor-status-running')
  const seen = parseStatus({ ...recorded, payload: { ...(recorded['payload'] as object), ...said } })
  expect(seen?.detailedState).toBe(detailedState)
  expect(healthOf(seen, [], undefined, now)).toMatchObject({ status: 'True', reason })
  expect(isTransitional(seen)).toBe(false)
})

test('numbers that no status could hold are left out', () => {
  const payload = { state: 'RUNNING', partitions: 1e12, aggregateLag: 1e300, healthy: true }
  expect(parseStatus({ payload })).toMatchObject({ partitions: 10_000, aggregateLag: undefined })
})

test('a supervisor is looked at again soon until it runs or is suspended', () => {
  expect(isTransitional(statusOf('supervisor-status-initial'))).toBe(true)
  expect(isTransitional(statusOf('supervisor-status-running'))).toBe(false)
  expect(isTransitional(statusOf('supervisor-status-suspended'))).toBe(false)
})
