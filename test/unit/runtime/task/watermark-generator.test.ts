import { describe, expect, test } from 'vitest'
import { MAX_TIMESTAMP } from '../../../../runtime/model/time.ts'
import { WatermarkGenerator } from '../../../../runtime/task/watermark-generator.ts'

let now = 0
const generatorOf = (outOfOrdernessMs: number, splits: readonly string[], idleAfterMs?: number): WatermarkGenerator =>
  new WatermarkGenerator(
    { outOfOrdernessMs, now: () => now, ...(idleAfterMs === undefined ? {} : { idleAfterMs }) },
    splits,
  )

test("the watermark is the slowest split's largest time minus the bound and one", () => {
  const generator = generatorOf(100, ['a', 'b'])
  generator.onEventTime('a', 5_000)
  expect(generator.advance()).toBeUndefined()
  generator.onEventTime('b', 3_000)
  expect(generator.advance()).toBe(2_899)
  generator.onEventTime('b', 2_000)
  expect(generator.advance()).toBeUndefined()
})

test('a finished split no longer holds back, and none left means the end of time', () => {
  const generator = generatorOf(0, ['a', 'b'])
  generator.onEventTime('a', 5_000)
  generator.onFinished('b')
  expect(generator.advance()).toBe(4_999)
  generator.onFinished('a')
  expect(generator.advance()).toBe(MAX_TIMESTAMP)
})

describe('with idleAfter', () => {
  /** Looks every 500 ms, as a source does that has nothing to give. */
  const wait = (generator: WatermarkGenerator, ms: number): unknown[] => {
    const signals: unknown[] = []
    for (const until = now + ms; now < until; ) {
      now += 500
      signals.push(generator.advance())
    }
    return signals.filter((signal) => signal !== undefined)
  }

  test('a split that gives nothing for so long no longer holds back the others', () => {
    const generator = generatorOf(0, ['a', 'b'], 2_000)
    generator.onEventTime('a', 5_000)
    wait(generator, 1_000)
    generator.onEventTime('a', 6_000)
    expect(wait(generator, 1_000)).toEqual([5_999])
  })

  test('when all are idle the source says so once, and the next row brings its time back', () => {
    const generator = generatorOf(0, ['a'], 1_000)
    generator.onEventTime('a', 5_000)
    expect(wait(generator, 3_000)).toEqual([4_999, 'idle'])
    generator.onEventTime('a', 4_000)
    expect(generator.advance()).toBe(4_999)
  })

  test('time in which nobody looked makes no split idle', () => {
    const generator = generatorOf(0, ['a', 'b'], 10_000)
    generator.onEventTime('a', 5_000)
    now += 3_600_000
    expect(generator.advance()).toBeUndefined()
  })
})
