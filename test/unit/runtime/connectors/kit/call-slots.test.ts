import { expect, test } from 'vitest'
import { CallSlots } from '../../../../../runtime/connectors/kit/call-slots.ts'

test('of many calls only so many are under way side by side, also after some have failed', async () => {
  const slots = new CallSlots(3)
  let underWay = 0
  let most = 0
  const results = await Promise.allSettled(
    Array.from({ length: 50 }, (_, n) =>
      slots.take(async () => {
        most = Math.max(most, ++underWay)
        await new Promise((resolve) => setImmediate(resolve))
        underWay--
        if (n % 3 === 0) throw new Error('failed')
        return n
      }),
    ),
  )
  expect([most, underWay]).toEqual([3, 0])
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(33)
})
