import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MillraceError } from '../../../../runtime/model/errors.ts'
import { readJobFile, readJobFiles } from '../../../../runtime/front/job-file.ts'

const HEAD = 'apiVersion: millrace.dev/v1alpha1\nkind: StreamJob\nmetadata: { name: flights }\n'

function failure(text: string): MillraceError {
  try {
    readJobFile(text)
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('the file was taken')
}

test('a job is found among other resources', () => {
  const [job, another] = readJobFiles(`kind: DruidDatasource\nspec: {}\n---\n${HEAD}spec: { replicas: 3 }\n`)
  expect(job).toMatchObject({ name: 'flights', spec: { replicas: 3 }, problems: [] })
  expect(another).toBeUndefined()
})

test.each([
  ['an empty file', '', 'NO_STREAM_JOB', 1],
  ['another kind', 'kind: Pod', 'NO_STREAM_JOB', 1],
  ['no mapping', '- 1', 'NO_STREAM_JOB', 1],
  ['bad YAML', `${HEAD}spec: [1\n`, 'YAML_SYNTAX', 5],
  ['a key twice', `${HEAD}spec: {}\nspec: {}\n`, 'YAML_SYNTAX', 5],
  ['two jobs', `${HEAD}---\n${HEAD}`, 'SEVERAL_STREAM_JOBS', 1],
  ['a huge file', '#'.repeat((1 << 20) + 1), 'FILE_TOO_LARGE', 1],
  [
    'aliases that blow up',
    `a: &a [1,2,3,4,5,6,7,8,9]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\nkind: StreamJob`,
    'YAML_SYNTAX',
    1,
  ],
])('%s is refused with its place', (_, text, code, line) => {
  expect(failure(text)).toMatchObject({ code, domain: 'user', position: { line } })
})

test.each([
  ['a wrong version', HEAD.replace('v1alpha1', 'v9'), 'API_VERSION', 'apiVersion'],
  ['no name', HEAD.replace('name: flights', ''), 'TYPE_MISMATCH', 'metadata.name'],
  ['a name with capitals', HEAD.replace('flights', 'Flights'), 'ID_INVALID', 'metadata.name'],
  ['an unknown field', `${HEAD}specc: {}`, 'UNKNOWN_FIELD', 'specc'],
])('%s is a problem of the file', (_, text, code, path) => {
  expect(readJobFile(text).problems).toMatchObject([{ code, path }])
})

describe('places', () => {
  const job = readJobFile(`${HEAD}spec:
  graph:
    - id: a
      filter: price > 1
    - id: b
      filter: "price == 1"
      map:
        total: |
          price
            + foo
        "odd name": 1
      unknown: 3
`)
  test.each([
    ['a value', 'ID_INVALID', 'spec.graph[0].id', undefined, 6, 11],
    ['the name of an unknown field', 'UNKNOWN_FIELD', 'spec.graph[1].unknown', undefined, 15, 7],
    ['an expression', 'UNKNOWN_FIELD', 'spec.graph[0].filter', { line: 1, column: 9 }, 7, 23],
    ['a quoted expression', 'UNKNOWN_FIELD', 'spec.graph[1].filter', { line: 1, column: 7 }, 9, 22],
    ['the second line of a block', 'UNKNOWN_FIELD', 'spec.graph[1].map.total', { line: 2, column: 5 }, 13, 15],
    ['a quoted name', 'FIELD_NAME_INVALID', 'spec.graph[1].map["odd name"]', undefined, 14, 9],
    ['a whole entry', 'VERB_MISSING', 'spec.graph[1]', undefined, 8, 7],
    ['what is not there', 'INPUT_MISSING', 'spec.graph[0].from', undefined, 6, 7],
  ])('%s is found', (_, code, path, position, line, column) => {
    expect(job.locate({ code, path, ...(position === undefined ? {} : { position }) })).toEqual({ line, column })
  })
})

test('whatever the text, there is a job or a coded error', () => {
  const pieces = fc.constantFrom(
    'kind: StreamJob',
    'spec:',
    '- ',
    ': ',
    '\n',
    '  ',
    '&a',
    '*a',
    '---',
    '...',
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '|',
    '>',
    '!!js/function',
    '%TAG',
    '?',
    '#',
    '<<',
    'x',
    '\t',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(pieces).map((some) => some.join('')),
      ),
      (text) => {
        try {
          readJobFile(text)
        } catch (error) {
          expect(error).toMatchObject({ name: 'MillraceError', domain: 'user' })
        }
      },
    ),
    { numRuns: 2000 },
  )
})

test.each(['map: { a: tags[0] }', "map: { a: f(b, 'c'), d: 1 }"])(
  'when %s lacks the quotes YAML wants, the hint says so',
  (text) => {
    expect(() => readJobFiles(`${HEAD}spec: { graph: [{ id: a, ${text} }] }\n`)).toThrow(
      expect.objectContaining({ code: 'YAML_SYNTAX', hint: expect.stringContaining('put quotes around') }),
    )
  },
)
