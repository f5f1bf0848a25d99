import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileKeyGrouper } from '../../../../../runtime/codegen/keys/key-grouper.ts'
import { compileMaxEventTime } from '../../../../../runtime/codegen/max-event-time.ts'
import type { Field, FieldType } from '../../../../../runtime/model/schema.ts'
import { MIN_TIMESTAMP } from '../../../../../runtime/model/time.ts'
import { plainKeyGroup } from '../../../../harness/plain/plain-key-group.ts'
import { arbitraryRows, HOSTILE_NAMES } from '../../../../harness/plain/random-rows.ts'

const field = (name: string, type: FieldType, nullable = false): Field => ({ name, type, nullable })

function groupsOf(fields: Field[], keys: unknown[][], maxParallelism = 65_536): number[] {
  const groups = new Uint16Array(keys.length)
  const rows = keys.map((key) => Object.fromEntries(fields.map(({ name }, index) => [name, key[index]])))
  compileKeyGrouper(fields, maxParallelism)(rows, rows.length, groups)
  return [...groups]
}

describe('key grouper', () => {
  // state lies in checkpoints by these numbers: a change of any of them loses state
  test('the groups of known keys are what they have always been', () => {
    expect(
      groupsOf(
        [field('k', 'long', true)],
        [0, 1, -1, 42, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 53 - 1), null].map((k) => [k]),
      ),
    ).toEqual([0, 37056, 33354, 13250, 65464, 16676, 36848, 55546, 33545, 51671, 31161])
    expect(
      groupsOf(
        [field('k', 'double')],
        [0.5, -0, 0, 1e300, -1.25, 3].map((k) => [k]),
      ),
    ).toEqual([37088, 0, 0, 34478, 18287, 59869])
    expect(
      groupsOf(
        [field('k', 'string', true)],
        ['', 'a', 'key-1', 'žluťoučký', '日本語', '\ud83d\ude00', null].map((k) => [k]),
      ),
    ).toEqual([7200, 14315, 23964, 1040, 27139, 50291, 31161])
    expect(groupsOf([field('k', 'boolean', true)], [[true], [false], [null]])).toEqual([37056, 0, 31161])
    expect(
      groupsOf(
        [field('k', 'long'), field('s', 'string', true), field('b', 'boolean')],
        [
          [1, 'a', true],
          [1, null, true],
          [2 ** 40, 'x', false],
        ],
      ),
    ).toEqual([24200, 52110, 49851])
    const airports = [['ATL'], ['ORD'], ['DFW'], ['LAX']]
    expect(groupsOf([field('k', 'string')], airports, 128)).toEqual([103, 14, 39, 73])
    expect(groupsOf([field('k', 'string')], airports, 100)).toEqual([75, 38, 27, 53])
  })

  test('random keys get the group of the description', () => {
    const keyed = arbitraryRows(10).filter(({ schema }) => schema.fields.every((one) => one.type !== 'json'))
    fc.assert(
      fc.property(keyed, fc.integer({ min: 1, max: 65_536 }), ({ schema, rows }, maxParallelism) => {
        expect(groupsOf([...schema.fields], rows, maxParallelism)).toEqual(
          rows.map((row) => plainKeyGroup(row, maxParallelism)),
        )
      }),
      { numRuns: 300 },
    )
  })

  test('json keys, no keys and too many groups are refused with a code', () => {
    expect(() => compileKeyGrouper([field('k', 'json')], 128)).toThrow(
      expect.objectContaining({ code: 'KEY_TYPE_UNSUPPORTED' }),
    )
    expect(() => compileKeyGrouper([], 128)).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }))
    expect(() => compileKeyGrouper([field('k', 'long')], 65_537)).toThrow(
      expect.objectContaining({ code: 'MAX_PARALLELISM_INVALID' }),
    )
  })

  test.each(HOSTILE_NAMES)('the field name %j is refused', (name) => {
    expect(() => compileKeyGrouper([field(name, 'long')], 128)).toThrow(
      expect.objectContaining({ code: 'FIELD_NAME_INVALID' }),
    )
    expect(() => compileMaxEventTime(field(name, 'timestamp'))).toThrow(
      expect.objectContaining({ code: 'FIELD_NAME_INVALID' }),
    )
  })
})

describe('max event time', () => {
  test('nulls are passed over, and without any time it is the beginning of time', () => {
    const max = compileMaxEventTime(field('at', 'timestamp', true))
    expect(max([{ at: -5 }, { at: null }, { at: -3 }, { at: 100 }], 3)).toBe(-3)
    expect(max([{ at: null }], 1)).toBe(MIN_TIMESTAMP)
    expect(max([], 0)).toBe(MIN_TIMESTAMP)
  })
})
