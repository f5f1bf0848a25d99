import { describe, expect, test } from 'vitest'
import { validateJob } from '../../../../../runtime/front/job-spec.ts'
import { anyConnectors } from '../../../../harness/any-connectors.ts'
import { entryOutput, entryProblems, specProblems } from './entry-problems.ts'

describe('sideOutput', () => {
  test('rows keep their fields', () => {
    expect(
      entryOutput({ sideOutput: [{ big: 'price > 10' }, { late: { module: 'user', function: 'isLate' } }] }),
    ).toHaveLength(5)
  })

  const withSides = (sideOutput: unknown): object => ({
    graph: [
      { id: 'in', source: { kafka: { topic: 't' } }, schema: { price: 'double' } },
      { id: 'op', from: 'in', sideOutput },
      { id: 'out', from: 'op', sink: 'console' },
    ],
  })
  /** The outputs in the order in which they are tried. */
  const outputsOf = (sideOutput: unknown): string[] => {
    const validation = validateJob(withSides(sideOutput), anyConnectors('kafka', 'console'))
    if ('problems' in validation) throw new Error(JSON.stringify(validation.problems))
    const verb = validation.graph.operators[1]?.verb
    return verb?.kind === 'sideOutput' ? verb.outputs.map(({ name }) => name) : []
  }

  test('a list is tried in its order', () => {
    expect(outputsOf([{ small: 'price < 1' }, { big: 'price < 10' }])).toEqual(['small', 'big'])
  })

  test('a mapping of one condition is read as a list of one', () => {
    expect(outputsOf({ small: 'price < 1' })).toEqual(['small'])
  })

  test.each([
    [
      { small: 'price < 1', big: 'price < 10' },
      'ORDER_LOST sideOutput: depends on the order of its members, which an API server does not keep: it sorts them by name; write a list: [{ small: … }, { big: … }]',
    ],
    [['price > 1'], 'TYPE_MISMATCH sideOutput[0]: must be a mapping, not "price > 1"'],
    [
      [{ a: 'price > 1', b: 'price > 2' }],
      'TYPE_MISMATCH sideOutput[0]: must be a mapping with one member; write { name: condition }',
    ],
    [
      [{ a: 'price > 1' }, { a: 'price > 2' }],
      'DUPLICATE_ID sideOutput[1]: "a" is taken by spec.graph[1].sideOutput[0].a',
    ],
  ])('%j is refused', (sideOutput, problem) => {
    expect(specProblems(withSides(sideOutput))[0]).toBe(problem)
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
