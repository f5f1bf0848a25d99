import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FakeDatabricks } from '../../../../harness/databricks/fake-databricks.ts'
import type { FakeColumn } from '../../../../harness/databricks/fake-table.ts'
import { OPTIONS, SinkCourse, STEPS, TABLE, UPSERT, type Step } from '../../../../harness/databricks/sink-courses.ts'

const COLUMNS: readonly FakeColumn[] = [
  { name: 'k', type: 'bigint', nullable: false },
  { name: 'v', type: 'bigint', nullable: true },
]
const ROWS = Array.from({ length: 24 }, (_, n) => ({ k: n % 5, v: n, gone: n % 7 === 3 }))
const steps = fc.array(fc.constantFrom<Step>(...STEPS), { maxLength: 60 })

test('whatever dies, gets lost or comes late when, the table has every row once', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (course) => {
      const fake = new FakeDatabricks()
      const table = fake.addTable(TABLE, [...COLUMNS, { name: 'gone', type: 'boolean', nullable: true }])
      await new SinkCourse(fake, OPTIONS, ROWS, course).run()
      expect(table.newest.rows.map(({ v }) => v).toSorted((a, b) => Number(a) - Number(b))).toEqual(
        ROWS.map(({ v }) => v),
      )
    }),
    { numRuns: 250 },
  )
})

test('whatever dies, gets lost or comes late when, each key has its last row', async () => {
  const wanted = new Map<number, number>()
  for (const { k, v, gone } of ROWS) {
    if (gone) wanted.delete(k)
    else wanted.set(k, v)
  }
  await fc.assert(
    fc.asyncProperty(steps, async (course) => {
      const fake = new FakeDatabricks()
      const table = fake.addTable(TABLE, COLUMNS)
      await new SinkCourse(fake, UPSERT, ROWS, course).run()
      const found = table.newest.rows.map(({ k, v }) => [k, v])
      expect(found.toSorted((a, b) => Number(a[0]) - Number(b[0]))).toEqual(
        [...wanted].toSorted((a, b) => a[0] - b[0]),
      )
    }),
    { numRuns: 250 },
  )
})
