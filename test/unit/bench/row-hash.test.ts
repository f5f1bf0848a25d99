import { describe, expect, test } from 'vitest'
import { RowHash } from '../../../bench/row-hash.ts'
import type { HashedRows } from '../../../bench/row-hash.ts'
import type { Row, Schema } from '../../../runtime/model/schema.ts'

const SCHEMA: Schema = {
  fields: [
    { name: 'id', type: 'long', nullable: false },
    { name: 'text', type: 'string', nullable: true },
    { name: 'mean', type: 'double', nullable: false },
  ],
}
const A = { id: 1, text: 'a', mean: 0.5 }
const B = { id: 2, text: null, mean: -1.25 }

function hashOf(rows: readonly Row[], hashed?: HashedRows): { sum: number; finalRows: number } {
  const hash = new RowHash(SCHEMA, hashed)
  for (const row of rows) hash.add(row)
  return { sum: hash.sum, finalRows: hash.finalRows }
}

describe('the hash of result rows', () => {
  test('does not depend on the order of the rows', () => {
    expect(hashOf([A, B, A])).toEqual(hashOf([A, A, B]))
  })

  test('depends on every field that is hashed and on no other', () => {
    expect(hashOf([A]).sum).not.toBe(hashOf([{ ...A, mean: 0.25 }]).sum)
    expect(hashOf([A], { fields: ['id', 'text'] })).toEqual(hashOf([{ ...A, mean: 0.25 }], { fields: ['id', 'text'] }))
  })

  test('tells null from an empty text', () => {
    expect(hashOf([B]).sum).not.toBe(hashOf([{ ...B, text: '' }]).sum)
  })

  test('of upserts holds the last row of each key', () => {
    expect(hashOf([B, { ...A, text: 'before' }, A], { key: 1 })).toEqual({
      ...hashOf([A, B], { key: 1 }),
      finalRows: 2,
    })
  })

  test('of doubles holds the bits, or the whole part where only that is compared', () => {
    expect(hashOf([{ ...A, mean: -1.75 }], { truncated: ['mean'] })).toEqual(
      hashOf([{ ...A, mean: -1 }], { truncated: ['mean'] }),
    )
    expect(hashOf([{ ...A, mean: 0 }]).sum).not.toBe(hashOf([{ ...A, mean: -0 }]).sum)
  })
})
