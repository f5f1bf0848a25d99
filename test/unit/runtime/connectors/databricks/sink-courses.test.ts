import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FakeDatabricks } from '../../../../harness/databricks/fake-databricks.ts'
import type { FakeColumn } from '../../../../harness/databricks/fake-table.ts'
import { OPTIONS, SinkCourse, STEPS, TABLE, UPSERT, type Step } from '../../../../harness/databricks/sink-courses.ts'

const COLUMNS: readonly FakeColumn[] = [
  { name: 'k', type: 'bigint', nullable: false },
  { name: 'v', type: 'bigint', nullable: true },
]
const ROWS = Array.from({ length: 24 }, (_, n) => ({ k: n % 4, v: n, gone: n % 3 === 1 }))
const steps = fc.array(fc.constantFrom<Step>(...STEPS), { maxLength: 60 })

test.each([1, 3])(
  'whatever dies, gets lost or comes late when, a table that %i slots append to has every row once',
  async (slots) => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (course, seed) => {
        const fake = new FakeDatabricks(seed)
        fake.isLoaded = seed % 2 === 1
        const table = fake.addTable(TABLE, [...COLUMNS, { name: 'gone', type: 'boolean', nullable: true }])
        const check = (count: number): void => {
          const found = table.newest.rows.map(({ v }) => Number(v))
          expect(found.toSorted((a, b) => a - b)).toEqual(ROWS.slice(0, count).map(({ v }) => v))
        }
        await new SinkCourse(fake, OPTIONS, ROWS, course, check, slots).run()
      }),
      { numRuns: RUNS },
    )
  },
)

test('whatever dies, gets lost or comes late when, each key has its last row', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(), async (course, seed) => {
      const fake = new FakeDatabricks(seed)
      fake.isLoaded = seed % 2 === 1
      const table = fake.addTable(TABLE, COLUMNS)
      await new SinkCourse(fake, UPSERT, ROWS, course, (count) => {
        const found = table.newest.rows.map(({ k, v }) => [Number(k), Number(v)])
        expect(found.toSorted(byKey)).toEqual(lastRows(count))
      }).run()
    }),
    { numRuns: RUNS },
  )
})

const RUNS = 200

function lastRows(count: number): number[][] {
  const rows = new Map<number, number>()
  for (const { k, v, gone } of ROWS.slice(0, count)) {
    if (gone) rows.delete(k)
    else rows.set(k, v)
  }
  return [...rows].toSorted(byKey)
}

function byKey([a = 0]: readonly number[], [b = 0]: readonly number[]): number {
  return a - b
}
