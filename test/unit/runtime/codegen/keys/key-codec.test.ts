import { describe, expect, test } from 'vitest'
import { compileKeyCodec } from '../../../../../runtime/codegen/keys/key-codec.ts'
import type { Field } from '../../../../../runtime/model/schema.ts'

const field = (name: string, type: Field['type'], nullable = false): Field => ({ name, type, nullable })

describe('the key codec', () => {
  test('of one number or text that is never null gives the value itself', () => {
    expect(compileKeyCodec([field('a', 'long')]).of({ a: 7 })).toBe(7)
    expect(compileKeyCodec([field('a', 'string')]).of({ a: '7' })).toBe('7')
  })

  test('counts -0 as 0', () => {
    expect(Object.is(compileKeyCodec([field('a', 'double')]).of({ a: -0 }), 0)).toBe(true)
    const pair = compileKeyCodec([field('a', 'double'), field('b', 'long')])
    expect(pair.of({ a: -0, b: 1 })).toBe(pair.of({ a: 0, b: 1 }))
  })

  test('tells every two different keys apart and gives their values back', () => {
    const fields = [
      field('s', 'string', true),
      field('n', 'double', true),
      field('b', 'boolean', true),
      field('t', 'timestamp'),
      field('u', 'string'),
    ]
    const codec = compileKeyCodec(fields)
    const seen = new Map<unknown, string>()
    const texts = ['', '~', ':', ';', '1:', '0:', 't', 'ü', '\ud800', '12:34;~t', 'a'.repeat(70_000)]
    for (const s of [null, ...texts])
      for (const n of [null, 0, -1.5, 1e300, 0.1, 2 ** 53])
        for (const b of [null, true, false])
          for (const u of texts) {
            const values = [s, n, b, 1_700_000_000_000, u]
            const key = codec.of({ s, n, b, t: 1_700_000_000_000, u })
            expect(codec.values(key)).toEqual(values)
            expect(seen.get(key)).toBeUndefined()
            seen.set(key, 'taken')
          }
  })

  test('of one nullable field tells null from every value', () => {
    for (const type of ['string', 'long', 'boolean'] as const) {
      const codec = compileKeyCodec([field('a', type, true)])
      const value = { string: '~', long: 0, boolean: false }[type]
      expect(codec.of({ a: null })).not.toBe(codec.of({ a: value }))
      expect(codec.values(codec.of({ a: null }))).toEqual([null])
      expect(codec.values(codec.of({ a: value }))).toEqual([value])
    }
  })

  test('refuses json and a text that is not a key', () => {
    expect(() => compileKeyCodec([field('a', 'json')])).toThrow(
      expect.objectContaining({ code: 'KEY_TYPE_UNSUPPORTED' }),
    )
    expect(() => compileKeyCodec([])).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }))
    expect(() => compileKeyCodec([field('a', 'long'), field('b', 'long')]).values('1')).toThrow(
      expect.objectContaining({ code: 'STATE_CORRUPT' }),
    )
  })
})
