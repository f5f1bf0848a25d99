import { expect, test } from 'vitest'
import { TimeShares } from '../../../../runtime/task/time-shares.ts'
import { MetricRegistry } from '../../../../runtime/telemetry/metric-registry.ts'
import { ManualClock, settle } from '../../../harness/manual-clock.ts'

function gate(): { opens: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opens: promise, open: resolve }
}

test('each millisecond of an attempt is idle, backpressured or neither', async () => {
  const clock = new ManualClock()
  const time = new TimeShares(clock)
  await clock.advance(1000)
  time.start()
  await clock.advance(30)
  const input = gate()
  const idle = time.during('idle', input.opens)
  await clock.advance(200)
  input.open()
  await idle
  await clock.advance(50)
  const room = gate()
  const backpressured = time.during('backpressured', room.opens)
  await clock.advance(400)
  room.open()
  await backpressured
  expect(time.read()).toEqual({ elapsed: 680, idle: 200, backpressured: 400 })
})

test('a wait that lasts counts up to now', async () => {
  const clock = new ManualClock()
  const time = new TimeShares(clock)
  time.start()
  const input = gate()
  const idle = time.during('idle', input.opens)
  await clock.advance(70)
  expect(time.read()).toEqual({ elapsed: 70, idle: 70, backpressured: 0 })
  input.open()
  await idle
  expect(time.read().idle).toBe(70)
})

test('a wait that fails ends, and its error reaches the waiter', async () => {
  const clock = new ManualClock()
  const time = new TimeShares(clock)
  time.start()
  const lost = new Error('lost')
  await expect(time.during('backpressured', Promise.reject(lost))).rejects.toBe(lost)
  await clock.advance(10)
  expect(time.read()).toEqual({ elapsed: 10, idle: 0, backpressured: 0 })
})

test('when the clock is set back, no share is negative and none is longer than the time', async () => {
  const clock = new ManualClock()
  const time = new TimeShares(clock)
  time.start()
  const input = gate()
  const idle = time.during('idle', input.opens)
  await clock.advance(100)
  input.open()
  await idle
  clock.setBack(clock.now() - 5000)
  const later = gate()
  const again = time.during('idle', later.opens)
  await settle()
  expect(time.read()).toEqual({ elapsed: 100, idle: 100, backpressured: 0 })
  later.open()
  await again
})

test('metrics name the first operator of the chain and add up to the time', async () => {
  const clock = new ManualClock()
  const time = new TimeShares(clock)
  const metrics = new MetricRegistry()
  time.collectInto(metrics, 'bids')
  time.start()
  const input = gate()
  const idle = time.during('idle', input.opens)
  await clock.advance(1500)
  input.open()
  await idle
  await clock.advance(500)
  expect(metrics.series().map(({ name, operator, value }) => [name, operator, value])).toEqual([
    ['millrace_operator_busy_seconds_total', 'bids', 0.5],
    ['millrace_operator_idle_seconds_total', 'bids', 1.5],
    ['millrace_operator_backpressured_seconds_total', 'bids', 0],
  ])
})
