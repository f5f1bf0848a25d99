import { validateJob } from '../../../../../runtime/front/job-spec.ts'
import { describeType } from '../../../../../runtime/expressions/typing.ts'
import { CHECKS } from '../../plan/sample-job.ts'

/** The job around one entry `op`: a source `in` with these fields, modules `user`, a sink behind it. */
function around(entry: object): object {
  return {
    modules: { user: { path: './user.ts' } },
    graph: [
      {
        id: 'in',
        source: { kafka: { topic: 't' } },
        schema: { id: 'long', name: 'string?', price: 'double', at: 'timestamp', tags: 'json?' },
        eventTime: { field: 'at' },
      },
      { id: 'op', from: 'in', ...entry },
      { id: 'out', from: 'op', sink: 'console' },
    ],
  }
}

/** `CODE path-behind-the-entry message; hint` of everything wrong with an entry. */
export function entryProblems(entry: object): string[] {
  return specProblems(around(entry))
}

export function specProblems(spec: object): string[] {
  const validation = validateJob(spec, CHECKS)
  if (!('problems' in validation)) return []
  return validation.problems.map(
    ({ code, path, message, hint }) =>
      `${code} ${path.replace('spec.graph[1].', '')}: ${message}${hint === undefined ? '' : `; ${hint}`}`,
  )
}

/** The fields that come out, `name: type`, and where event time is. Throws when something is wrong. */
export function entryOutput(entry: object): string[] {
  const validation = validateJob(around(entry), CHECKS)
  if (!('graph' in validation)) throw new Error(entryProblems(entry).join('\n'))
  const fields = validation.graph.operators.find(({ id }) => id === 'op')?.schema.fields ?? []
  return fields.map((field) => `${field.name}: ${describeType(field)}`)
}

/** Whether a window behind the entry finds event time. */
export function hasEventTime(entry: object, key = 'id'): boolean {
  const spec = around(entry) as { graph: object[] }
  const window = { id: 'w', from: 'op', keyBy: key, window: { tumble: '1s' }, aggregate: { n: 'count()' } }
  return !(
    'problems' in
    validateJob({ ...spec, graph: [...spec.graph, window, { id: 'out-w', from: 'w', sink: 'console' }] }, CHECKS)
  )
}
