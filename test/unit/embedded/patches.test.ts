import { describe, expect, test } from 'vitest'
import { builtinSchema } from '../../../embedded/builtin-schemas.ts'
import { applyJsonPatch, applyMergePatch } from '../../../embedded/json-patch.ts'
import { applyStrategicMergePatch } from '../../../embedded/strategic-merge-patch.ts'

describe('merge patch', () => {
  test('a null removes a member, an object merges, a list replaces', () => {
    expect(applyMergePatch({ a: 1, b: { c: 1, d: 2 }, e: [1, 2] }, { a: null, b: { c: 3 }, e: [9] })).toEqual({
      b: { c: 3, d: 2 },
      e: [9],
    })
  })
})

describe('JSON patch', () => {
  test('all six operations do what RFC 6902 says', () => {
    expect(
      applyJsonPatch({ a: [1, 2], b: { 'x/y': 1 } }, [
        { op: 'test', path: '/a/0', value: 1 },
        { op: 'add', path: '/a/-', value: 3 },
        { op: 'add', path: '/a/0', value: 0 },
        { op: 'remove', path: '/a/1' },
        { op: 'replace', path: '/b/x~1y', value: 2 },
        { op: 'copy', from: '/b', path: '/c' },
        { op: 'move', from: '/a', path: '/d' },
      ]),
    ).toEqual({ b: { 'x/y': 2 }, c: { 'x/y': 2 }, d: [0, 2, 3] })
  })

  test('a failing test or a missing path is refused and the target stays as it was', () => {
    const target = { a: 1 }
    expect(() =>
      applyJsonPatch(target, [
        { op: 'replace', path: '/a', value: 2 },
        { op: 'test', path: '/a', value: 1 },
      ]),
    ).toThrow(/testing path \/a failed/)
    expect(() => applyJsonPatch(target, [{ op: 'remove', path: '/b' }])).toThrow(/does not exist/)
    expect(target).toEqual({ a: 1 })
  })
})

describe('strategic merge patch', () => {
  const pod = {
    spec: {
      containers: [
        { name: 'a', image: 'x', env: [{ name: 'K', value: '1' }] },
        { name: 'b', image: 'y' },
      ],
    },
  }

  test('containers and their variables are merged by name', () => {
    const patch = { spec: { containers: [{ name: 'a', image: 'z', env: [{ name: 'L', value: '2' }] }] } }
    expect(applyStrategicMergePatch(pod, patch, builtinSchema('V1Pod'))).toEqual({
      spec: {
        containers: [
          {
            name: 'a',
            image: 'z',
            env: [
              { name: 'K', value: '1' },
              { name: 'L', value: '2' },
            ],
          },
          { name: 'b', image: 'y' },
        ],
      },
    })
  })

  test('$patch: delete removes an item and $setElementOrder puts the rest in order', () => {
    const patch = {
      spec: {
        '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }],
        containers: [
          { name: 'a', $patch: 'delete' },
          { name: 'c', image: 'n' },
        ],
      },
    }
    expect(applyStrategicMergePatch(pod, patch, builtinSchema('V1Pod'))).toEqual({
      spec: {
        containers: [
          { name: 'c', image: 'n' },
          { name: 'b', image: 'y' },
        ],
      },
    })
  })
})
