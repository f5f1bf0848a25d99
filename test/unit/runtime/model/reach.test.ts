import { describe, expect, test } from 'vitest'
import { decodeReach, encodeReach, folderOfGlob, isReached, type Reach } from '../../../../runtime/model/reach.ts'

const REACH: Reach = {
  files: ['/data', '/data/secrets/notes', '/checkpoints/shop/counts/u-1'],
  secrets: ['/data/secrets', '/secrets/kafka'],
  addresses: [],
}

describe('the reach of a job', () => {
  test.each([
    ['/data', true],
    ['/data/in/a.jsonl', true],
    ['/database', false],
    ['/', false],
    ['/proc/self/environ', false],
    ['/checkpoints/shop/counts/u-1/log/1', true],
    ['/checkpoints/shop/counts/u-10', false],
    ['/checkpoints/shop/other/u-2', false],
    ['/data/secrets/password', false],
    ['/data/secrets/notes/a', true],
  ])('when a file is opened at %s, answers %s: the innermost folder decides', (path, expected) => {
    expect(isReached(REACH, 'file', path)).toBe(expected)
  })

  test.each([
    ['/secrets/kafka/password', true],
    ['/data/secrets/password', true],
    ['/data/secrets/notes/a', false],
    ['/data/password', false],
    ['/proc/self/environ', false],
  ])('when a secret is read at %s, answers %s', (path, expected) => {
    expect(isReached(REACH, 'secret', path)).toBe(expected)
  })

  test('when the root is allowed, allows every file, and still no Secret as a file', () => {
    const open = { ...REACH, files: ['/'] }
    expect(isReached(open, 'file', '/proc/self/environ')).toBe(true)
    expect(isReached(open, 'file', '/secrets/kafka/password')).toBe(false)
  })

  test.each([
    ['/data/in/*.jsonl', '/data/in'],
    ['/data/**/{a,b}.json', '/data'],
    ['/data/../etc/*', '/etc'],
    ['/data/a.jsonl', '/data/a.jsonl'],
    ['/*', '/'],
    ['/data/*/../../etc/*', undefined],
    ['in/../../etc/*', '../etc'],
    ['*', '.'],
  ])('when a glob is %s, all that it matches is in %s', (pattern, folder) => {
    expect(folderOfGlob(pattern)).toBe(folder)
  })

  test('when it is decoded, is what was encoded, and anything else stops the process', () => {
    expect(decodeReach(encodeReach(REACH))).toEqual(REACH)
    for (const text of [
      '',
      '{',
      'null',
      '[]',
      '{"files":["/"],"secrets":[]}',
      '{"files":[1],"secrets":[],"addresses":[]}',
    ])
      expect(() => decodeReach(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })
})
