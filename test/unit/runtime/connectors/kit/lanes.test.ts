import { expect, test } from 'vitest'
import { inLanes } from '../../../../../runtime/connectors/kit/lanes.ts'

test('items are taken so many side by side, and none begins after one has failed', async () => {
  const begun: number[] = []
  const ended: number[] = []
  const acting = inLanes(2, [1, 2, 3, 4, 5, 6].values(), async (item) => {
    begun.push(item)
    await new Promise((resolve) => setImmediate(resolve))
    if (item === 3) throw new Error('three')
    ended.push(item)
  })
  await expect(acting).rejects.toThrow('three')
  expect([begun, ended]).toEqual([
    [1, 2, 3, 4],
    [1, 2, 4],
  ])
})
