import { describe, expect, test } from 'vitest'
import { AttemptFailures, attemptsFor } from '../../../../runtime/coordinator/attempt-failures.ts'
import { MillraceError, type ErrorDomain } from '../../../../runtime/model/errors.ts'

const lasting = (code: string, domain: ErrorDomain = 'platform'): MillraceError =>
  new MillraceError(code, 'gone', { domain })
const passing = (code: string): MillraceError =>
  new MillraceError(code, 'away', { domain: 'dependency', retriable: true })

describe('how many attempts an error may end', () => {
  test.each([
    { what: 'a mistake of the user', error: lasting('RECORD_REFUSED', 'user'), attempts: 3 },
    { what: 'output that is gone', error: lasting('SINK_OUTPUT_LOST'), attempts: 5 },
    { what: 'corrupt state', error: lasting('STATE_CORRUPT'), attempts: 5 },
    { what: 'offsets that the broker lacks', error: lasting('KAFKA_OFFSET_OUT_OF_RANGE', 'dependency'), attempts: 10 },
    { what: 'an error nobody foresaw', error: new TypeError('x is not a function'), attempts: 30 },
    { what: 'a checkpoint that is late again and again', error: passing('CHECKPOINT_TIMEOUT'), attempts: 10 },
    { what: 'a store that is away', error: passing('STORE_UNAVAILABLE'), attempts: Infinity },
    { what: 'a worker that is gone', error: passing('WORKER_LOST'), attempts: Infinity },
  ])('when it is $what, $attempts', ({ error, attempts }) => {
    expect(attemptsFor(error)).toBe(attempts)
  })
})

describe('attempts that fail', () => {
  test('when an error that stays has ended its number of attempts, no further one is to be made', () => {
    const failures = new AttemptFailures()
    for (let i = 0; i < 4; i++) failures.add(lasting('SINK_OUTPUT_LOST'))
    expect(failures.isHopeless).toBe(false)
    failures.add(lasting('SINK_OUTPUT_LOST'))
    expect(failures.isHopeless).toBe(true)
  })

  test('when connections that the error broke are told between, it is counted all the same', () => {
    const failures = new AttemptFailures()
    for (let i = 0; i < 5; i++) {
      failures.add(lasting('SINK_OUTPUT_LOST'))
      failures.add(passing('CHANNEL_LOST'))
    }
    expect(failures.isHopeless).toBe(true)
  })

  test('when only errors come that may pass, there is always another attempt', () => {
    const failures = new AttemptFailures()
    for (let i = 0; i < 1_000; i++) failures.add(passing('STORE_UNAVAILABLE'))
    expect(failures.isHopeless).toBe(false)
  })

  test('when a checkpoint completes between, counting and waiting begin anew', () => {
    const failures = new AttemptFailures()
    for (let i = 0; i < 20; i++) {
      failures.add(lasting('STATE_CORRUPT'))
      failures.add(lasting('STATE_CORRUPT'))
      expect([failures.nextWaitMs(), failures.nextWaitMs()]).toEqual([100, 200])
      failures.forget()
    }
    expect(failures.isHopeless).toBe(false)
  })

  test('when attempts go on failing, each wait is twice as long, up to 15 s', () => {
    const failures = new AttemptFailures()
    expect(Array.from({ length: 10 }, () => failures.nextWaitMs())).toEqual([
      100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000,
    ])
  })
})
