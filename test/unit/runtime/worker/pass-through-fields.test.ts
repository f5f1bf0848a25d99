import { describe, expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { planJob } from '../../../../runtime/front/planned-job.ts'
import { passThroughFields } from '../../../../runtime/worker/pass-through-fields.ts'

const KAFKA = { brokers: 'k:9092', format: 'json' }

function passed(
  steps: object[],
  takes?: string[],
  eventTime?: object,
): { source: string[]; sink: string[] } | undefined {
  const graph = [
    {
      id: 'in',
      source: { kafka: { ...KAFKA, topic: 'in' } },
      schema: { n: 'long', a: 'string', b: 'string?', c: 'string', d: 'double', t: 'timestamp' },
      ...(eventTime === undefined ? {} : { eventTime }),
    },
    ...steps,
    { id: 'out', from: 'last', sink: { kafka: { ...KAFKA, topic: 'out' } } },
  ]
  const { plan } = planJob({ graph }, builtinConnectors)
  const operators = plan.chains[0]?.operators ?? []
  const fields = passThroughFields(operators, new Set(takes ?? operators.at(-1)?.schema.fields.map(({ name }) => name)))
  return (
    fields && {
      source: [...fields.source].sort(),
      sink: [...fields.sink].map(([name, source]) => (name === source ? name : `${name} of ${source}`)).sort(),
    }
  )
}

describe('fields that nothing reads', () => {
  test.each([
    [
      'all that are handed on but doubles, which have more than one form',
      [{ id: 'last', from: 'in', set: { n: 'n + 1' } }],
      { source: ['a', 'b', 'c', 't'], sink: ['a', 'b', 'c', 't'] },
    ],
    [
      'not those of a condition',
      [{ id: 'last', from: 'in', filter: "a === 'x'" }],
      { source: ['b', 'c', 'n', 't'], sink: ['b', 'c', 'n', 't'] },
    ],
    [
      'also those that go nowhere',
      [{ id: 'last', from: 'in', map: { n: 'n' } }],
      { source: ['a', 'b', 'c', 'd', 'n', 't'], sink: ['n'] },
    ],
    [
      'under new names',
      [
        { id: 'one', from: 'in', map: { x: 'a', a: 'b', n: 'n', d: 'd' } },
        { id: 'last', from: 'one', map: { y: 'x', z: "a ?? ''", m: 'n' } },
      ],
      { source: ['a', 'c', 'n', 't'], sink: ['m of n', 'y of a'] },
    ],
    [
      'not those of a computed field behind a rename',
      [
        { id: 'one', from: 'in', map: { x: 'a', c: 'c' } },
        { id: 'last', from: 'one', map: { x: 'x', length: 'x.length' } },
      ],
      { source: ['b', 'c', 'd', 'n', 't'], sink: [] },
    ],
  ])('are %s', (_, steps, expected) => {
    expect(passed(steps)).toEqual(expected)
  })

  test('those the sink looks at are none', () => {
    expect(passed([{ id: 'last', from: 'in', map: { a: 'a', x: 'b' } }], ['a'])).toEqual({
      source: ['a', 'c', 'd', 'n', 't'],
      sink: ['a'],
    })
  })

  test('the time of an event is read', () => {
    expect(passed([{ id: 'last', from: 'in', map: { a: 'a' } }], undefined, { field: 't' })?.source).toEqual([
      'a',
      'b',
      'c',
      'd',
      'n',
    ])
  })
})
