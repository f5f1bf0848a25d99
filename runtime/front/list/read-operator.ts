import type { ErrorPolicy } from '../../graph/verbs/kit/error-policy.ts'
import type { Entry } from '../../graph/verbs/entry.ts'
import type { EntryReader, ReadOperator } from '../../graph/verbs/verb.ts'
import type { OperatorNode } from '../../graph/job-graph.ts'
import { join, type Problems } from '../../graph/problems.ts'
import { type Input, type Stream, type Surroundings, UNKNOWN_STREAM } from '../../graph/stream.ts'
import { describeType } from '../../expressions/typing.ts'
import type { Schema } from '../../model/schema.ts'

/** Reads one entry against the streams of its inputs. */
export function readOperator(
  entry: Entry,
  reader: EntryReader,
  inputs: readonly Stream[],
  around: Surroundings,
  problems: Problems,
): ReadOperator {
  if (reader.inputs === 'none') return reader.read(entry, around, problems)
  if (reader.inputs === 'apart') {
    const known = inputs.filter(isKnown)
    if (known.length === inputs.length) return reader.read(entry, known, around, problems)
  } else {
    const input = union(entry, inputs, problems)
    if (isKnown(input)) return reader.read(entry, input, around, problems)
  }
  reader.checkForm(entry, around, problems)
  return { stream: UNKNOWN_STREAM }
}

function isKnown(stream: Stream): stream is Input {
  return stream.schema !== undefined
}

/** Several inputs are one stream when their schemas are the same, field by field. */
function union(entry: Entry, inputs: readonly Stream[], problems: Problems): Stream {
  const [first, ...others] = inputs
  if (first?.schema === undefined || others.some((other) => other.schema === undefined)) return UNKNOWN_STREAM
  let { time } = first
  for (const [index, other] of others.entries()) {
    if (schemaText(other.schema) !== schemaText(first.schema)) {
      problems.report(
        'SCHEMA_MISMATCH',
        join(join(entry.path, 'from'), index + 1),
        `"${entry.from[index + 1] ?? ''}" gives {${schemaText(other.schema)}}, "${entry.from[0] ?? ''}" gives {${schemaText(first.schema)}}`,
        'inputs of one operator need the same fields in the same order: bring them there with map',
      )
      return UNKNOWN_STREAM
    }
    if (time.kind === 'field' && other.time.kind !== 'unknown' && JSON.stringify(other.time) !== JSON.stringify(time)) {
      time =
        other.time.kind === 'none'
          ? other.time
          : {
              kind: 'none',
              why: `its inputs carry event time in different fields, "${time.field}" and "${other.time.field}"`,
            }
    }
  }
  return { schema: first.schema, time }
}

function schemaText(schema: Schema | undefined): string {
  return schema?.fields.map((field) => `${field.name}: ${describeType(field)}`).join(', ') ?? ''
}

/** The node of an entry; undefined when something was wrong with it, which has been reported. */
export function nodeOf(
  entry: Entry,
  read: ReadOperator,
  { replicas, onError }: { replicas: number | undefined; onError: ErrorPolicy | undefined },
): OperatorNode | undefined {
  const { verb, stream, keyBy, distribution } = read
  if (verb === undefined || stream.schema === undefined) return undefined
  return {
    id: entry.id,
    from: entry.from,
    schema: stream.schema,
    verb,
    ...(onError === undefined ? {} : { onError }),
    ...(replicas === undefined ? {} : { parallelism: replicas }),
    ...(keyBy === undefined ? {} : { keyBy }),
    ...(distribution === undefined ? {} : { distribution }),
    ...sideOutputsOf(read),
  }
}

function sideOutputsOf({ sideOutputs = {} }: ReadOperator): Pick<OperatorNode, 'sideOutputs'> {
  const known = Object.entries(sideOutputs).flatMap(([name, { schema }]) =>
    schema === undefined ? [] : [[name, schema] as const],
  )
  return known.length === 0 ? {} : { sideOutputs: Object.fromEntries(known) }
}
