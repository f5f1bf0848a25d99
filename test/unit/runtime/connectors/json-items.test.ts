import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonItems } from '../../../../runtime/connectors/kit/json-items.ts'

function textsAt(text: string, path: readonly string[]): string[] {
  const bytes = Buffer.from(text)
  const { starts, ends } = jsonItems(bytes, path)
  return starts.map((start, index) => bytes.toString('utf8', start, ends[index]))
}

describe('the items of a JSON text', () => {
  test.each([
    ['[1, "a]" , {"b": [2]}]', [], ['1', '"a]"', '{"b": [2]}']],
    [' { "a" : { "b" : [ {"c":1} , 2 ] , "d": [3] } } ', ['a', 'b'], ['{"c":1}', '2']],
    ['[{"events":[1]},{"columns":["x"],"events":[2,3]}]', ['*', 'events'], ['1', '2', '3']],
    ['{"\\u0061":[1]}', ['a'], ['1']],
    ['{"a":{"b":[1]},"b":[2]}', ['b'], ['2']],
    ['{"a":5}', ['a'], []],
    ['[]', [], []],
  ])('of %s at %j are %j', (text, path, items) => {
    expect(textsAt(text, path)).toEqual(items)
  })

  test('are those that JSON.parse finds, whatever stands around them', () => {
    const value = fc.jsonValue({ maxDepth: 4 })
    fc.assert(
      fc.property(fc.array(value), value, value, fc.constantFrom(undefined, 1), (items, before, after, indent) => {
        const text = JSON.stringify({ before, data: { more: after, rows: items }, rows: [after] }, null, indent)
        expect(textsAt(text, ['data', 'rows']).map((item) => JSON.parse(item) as unknown)).toEqual(
          JSON.parse(JSON.stringify(items)),
        )
      }),
    )
  })

  test('that is nested without end are refused', () => {
    expect(() => jsonItems(Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`), [])).toThrow(
      expect.objectContaining({ code: 'ANSWER_NESTED' }),
    )
  })

  test('of any bytes are found or refused, and the search ends', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('[', ']', '{', '}', '"', ',', ':', '1', ' ', '\\') }), (text) => {
        try {
          jsonItems(Buffer.from(text), [])
        } catch (error) {
          expect(error).toMatchObject({ name: 'MillraceError', code: 'ANSWER_CUT' })
        }
      }),
      { numRuns: 3000 },
    )
  })

  test.each(['[1, 2', '{"a": [1', '["a', '{"a"', ''])('of %j, which ends too early, are refused', (text) => {
    expect(() => jsonItems(Buffer.from(text), [])).toThrow(expect.objectContaining({ code: 'ANSWER_CUT' }))
  })
})
