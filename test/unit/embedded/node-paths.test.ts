import { describe, expect, test } from 'vitest'
import { expandVariables } from '../../../embedded/node/pod-environment.ts'
import { mapPaths } from '../../../embedded/node/pod-volumes.ts'

describe('what stands in for mounts', () => {
  const mapping = [
    { mountPath: '/data/deep', localPath: '/tmp/deep' },
    { mountPath: '/data', localPath: '/tmp/flat' },
  ]

  test.each([
    ['/data', '/tmp/flat'],
    ['/data/x', '/tmp/flat/x'],
    ['--dir=/data/deep/x', '--dir=/tmp/deep/x'],
    ['file:///data/x', 'file:///tmp/flat/x'],
    ['/database', '/database'],
    ['/other/data', '/other/data'],
    ['s3://bucket/data', 's3://bucket/data'],
    ['/data:/data/deep', '/tmp/flat:/tmp/deep'],
  ])('%s becomes %s', (text, expected) => {
    expect(mapPaths(text, mapping)).toBe(expected)
  })

  test('variables are expanded, unknown and escaped ones are not', () => {
    expect(expandVariables('$(A)-$(B)-$$(A)-$A', { A: '1' })).toBe('1-$(B)-$(A)-$A')
  })
})
