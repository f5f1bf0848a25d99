import { expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { validateJob } from '../../../../runtime/front/job-spec.ts'
import { MOST_PROBLEMS, type Problem } from '../../../../runtime/graph/problems.ts'

/** As many as fit into an object of an API server. */
const MANY = 40_000
const mapping = (name: (index: number) => string, value: (index: number) => unknown, count = MANY): object =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [name(index), value(index)]))
const source = (more: object = {}): object => ({
  id: 'a',
  source: { file: { path: 'x', format: 'json' } },
  schema: { v: 'long', s: 'string' },
  ...more,
})
const graph = (...entries: object[]): object => ({
  graph: [source(), ...entries, { id: 'z', from: 'b', sink: { file: { path: 'out' } } }],
})

const SPECS: readonly [what: string, spec: object][] = [
  [
    'unknown fields of the spec',
    mapping(
      (index) => `field${index}`,
      () => 1,
    ),
  ],
  [
    'unknown fields of an entry',
    {
      graph: [
        source(
          mapping(
            (index) => `field${index}`,
            () => 1,
          ),
        ),
      ],
    },
  ],
  [
    'unknown options',
    {
      graph: [
        source({
          source: {
            file: mapping(
              (index) => `option${index}`,
              () => 1,
            ),
          },
        }),
      ],
    },
  ],
  [
    'fields of a schema',
    {
      graph: [
        source({
          schema: mapping(
            (index) => `f${index}`,
            () => 'long',
          ),
        }),
      ],
    },
  ],
  [
    'fields of a type that is none',
    {
      graph: [
        source({
          schema: mapping(
            (index) => `f${index}`,
            () => 'lung',
            200,
          ),
        }),
      ],
    },
  ],
  [
    'computed fields',
    graph({
      id: 'b',
      from: 'a',
      map: mapping(
        (index) => `f${index}`,
        () => 'v + 1',
      ),
    }),
  ],
  [
    'unknown names',
    graph({
      id: 'b',
      from: 'a',
      map: mapping(
        (index) => `f${index}`,
        (index) => `w${index}`,
        200,
      ),
    }),
  ],
  ['keys', graph({ id: 'b', from: 'a', keyBy: Array.from({ length: MANY }, (_, index) => `k${index}`) })],
  ['inputs', graph({ id: 'b', from: Array.from({ length: MANY }, (_, index) => `k${index}`), union: {} })],
  [
    'side outputs',
    graph({
      id: 'b',
      from: 'a',
      sideOutput: mapping(
        (index) => `o${index}`,
        () => 'v > 1',
      ),
    }),
  ],
  [
    'modules',
    {
      modules: mapping(
        (index) => `m${index}`,
        () => ({}),
      ),
      ...graph(),
    },
  ],
]

/** Each mistake costs time to word, so that their number bounds what one object takes from all others. */
test.each(SPECS)(
  'a spec with a great many %s is refused with at most fifty mistakes and a word on the rest',
  (_, spec) => {
    const validation = validateJob(spec, builtinConnectors)
    const problems: readonly Problem[] = 'problems' in validation ? validation.problems : []
    expect(problems.length).toBeGreaterThan(0)
    expect(problems.length).toBeLessThanOrEqual(MOST_PROBLEMS + 1)
    if (problems.length > MOST_PROBLEMS) expect(problems.at(-1)?.code).toBe('TOO_MANY_PROBLEMS')
  },
)

const problemsOf = (spec: object): readonly Problem[] => {
  const validation = validateJob(spec, builtinConnectors)
  return 'problems' in validation ? validation.problems : []
}

test.each([
  ['a field', { schema: { v: wideRow() } }, 'spec.graph[0].schema.v'],
  ['a field within a list', { schema: { v: `array<${wideRow()}>` } }, 'spec.graph[0].schema.v'],
])('a spec with a type of a great many characters for %s is refused without reading it', (_, more, path) => {
  expect(problemsOf({ graph: [source(more)] })).toContainEqual(
    expect.objectContaining({ code: 'TOO_LARGE', path, message: expect.stringContaining('characters') as unknown }),
  )
})

/** 240 expressions of about 2500 characters. */
const manyExpressions = (expression: (sum: string) => string = (sum) => sum): object =>
  mapping(
    (index) => `m${index}`,
    () => expression(Array.from({ length: 180 }, () => 'v * 1.000001').join(' + ')),
    240,
  )

test.each([
  ['set', { id: 'b', from: 'a', set: manyExpressions() }],
  ['map', { id: 'b', from: 'a', map: manyExpressions() }],
  [
    'aggregate',
    { id: 'b', from: 'a', keyBy: 's', window: { tumble: '1m' }, aggregate: manyExpressions((sum) => `max(${sum})`) },
  ],
])('a %s with far more expressions than anybody writes is refused once, without reading the rest', (verb, operator) => {
  const problems = problemsOf({ graph: [source(), operator] })
  const [first, ...others] = problems.filter(({ message }) => message.includes('131072 characters together'))
  expect(first).toMatchObject({
    code: 'TOO_LARGE',
    path: expect.stringMatching(`graph\\[1\\].${verb}.m\\d+$`) as unknown,
  })
  expect(others).toEqual([])
})

/** Of 10 000 fields. */
function wideRow(): string {
  return `row{${Array.from({ length: 10_000 }, (_, index) => `a${index}: long`).join(', ')}}`
}

/** Words that the check for secrets has to look at closely. */
const LONG_TEXT = 'a-'.repeat(600_000)

test.each([
  ['an option', { source: { kafka: { brokers: 'k:9092', topic: 't', isolation: LONG_TEXT } } }],
  ['a list of an option', { source: { druid: { url: 'http://d', datasource: 'd', to: [LONG_TEXT] } } }],
  ['a field of the entry', { onError: LONG_TEXT }],
])('a spec with a long text in place of %s is refused with the beginning of it', (_, more) => {
  const messages = problemsOf({ graph: [source(more)] }).map(({ message }) => message)
  expect(messages.filter((message) => message.includes('a-a-a-'))).not.toEqual([])
  for (const message of messages) expect(message.length).toBeLessThan(2000)
})
