import { describe, expect, test } from 'vitest'
import { restOf, type BlockPlace } from '../../../../runtime/checkpoint/state-rest.ts'
import type { StateFile } from '../../../../runtime/model/snapshot.ts'

type Row = readonly [group: number, offset: number, length: number]

const file = (path: string, ...groups: Row[]): StateFile => ({ path, sizeBytes: 100, sha256: `of ${path}`, groups })
const place = (path: string, offset: number, length: number): BlockPlace => ({
  path,
  sha256: `of ${path}`,
  offset,
  length,
})
const A = file('a', [0, 0, 10], [1, 10, 10], [0, 20, 10])
const B = file('b', [1, 0, 5], [0, 5, 5], [4, 10, 5])

const CASES: readonly {
  name: string
  restored: Record<number, BlockPlace[]>
  files: readonly StateFile[]
  rest: [string, ...Row[]][] | undefined
}[] = [
  {
    name: 'nothing was restored',
    restored: {},
    files: [A, B],
    rest: [
      ['a', [0, 0, 10], [1, 10, 10], [0, 20, 10]],
      ['b', [1, 0, 5], [0, 5, 5]],
    ],
  },
  {
    name: 'all was',
    restored: {
      0: [place('a', 0, 10), place('a', 20, 10), place('b', 5, 5)],
      1: [place('a', 10, 10), place('b', 0, 5)],
    },
    files: [A, B],
    rest: [],
  },
  {
    name: 'the first file was',
    restored: { 0: [place('a', 0, 10), place('a', 20, 10)], 1: [place('a', 10, 10)] },
    files: [A, B],
    rest: [['b', [1, 0, 5], [0, 5, 5]]],
  },
  {
    name: 'a group had come further than another',
    restored: { 0: [place('a', 0, 10)] },
    files: [A, B],
    rest: [
      ['a', [1, 10, 10], [0, 20, 10]],
      ['b', [1, 0, 5], [0, 5, 5]],
    ],
  },
  {
    name: 'a group ends before what was restored',
    restored: { 0: [place('a', 0, 10), place('a', 20, 10), place('b', 5, 5)] },
    files: [A],
    rest: undefined,
  },
  {
    name: 'a group is gone',
    restored: { 0: [place('a', 0, 10)], 2: [place('a', 90, 10)] },
    files: [A, B],
    rest: undefined,
  },
  {
    name: 'a block within what was restored is gone',
    restored: { 0: [place('a', 0, 10), place('a', 20, 10)] },
    files: [{ ...A, groups: A.groups.slice(1) }, B],
    rest: undefined,
  },
  {
    name: 'files were merged into another',
    restored: { 0: [place('a', 0, 10)] },
    files: [file('c', [0, 0, 10])],
    rest: undefined,
  },
  {
    name: 'a file of that name holds something else',
    restored: { 0: [place('a', 0, 10)] },
    files: [{ ...A, sha256: 'another' }],
    rest: undefined,
  },
  { name: 'a block is longer now', restored: { 0: [place('a', 0, 9)] }, files: [A], rest: undefined },
  { name: 'there are no files', restored: { 0: [place('a', 0, 10)] }, files: [], rest: undefined },
  { name: 'there never was anything', restored: {}, files: [], rest: [] },
]

describe('what is left to restore', () => {
  test.each(CASES)('when $name', ({ restored, files, rest }) => {
    const found = restOf(new Map(Object.entries(restored).map(([group, places]) => [Number(group), places])), files, {
      first: 0,
      endExclusive: 3,
    })
    expect(found?.map(({ file: { path }, blocks }) => [path, ...blocks])).toEqual(rest)
  })
})
