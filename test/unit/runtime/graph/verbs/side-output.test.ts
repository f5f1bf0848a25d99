import { describe, expect, test } from 'vitest'
import { entryOutput, entryProblems, specProblems } from './entry-problems.ts'

describe('sideOutput', () => {
  test('rows keep their fields', () => {
    expect(
      entryOutput({ sideOutput: { big: 'price > 10', late: { module: 'user', function: 'isLate' } } }),
    ).toHaveLength(5)
  })

  test('an output nobody declared cannot be read', () => {
    const spec = (side: string) => ({
      graph: [
        { id: 'in', source: { kafka: { topic: 't' } }, schema: { price: 'double' } },
        { id: 'op', from: 'in', sideOutput: { big: 'price > 10' } },
        { id: 'out', from: 'op', sink: 'console' },
        { id: 'side', from: side, sink: 'console' },
      ],
    })
    expect(specProblems(spec('op.big'))).toEqual([])
    expect(specProblems(spec('op.bgi'))).toEqual([
      'UNKNOWN_INPUT spec.graph[3].from: "op" has no side output "bgi"; did you mean "op.big"?',
    ])
  })

  test.each([
    [{}, 'TOO_LARGE sideOutput: has 0 outputs, 1 to 32 are taken'],
    [
      { 'a.b': 'price > 1' },
      'ID_INVALID sideOutput["a.b"]: "a.b" cannot be the name of an output; at most 64 letters, digits, - and _, a letter first',
    ],
    [
      { big: 'price' },
      'EXPRESSION_TYPE sideOutput.big: a condition must be boolean, this is double; compare it with something, e.g. `… > 0` or `… !== null`',
    ],
    [{ big: 'prcie > 1' }, 'UNKNOWN_FIELD sideOutput.big: there is no field "prcie"; did you mean "price"?'],
    [
      { big: { module: 'usr', function: 'f' } },
      'UNKNOWN_MODULE sideOutput.big.module: there is no module "usr"; did you mean "user"?',
    ],
  ])('%j is refused', (sideOutput, problem) => {
    expect(entryProblems({ sideOutput })).toEqual([problem])
  })
})
