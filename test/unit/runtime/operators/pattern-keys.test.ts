import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import type { Row, Schema } from '../../../../runtime/model/schema.ts'
import { PatternKeys } from '../../../../runtime/operators/pattern/pattern-keys.ts'
import { Uploads } from '../../../harness/uploads.ts'

const SCHEMA: Schema = {
  fields: [
    { name: 'k', type: 'double', nullable: false },
    { name: 'v', type: 'long', nullable: false },
  ],
}
const GROUPS = 2
const KEYS = [0, 1, 2.5, NaN, Infinity]
const rowClass = compileRowClass(SCHEMA)
const rowOf = (k: number, v: number): Row => new rowClass(k, v)

function create(): PatternKeys {
  return new PatternKeys({
    input: { schema: SCHEMA, rowClass },
    keyBy: ['k'],
    states: [],
    shape: 'test',
    groups: { first: 0, endExclusive: GROUPS },
    maxParallelism: GROUPS,
  })
}

function contentOf(keys: PatternKeys): string {
  return JSON.stringify(
    [...keys.all()]
      .filter(({ waitingRows }) => waitingRows.length > 0)
      .map(({ group, key, waitingRows }) => [group, String(key), waitingRows.map(({ row }) => row['v'])])
      .sort(),
  )
}

const arbitraryStep = fc.record({
  what: fc.constantFrom(
    'add',
    'add',
    'add',
    'take',
    'empty',
    'remove',
    'remove',
    'freeze',
    'freeze',
    'read',
    'read',
    'fail',
  ),
  group: fc.nat(GROUPS - 1),
  key: fc.constantFrom(...KEYS),
  extent: fc.constantFrom('changes', 'changes', 'changes', 'appended', 'whole'),
  blocks: fc.integer({ min: 1, max: 6 }),
} as const)

describe('the keys of a pattern', () => {
  test('whatever comes, changes, goes and comes again while snapshots are read, or fail, each holds what there was at its barrier', () => {
    let restored = 0
    fc.assert(
      fc.property(fc.array(arbitraryStep, { minLength: 20, maxLength: 120 }), (steps) => {
        const keys = create()
        const uploads = new Uploads<string>()
        for (const [v, { what, group, key, extent, blocks }] of steps.entries()) {
          const live =
            what === 'add'
              ? keys.of(group, rowOf(key, v))
              : [...keys.all()].find((one) => one.group === group && Object.is(one.key, key))
          if (live !== undefined && ['add', 'take', 'empty'].includes(what)) keys.touch(live)
          if (what === 'add') live?.waitingRows.push({ row: rowOf(key, v), time: v })
          if (what === 'take') live?.waitingRows.shift()
          if (what === 'empty' && live !== undefined) live.waitingRows.length = 0
          if (what === 'remove' && live !== undefined) keys.remove(live)
          if (what === 'freeze') uploads.add(keys.freeze(extent, v), contentOf(keys))
          if (what === 'read') for (let n = 0; n < blocks; n++) uploads.step()
          if (what === 'fail') uploads.fail()
        }
        while (uploads.step());
        for (const { files, expected } of uploads.done) {
          const again = create()
          for (const [group, bytes] of uploads.blocks(files)) again.restore(group, bytes)
          expect(contentOf(again)).toBe(expected)
          restored++
        }
      }),
      { numRuns: 300 },
    )
    expect(restored).toBeGreaterThan(1000)
  })

  test('when a group has been written anew, the keys that were gone by then are forgotten', () => {
    const keys = create()
    const uploads = new Uploads<undefined>()
    const checkpoint = (): void => {
      uploads.add(keys.freeze('changes', 1), undefined)
      while (uploads.step());
    }
    for (let round = 0; round < 50; round++) {
      const lives = Array.from({ length: 200 }, (_, n) => keys.of(0, rowOf(round * 200 + n, 0)))
      for (const live of lives) live.waitingRows.push({ row: rowOf(live.key as number, 0), time: 0 })
      checkpoint()
      for (const live of lives) keys.remove(live)
      checkpoint()
      expect(keys.removedKeys).toBeLessThanOrEqual(400)
    }
  })
})
