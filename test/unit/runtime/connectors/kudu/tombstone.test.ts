import { expect, test } from 'vitest'
import { builtinConnectors } from '../../../../../runtime/builtin-connectors.ts'
import { validateJob } from '../../../../../runtime/front/job-spec.ts'

function problems(sink: object, schema: object = { id: 'long', gone: 'boolean' }): string[] {
  const validation = validateJob(
    {
      graph: [
        { id: 'in', source: { values: [] }, schema },
        { id: 'out', from: 'in', sink: { kudu: { masters: 'k:7051', table: 't', ...sink } } },
      ],
    },
    builtinConnectors,
  )
  return 'problems' in validation ? validation.problems.map(({ path, message }) => `${path}: ${message}`) : []
}

test.each([
  ['with upserts', { mode: 'upsert', tombstone: 'gone' }, []],
  [
    'with another mode',
    { mode: 'insertIgnore', tombstone: 'gone' },
    ['spec.graph[1].sink.kudu.tombstone: has no meaning with mode: insertIgnore'],
  ],
  ['that is no field', { tombstone: 'deleted' }, ['spec.graph[1].sink.kudu.tombstone: there is no field "deleted"']],
  ['that is no boolean', { tombstone: 'id' }, ['spec.graph[1].sink.kudu.tombstone: "id" is long, and must be boolean']],
])('a tombstone of Kudu %s is judged when the job is read', (_, sink, expected) => {
  expect(problems(sink)).toEqual(expected)
})
