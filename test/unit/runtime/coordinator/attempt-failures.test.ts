import { describe, expect, test } from 'vitest'
import { AttemptFailures, attemptsFor } from '../../../../runtime/coordinator/attempt-failures.ts'
import { MillraceError, type ErrorDomain } from '../../../../runtime/model/errors.ts'

const lasting = (code: string, domain: ErrorDomain = 'platform'): MillraceError =>
  new MillraceError(code, 'gone', { domain })
const passing = (code: string, domain: ErrorDomain = 'dependency'): MillraceError =>
  new MillraceError(code, 'away', { domain, retriable: true })

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

describe('attempts that crash in a row', () => {
  const crashed = (times: number): AttemptFailures => {
    const failures = new AttemptFailures()
    for (let i = 0; i < times; i++) failures.addCrash(passing('WORKER_LOST', 'platform'))
    return failures
  }

  test.each([
    [0, 1],
    [2, 1],
    [3, 1 / 2],
    [4, 1 / 4],
    [100, 1 / 16],
  ])('when there were %d, sources read for %d of the time', (times, share) => {
    expect(crashed(times).readingShare).toBe(share)
  })

  test('when there were three, the first checkpoint comes within a second, and the loop is told with its last error', () => {
    const failures = crashed(3)
    expect(failures.checkpointTimes(3_600_000)).toEqual({ intervalMs: 3_600_000, firstMs: 1_000 })
    expect(failures.checkpointTimes(100)).toEqual({ intervalMs: 100, firstMs: 100 })
    expect(failures.crashLoop).toMatchObject({ code: 'CRASH_LOOP', message: expect.stringContaining('away') })
  })

  test('when nothing ran in between, an attempt that could not start is none', () => {
    const failures = crashed(2)
    for (let i = 0; i < 10; i++) failures.add(passing('STORE_UNAVAILABLE'))
    expect({ share: failures.readingShare, loop: failures.crashLoop }).toEqual({ share: 1, loop: undefined })
  })

  test('when something outside was away, they are none: reading more slowly does not bring it back', () => {
    const failures = crashed(2)
    for (let i = 0; i < 10; i++) failures.addCrash(passing('KAFKA_UNREACHABLE'))
    expect(failures.readingShare).toBe(1)
  })

  test.each([
    ['is told itself when it soon ends the job', lasting('SINK_OUTPUT_LOST'), undefined],
    ['is told as a loop when attempts go on', passing('WORKER_LOST', 'platform'), 'CRASH_LOOP'],
  ])('an error that ended the last one %s', (_, error, code) => {
    const failures = new AttemptFailures()
    for (let i = 0; i < 3; i++) failures.addCrash(error)
    expect(failures.crashLoopBetween?.code).toBe(code)
  })

  test('when a checkpoint completes, all is as before', () => {
    const failures = crashed(7)
    failures.forget()
    expect({ share: failures.readingShare, loop: failures.crashLoop }).toEqual({ share: 1, loop: undefined })
  })
})
