import { aspect } from './kit/aspects.ts'
import { keptText, namesText } from './kit/descriptions.ts'
import { readExpressionText } from './kit/expression-text.ts'
import type { Entry } from './entry.ts'
import { readKeys } from './kit/key-fields.ts'
import { join, type Problems } from '../problems.ts'
import type { Input, Surroundings } from '../stream.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import { readTtl } from './kit/durations.ts'
import type { Expression } from '../../expressions/ast.ts'
import { parseExpression } from '../../expressions/parse.ts'
import { suggestion } from '../../expressions/suggest.ts'
import { describeType } from '../../expressions/typing.ts'
import { type Field, fieldOf } from '../../model/schema.ts'

export interface ReduceVerb {
  kind: 'reduce'
  /** Every field of the row, computed from the rows `previous` (what came out last for the key) and `current`. */
  fields: readonly { field: Field; value: Expression }[]
  /** Processing time since the last row of a key, after which it is as if it had never been. */
  ttlMs?: number
}

export const reduceVerb: VerbDefinition<ReduceVerb> = {
  word: 'reduce',
  entry: {
    forms: { reduce: { fields: ['keyBy', 'reduce', 'ttl'], takes: ['keyBy'] } },
    inputs: 'one stream',
    read: readReduce,
    checkForm: () => undefined,
  },
  reads: () => 'all',
  distributes: () => [],
  changes: () => ({ makes: { kind: 'upsert', why: 'puts out a key again with each row' }, addsUp: undefined }),
  keeps: ({ schema }) => ({ fields: schema.fields, tables: {} }),
  aspects: ({ verb, keyBy }) => [
    aspect('keyBy', keyBy, 'binds state'),
    aspect(
      'reduce',
      verb.fields.map(({ field, value }) => [field.name, value]),
      'binds no state',
    ),
    aspect('ttl', verb.ttlMs, 'binds no state'),
  ],
  stage: 'reduce',
  spills: true,
  dependsOnArrival: true,
  refusesRows: true,
  functions: () => [],
  service: () => undefined,
  describe: ({ verb, keyBy }) =>
    `reduce ${namesText(verb.fields.map(({ field }) => field.name))} by ${namesText(keyBy)}${keptText(verb)}`,
}

/** `keyBy` + `reduce`: a row of the input's fields for each row; those that are not named are the current row's. */
function readReduce(entry: Entry, input: Input, _around: Surroundings, problems: Problems): ReadOperator {
  const path = join(entry.path, 'reduce')
  const keyBy = readKeys(entry, input.schema, problems)
  const ttlMs = readTtl(entry.fields['ttl'], join(entry.path, 'ttl'), problems)
  const written = problems.fields(entry.fields['reduce'], path)
  if (written === undefined) return { stream: input }
  const names = Object.keys(written)
  if (names.length === 0)
    problems.report('TYPE_MISMATCH', path, 'names no field', 'write field: an expression over previous and current')
  let isSound = names.length > 0
  const values = new Map<string, Expression>()
  for (const name of names) {
    const value = readField(name, written[name], input, keyBy ?? [], join(path, name), problems)
    if (value === undefined) isSound = false
    else values.set(name, value)
  }
  const time =
    input.time.kind === 'field' && values.has(input.time.field)
      ? { kind: 'none' as const, why: `"${entry.id}" computes a new "${input.time.field}"` }
      : input.time
  const stream = { schema: input.schema, time }
  if (!isSound || keyBy === undefined || ttlMs === 'wrong') return { stream }
  const fields = input.schema.fields.map((field) => ({ field, value: values.get(field.name) ?? currentField(field) }))
  return { stream, keyBy, verb: { kind: 'reduce', fields, ...(ttlMs === undefined ? {} : { ttlMs }) } }
}

function currentField(field: Field): Expression {
  return { kind: 'field', of: 'current', ...field }
}

function readField(
  name: string,
  value: unknown,
  { schema }: Input,
  keyBy: readonly string[],
  path: string,
  problems: Problems,
): Expression | undefined {
  const field = fieldOf(schema, name)
  if (field === undefined) {
    problems.report(
      'UNKNOWN_FIELD',
      path,
      `there is no field "${name}"`,
      suggestion(
        name,
        schema.fields.map((known) => known.name),
      ),
    )
    return undefined
  }
  if (keyBy.includes(name)) {
    problems.report('REDUCE_INVALID', path, `"${name}" is part of the key, which all rows share`)
    return undefined
  }
  const text = readExpressionText(value, path, problems)
  const expression =
    text === undefined
      ? undefined
      : problems.attempt(path, () => parseExpression(text, { rows: { previous: schema, current: schema } }))
  if (expression === undefined) return undefined
  const isType = expression.type === field.type || (expression.type === 'long' && field.type === 'double')
  if (isType && (field.nullable || !expression.nullable)) return expression
  problems.report(
    'EXPRESSION_TYPE',
    path,
    `"${name}" is ${describeType(field)}, this is ${describeType(expression)}`,
    'a reduced row has the fields of its input; change a type with set before',
  )
  return undefined
}
