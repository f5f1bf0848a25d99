import type { Entry } from './entry.ts'
import { aspect } from './kit/aspects.ts'
import { readConnector, reportOptions } from './kit/connector-choice.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import { join, type Problems } from '../problems.ts'
import type { Stream, Surroundings } from '../stream.ts'

export interface SinkVerb {
  kind: 'sink'
  connector: string
  /** As written under the connector's name; the declaration of the connector checks them. */
  options: Readonly<Record<string, unknown>>
}

export const sinkVerb: VerbDefinition<SinkVerb> = {
  word: 'sink',
  entry: {
    forms: { sink: { fields: ['sink'], takes: [] } },
    inputs: 'one stream',
    read: readSink,
    checkForm: (entry, around, problems) => {
      readSink(entry, { time: { kind: 'unknown' } }, around, problems)
    },
  },
  reads: () => 'all',
  distributes: () => [],
  changes: () => ({ makes: { kind: 'asInput' }, addsUp: undefined }),
  keeps: () => 'nothing',
  aspects: ({ verb }) => [aspect('sink', [verb.connector, verb.options], 'binds no state')],
  stage: undefined,
  spills: false,
  dependsOnArrival: false,
  refusesRows: false,
  functions: () => [],
  service: () => undefined,
  describe: ({ verb }) => `sink ${verb.connector}`,
}

function readSink(entry: Entry, input: Stream, { connectors }: Surroundings, problems: Problems): ReadOperator {
  const choice = readConnector(entry.fields['sink'], join(entry.path, 'sink'), connectors.sinks, 'sink', problems)
  const declared = choice === undefined ? undefined : connectors.sinks[choice.name]
  if (choice === undefined || !reportOptions(declared?.options.check(choice.options) ?? [], choice.path, problems))
    return { stream: input }
  if (input.schema !== undefined)
    reportOptions(declared?.checkSchema?.(choice.options, input.schema) ?? [], choice.path, problems)
  const slots = declared?.slots?.(choice.options)
  return {
    stream: input,
    verb: { kind: 'sink', connector: choice.name, options: choice.options },
    ...(slots === undefined ? {} : { slots }),
  }
}
