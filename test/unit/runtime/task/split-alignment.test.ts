import { beforeEach, describe, expect, test } from 'vitest'
import { SplitAlignment } from '../../../../runtime/task/split-alignment.ts'
import { WatermarkGenerator } from '../../../../runtime/task/watermark-generator.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'

let clock: ManualClock
let paused: string[]
let told: (number | null)[]
beforeEach(() => {
  clock = new ManualClock()
  paused = []
  told = []
})

/** Over splits with a disorder of 0: a watermark is the largest time less one. */
function over(splits: readonly string[], idleAfterMs?: number) {
  const generator = new WatermarkGenerator(
    { outOfOrdernessMs: 0, now: () => clock.now(), ...(idleAfterMs === undefined ? {} : { idleAfterMs }) },
    splits,
  )
  const alignment = new SplitAlignment({
    maxDriftMs: 100,
    generator,
    clock,
    pause: (now) => {
      paused = [...now].sort()
    },
    tell: (minimum) => {
      told.push(minimum)
    },
  })
  const look = async (times: Readonly<Record<string, number>> = {}, ms = 5): Promise<boolean> => {
    const waits = alignment.everythingWaits()
    for (const [split, time] of Object.entries(times)) generator.onEventTime(split, time + 1)
    generator.advance()
    alignment.afterPoll(Object.keys(times).length > 0 ? 'rows' : 'nothing')
    await clock.advance(ms)
    return waits
  }
  return { generator, alignment, look }
}

describe('before the group is known', () => {
  test('whatever has given something waits, and its minimum is told when all have', async () => {
    const { look } = over(['a', 'b'])
    await look({ a: 5_000 })
    expect(paused).toEqual(['a'])
    expect(await look({ b: 4_000 })).toBe(false)
    expect(paused).toEqual(['a', 'b'])
    expect(await look()).toBe(true)
    expect(told).toEqual([Number.MIN_SAFE_INTEGER, 4_000])
  })

  test('a split that gives nothing is waited for a second, and no longer', async () => {
    const { look, alignment } = over(['a', 'empty'])
    await look({ a: 5_000 }, 900)
    await look({}, 200)
    expect(told).toEqual([Number.MIN_SAFE_INTEGER])
    await look()
    expect(told.at(-1)).toBe(5_000)
    alignment.onGroupMinimum(5_000)
    expect(await look()).toBe(false)
    expect(paused).toEqual([])
  })
})

describe('with a minimum of the group', () => {
  test('a split waits that is more than the drift ahead, and goes on when the group has come after', async () => {
    const { alignment, look } = over(['a', 'b'])
    alignment.onGroupMinimum(1_000)
    await look({ a: 1_100, b: 1_101 })
    expect(paused).toEqual(['b'])
    alignment.onGroupMinimum(1_001)
    expect(await look()).toBe(false)
    expect(paused).toEqual([])
    expect(alignment.pausedSplits).toBe(0)
  })

  test('a split that waits is not idle for it; one that is idle has no say', async () => {
    const { alignment, generator, look } = over(['a', 'b'], 1_000)
    alignment.onGroupMinimum(1_000)
    await look({ a: 5_000, b: 1_000 })
    expect(generator.advance()).toBeUndefined()
    for (let looks = 0; looks < 4; looks++) await look({}, 500)
    expect(paused).toEqual(['a'])
    expect(told.at(-1)).toBe(5_000)
    expect([...generator.alignedTimes()]).toEqual([['a', 5_000]])
  })

  test('a finished source holds nobody back', async () => {
    const { alignment, look } = over(['a'])
    await look({ a: 1_000 })
    alignment.end()
    alignment.end()
    expect(told.slice(-1)).toEqual([null])
    alignment.onGroupMinimum(null)
    expect(await look()).toBe(false)
    expect(paused).toEqual([])
  })
})

test('while it reads a minimum is told every 200 ms, and at once where it has nothing left but to wait', async () => {
  const { alignment, look } = over(['a'])
  alignment.onGroupMinimum(0)
  for (let time = 1; time <= 100; time++) await look({ a: time })
  expect(told.length).toBeLessThan(5)
  await look({ a: 500 })
  expect(told.at(-1)).not.toBe(500)
  expect(await look()).toBe(true)
  await look({}, 10)
  expect(told.at(-1)).toBe(500)
})
