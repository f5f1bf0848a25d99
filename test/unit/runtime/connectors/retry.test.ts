import { expect, test } from 'vitest'
import { retrying } from '../../../../runtime/connectors/kit/retry.ts'
import { TroubleReporter } from '../../../../runtime/connectors/kit/trouble-reporter.ts'
import { MillraceError } from '../../../../runtime/model/errors.ts'
import { sleep, type Clock } from '../../../../runtime/ports/clock.ts'
import { CallTally } from '../../../../runtime/telemetry/call-tally.ts'
import { MetricRegistry } from '../../../../runtime/telemetry/metric-registry.ts'
import { jumpingClock } from '../../../harness/kafka/jumping-clock.ts'

function calling(clock: Clock, call: () => Promise<string>) {
  const troubles: { after: number; code: string | null }[] = []
  const started = clock.now()
  const calls = new CallTally()
  const metrics = new MetricRegistry()
  calls.collectInto(metrics, 'out')
  const report = (error: Error | null): void => {
    troubles.push({ after: clock.now() - started, code: error instanceof MillraceError ? error.code : null })
  }
  const environment = {
    clock,
    rng: { next: () => 0.5, id: () => 'id' },
    trouble: new TroubleReporter(clock, { reportTrouble: report, calls }),
    policy: {
      isRetriable: () => true,
      describe: (what: string, cause: unknown) => new MillraceError('FAILED', what, { cause }),
      closedCode: 'CLOSED',
    },
    signal: new AbortController().signal,
  }
  return { troubles, metrics, result: retrying(environment, 'asking it', Infinity, call) }
}

test('a call that is not answered is reported within 15 s, however long its own limit is, and its answer ends that', async () => {
  const clock = jumpingClock()
  const { troubles, result } = calling(clock, async () => {
    await sleep(clock, 30_000)
    return 'late'
  })
  expect(await result).toBe('late')
  expect(troubles.map(({ code }) => code)).toEqual(['NO_ANSWER_YET', null])
  expect(troubles[0]?.after).toBeLessThan(15_000)
})

test('of calls that are not answered and then fail, each is reported while it waits', async () => {
  const clock = jumpingClock()
  let tries = 0
  const { troubles, result } = calling(clock, async () => {
    await sleep(clock, 20_000)
    tries += 1
    if (tries < 3) throw new Error('no answer within 20 s')
    return 'at last'
  })
  expect(await result).toBe('at last')
  const codes = troubles.map(({ code }) => code)
  expect(codes).toEqual(['NO_ANSWER_YET', 'FAILED', 'NO_ANSWER_YET', 'FAILED', 'NO_ANSWER_YET', null])
})

test('the reason of a call that failed stands while the next one waits for its turn', async () => {
  const clock = jumpingClock()
  let tries = 0
  const { troubles, result } = calling(clock, async () => {
    await sleep(clock, 4_000)
    tries += 1
    if (tries < 12) throw new Error('refused')
    return 'at last'
  })
  expect(await result).toBe('at last')
  expect(new Set(troubles.map(({ code }) => code))).toEqual(new Set(['FAILED', null]))
  expect(troubles.at(-1)?.after).toBeGreaterThan(50_000)
})

test('a call that is answered in time is not reported', async () => {
  const clock = jumpingClock()
  const { troubles, result } = calling(clock, async () => {
    await sleep(clock, 5_000)
    return 'soon'
  })
  expect(await result).toBe('soon')
  await sleep(clock, 60_000)
  expect(troubles).toEqual([])
})

test('a system that fails twice, slowly, and then answers has two failed calls and the time of the answered one', async () => {
  const clock = jumpingClock()
  let tries = 0
  const { metrics, result } = calling(clock, async () => {
    tries += 1
    await sleep(clock, tries < 3 ? 20_000 : 2_500)
    if (tries < 3) throw new Error('refused')
    return 'at last'
  })
  expect(metrics.series()).toEqual([])
  await result
  expect(metrics.series().map(({ name, operator, labels, value }) => [name, operator, labels?.result, value])).toEqual([
    ['millrace_operator_calls_total', 'out', 'answered', 1],
    ['millrace_operator_calls_total', 'out', 'failed', 2],
    ['millrace_operator_call_seconds_total', 'out', undefined, 2.5],
  ])
})
