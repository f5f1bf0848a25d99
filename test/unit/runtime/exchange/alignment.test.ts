import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BarrierAligner } from '../../../../runtime/exchange/barrier-aligner.ts'
import { WatermarkMerger } from '../../../../runtime/exchange/watermark-merger.ts'
import { MIN_TIMESTAMP } from '../../../../runtime/model/time.ts'

describe('barrier alignment', () => {
  test('a channel is blocked from its barrier until the barrier has come on all', () => {
    const aligner = new BarrierAligner(3)
    expect(aligner.onBarrier(1, 1)).toEqual({ kind: 'block' })
    expect([0, 1, 2].map((channel) => aligner.isBlocked(channel))).toEqual([false, true, false])
    expect(aligner.onBarrier(0, 1)).toEqual({ kind: 'block' })
    expect(aligner.onBarrier(2, 1)).toEqual({ kind: 'aligned' })
    expect([0, 1, 2].some((channel) => aligner.isBlocked(channel))).toBe(false)
  })

  test("a newer checkpoint's barrier ends the alignment of an older one", () => {
    const aligner = new BarrierAligner(2)
    aligner.onBarrier(0, 1)
    expect(aligner.onBarrier(1, 2)).toEqual({ kind: 'block' })
    expect(aligner.isBlocked(0)).toBe(false)
    expect(aligner.onBarrier(0, 2)).toEqual({ kind: 'aligned' })
  })

  test('a late barrier of an aborted checkpoint does not block its channel', () => {
    const aligner = new BarrierAligner(2)
    aligner.onBarrier(0, 5)
    aligner.onBarrier(1, 5)
    expect(aligner.onBarrier(0, 4)).toEqual({ kind: 'late' })
    expect(aligner.isBlocked(0)).toBe(false)
  })

  test('one channel is aligned at once', () => {
    expect(new BarrierAligner(1).onBarrier(0, 1)).toEqual({ kind: 'aligned' })
  })
})

describe('merged watermarks', () => {
  test("the merged watermark is always the smallest of the inputs' largest and never goes back", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.tuple(fc.nat(3), fc.maxSafeInteger()), { maxLength: 40 }),
        (inputs, steps) => {
          const merger = new WatermarkMerger(inputs)
          const largest = new Array<number>(inputs).fill(MIN_TIMESTAMP)
          for (const [input, time] of steps) {
            if (input >= inputs) continue
            const before = merger.current
            const told = merger.advance(input, time)
            largest[input] = Math.max(largest[input] ?? MIN_TIMESTAMP, time)
            const expected = Math.min(...largest)
            expect(merger.current).toBe(expected)
            expect(told).toBe(expected > before ? expected : undefined)
          }
        },
      ),
    )
  })

  test('an idle input no longer holds back; when all are idle the whole is, until one goes on', () => {
    const merger = new WatermarkMerger(2)
    merger.advance(0, 10)
    expect(merger.idle(1)).toBe(10)
    expect(merger.idle(0)).toBe('idle')
    expect(merger.idle(0)).toBeUndefined()
    expect(merger.advance(1, 5)).toBe(10)
    expect(merger.advance(1, 20)).toBe(20)
    expect(merger.advance(0, 15)).toBeUndefined()
    expect(merger.current).toBe(20)
  })
})
