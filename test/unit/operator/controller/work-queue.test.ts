import { describe, expect, test } from 'vitest'
import { KubeError } from '../../../../operator/kube/errors.ts'
import { WorkQueue } from '../../../../operator/controller/work-queue.ts'
import { ManualClock, settle } from '../../../harness/manual-clock.ts'

function queueOf(
  handle: (key: string) => Promise<{ requeueAfterMs?: number }>,
  concurrency = 4,
): { queue: WorkQueue; clock: ManualClock } {
  const clock = new ManualClock()
  const queue = new WorkQueue({ clock, rng: { next: () => 1, id: () => 'x' }, concurrency, handle })
  queue.resume()
  return { queue, clock }
}

describe('a work queue', () => {
  test('handles a key once however often it was added while it waited', async () => {
    const handled: string[] = []
    const clock = new ManualClock()
    const queue = new WorkQueue({
      clock,
      rng: { next: () => 1, id: () => 'x' },
      concurrency: 4,
      handle: async (key) => {
        handled.push(key)
        return {}
      },
    })
    for (const key of ['a', 'a', 'b', 'a']) queue.add(key)
    await settle()
    expect(handled).toEqual([])
    queue.resume()
    await settle()
    expect(handled).toEqual(['a', 'b'])
  })

  test('never handles a key twice at once, and handles it again when it was added meanwhile', async () => {
    let running = 0
    let most = 0
    let passes = 0
    const gates: (() => void)[] = []
    const { queue } = queueOf(async () => {
      passes += 1
      most = Math.max(most, ++running)
      await new Promise<void>((resolve) => {
        gates.push(resolve)
      })
      running -= 1
      return {}
    })
    queue.add('a')
    await settle()
    queue.add('a')
    queue.add('a')
    gates.shift()?.()
    await settle()
    gates.shift()?.()
    await settle()
    expect([most, passes]).toEqual([1, 2])
  })

  test('handles no more keys side by side than it was told', async () => {
    let running = 0
    const { queue } = queueOf(() => {
      running += 1
      return new Promise(() => undefined)
    }, 2)
    for (const key of ['a', 'b', 'c']) queue.add(key)
    await settle()
    expect([running, queue.depth()]).toEqual([2, 1])
  })

  test('waits twice as long after each failure of a key, and afresh after a success', async () => {
    const at: number[] = []
    let fails = 3
    const { queue, clock } = queueOf(async () => {
      at.push(clock.now())
      if (fails-- > 0) throw new Error('no')
      return {}
    })
    queue.add('a')
    await clock.advance(60_000)
    expect(at.slice(1).map((time, index) => time - (at[index] ?? 0))).toEqual([200, 400, 800])
    fails = 1
    queue.add('a')
    await clock.advance(60_000)
    expect((at[5] ?? 0) - (at[4] ?? 0)).toBe(200)
  })

  test('is not hurried by changes of a key that fails', async () => {
    let passes = 0
    const { queue, clock } = queueOf(async () => {
      passes += 1
      queue.add('a')
      throw new Error('no')
    })
    queue.add('a')
    await clock.advance(1_000)
    expect(passes).toBeLessThanOrEqual(4)
  })

  test('looks again after the time that was asked for', async () => {
    let passes = 0
    const { queue, clock } = queueOf(async () => {
      passes += 1
      return passes === 1 ? { requeueAfterMs: 500 } : {}
    })
    queue.add('a')
    await clock.advance(499)
    expect(passes).toBe(1)
    await clock.advance(1)
    expect(passes).toBe(2)
  })

  test('that is stopped waits for what is under way and takes up nothing', async () => {
    const handled: string[] = []
    let finish: () => void = () => undefined
    const { queue } = queueOf(async (key) => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      handled.push(key)
      return {}
    }, 1)
    queue.add('a')
    queue.add('b')
    await settle()
    const stopped = queue.stop()
    queue.add('c')
    finish()
    await stopped
    expect(handled).toEqual(['a'])
  })

  test('gives the slot of a pass that waits aside to others, and takes it back when it goes on', async () => {
    const order: string[] = []
    const gates = new Map<string, () => void>()
    const { queue } = queueOf(async (key) => {
      order.push(`${key} begins`)
      if (key.startsWith('hangs'))
        await queue.aside(
          () =>
            new Promise<void>((resolve) => {
              gates.set(key, resolve)
            }),
        )
      order.push(`${key} ends`)
      return {}
    }, 1)
    for (const key of ['hangs-1', 'hangs-2', 'quick']) queue.add(key)
    await settle()
    expect(order).toEqual(['hangs-1 begins', 'hangs-2 begins', 'quick begins', 'quick ends'])
    gates.get('hangs-2')?.()
    await settle()
    expect(order.at(-1)).toBe('hangs-2 ends')
    queue.add('hangs-1')
    await settle()
    expect(order.at(-1)).toBe('hangs-2 ends')
    const stopped = queue.stop()
    gates.get('hangs-1')?.()
    await stopped
    expect(order.at(-1)).toBe('hangs-1 ends')
  })

  test('handles what has changed before what is only looked at', async () => {
    const handled: string[] = []
    const clock = new ManualClock()
    const queue = new WorkQueue({
      clock,
      rng: { next: () => 1, id: () => 'x' },
      concurrency: 1,
      handle: async (key) => {
        handled.push(key)
        return {}
      },
    })
    for (const key of ['look-1', 'look-2', 'both']) queue.look(key)
    for (const key of ['edit', 'both']) queue.add(key)
    queue.resume()
    await settle()
    expect(handled).toEqual(['edit', 'both', 'look-1', 'look-2'])
  })

  test('comes back after a failure not before the server wants it', async () => {
    let passes = 0
    const { queue, clock } = queueOf(async () => {
      passes += 1
      throw new KubeError('too many', { status: 429, reason: 'TooManyRequests', retryAfterMs: 7_000 })
    })
    queue.add('a')
    await clock.advance(6_999)
    expect(passes).toBe(1)
    await clock.advance(1)
    expect(passes).toBe(2)
  })
})
