import { describe, expect, test } from 'vitest'
import { DistinctNumbers, DistinctTexts } from '../../../../runtime/memory/accumulators/distinct-values.ts'
import { Histogram } from '../../../../runtime/memory/accumulators/histogram.ts'
import { HyperLogLog } from '../../../../runtime/memory/accumulators/hyper-log-log.ts'
import { QuantileSketch } from '../../../../runtime/memory/accumulators/quantile-sketch.ts'

const numbers = (count: number, of: (n: number) => number): number[] => Array.from({ length: count }, (_, n) => of(n))

describe('accumulators', () => {
  test.each([1, 10, 200, 1000, 20_000, 300_000])(
    'approxCountDistinct of %i values is within 6 %, five standard errors with room for few',
    (count) => {
      for (const of of [(n: number) => n, (n: number) => n * 1e9 + 0.5, (n: number) => `https://host/${n}`]) {
        const sketch = new HyperLogLog()
        for (let n = 0; n < count; n++) sketch.add(of(n))
        for (let n = 0; n < count; n += 2) sketch.add(of(n))
        expect(Math.abs(sketch.result() - count)).toBeLessThanOrEqual(Math.max(1, count * 0.06))
      }
    },
  )

  test('approxCountDistinct of parts merged is that of all, also after writing and reading', () => {
    const [all, parts] = [new HyperLogLog(), [new HyperLogLog(), new HyperLogLog()]]
    for (let n = 0; n < 5000; n++) {
      all.add(n)
      parts[n % 50 === 0 ? 0 : 1]?.add(n)
    }
    const merged = new HyperLogLog()
    for (const part of parts) merged.merge(HyperLogLog.read(part.write()))
    expect(merged.result()).toBe(all.result())
  })

  test.each([
    [(n: number) => n],
    [(n: number) => -n * 1000],
    [(n: number) => 1.001 ** (n % 9000)],
    [(n: number) => Math.sin(n) * 1e6],
  ])('percentile is within 1 % of the value of its rank', (of) => {
    const values = numbers(10_000, of)
    const sketch = new QuantileSketch()
    for (const value of values) sketch.add(value)
    const sorted = values.toSorted((a, b) => a - b)
    for (const share of [0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = sorted[Math.floor(share * (values.length - 1))] ?? NaN
      const result = QuantileSketch.read(sketch.write()).result(share)
      expect(Math.abs((result ?? NaN) - exact)).toBeLessThanOrEqual(Math.abs(exact) * 0.0101)
    }
  })

  test('countDistinct tells which aggregates see a value for the first time, by entry, for numbers of any size and for texts', () => {
    const numbers = new DistinctNumbers()
    expect(
      [
        [0, 1, 1],
        [0, 1, 3],
        [0, 1, 3],
        [1, 1, 2],
        [0, -1, 0],
        [0, 2 ** 40, 1],
        [0, 0.5, 1],
      ].map(([entry = 0, value = 0, bits = 0]) => numbers.mark(entry, value, bits)),
    ).toEqual([1, 2, 0, 2, 0, 1, 1])
    const texts = new DistinctTexts()
    expect(['a', 'b', 'a', ''].map((text) => texts.mark(0, text, 1))).toEqual([1, 1, 0, 1])
  })

  test('countDistinct forgets an entry, finds room in what it forgot, and reads back what it wrote', () => {
    for (const [values, of] of [
      [new DistinctNumbers(), (n: number) => n * 3],
      [new DistinctTexts(), (n: number) => `text ${n}`],
    ] as const) {
      const mark = values.mark.bind(values) as (entry: number, value: number | string, bits: number) => number
      for (let round = 0; round < 20; round++) {
        for (let n = 0; n < 100; n++) expect(mark(round % 3, of(n), 1)).toBe(1)
        expect(mark(round % 3, of(7), 1)).toBe(0)
        values.forget((round + 1) % 3)
      }
      const read =
        values instanceof DistinctNumbers
          ? new DistinctNumbers().fill(values.write())
          : new DistinctTexts().fill(values.write())
      const all = (of: typeof values, entry: number): unknown[] =>
        of
          .pairs(entry)
          .filter((_, at) => at % 2 === 0)
          .sort()
      for (const entry of [0, 1, 2]) expect(all(read, entry)).toEqual(all(values, entry))
      values.clear()
      expect(values.pairs(0)).toEqual([])
    }
  })

  test('a histogram counts each value once, its ends as they say', () => {
    const histogram = new Histogram(0, 0.3, 3)
    for (const value of [-1, 0, 0.1, 0.29999999999999993, 0.3, 5]) histogram.add(value)
    const { below, counts, above } = histogram.result()
    expect([below, counts.reduce((sum, count) => sum + count, 0), above]).toEqual([1, 3, 2])
  })
})
