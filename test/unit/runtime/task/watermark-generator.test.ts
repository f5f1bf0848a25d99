import { expect, test } from 'vitest'
import { MAX_TIMESTAMP } from '../../../../runtime/model/time.ts'
import { WatermarkGenerator } from '../../../../runtime/task/watermark-generator.ts'

test('the watermark is the slowest split\'s largest time minus the bound and one', () => {
  const generator = new WatermarkGenerator(100, ['a', 'b'])
  generator.onEventTime('a', 5_000)
  expect(generator.advance()).toBeUndefined()
  generator.onEventTime('b', 3_000)
  expect(generator.advance()).toBe(2_899)
  generator.onEventTime('b', 2_000)
  expect(generator.advance()).toBeUndefined()
})

test('a finished split no longer holds back, and none left means the end of time', () => {
  const generator = new WatermarkGenerator(0, ['a', 'b'])
  generator.onEventTime('a', 5_000)
  generator.onFinished('b')
  expect(generator.advance()).toBe(4_999)
  generator.onFinished('a')
  expect(generator.advance()).toBe(MAX_TIMESTAMP)
})
