import type { Entry } from '../entry.ts'
import { describe, join, type Problems } from '../../problems.ts'
import { suggestion } from '../../../expressions/suggest.ts'
import { describeType } from '../../../expressions/typing.ts'
import { fieldOf, type Schema } from '../../../model/schema.ts'
import { traitsOf } from '../../../model/type-traits.ts'

/** Verbs that Flink has for a stream without keys too. */
const OVER_ALL_ROWS: ReadonlySet<string> = new Set(['window', 'aggregate', 'reduce', 'topN', 'dedupe', 'pattern'])

/** The `keyBy` of an entry: fields of its input that have equality. Undefined after reporting. */
export function readKeys(entry: Entry, schema: Schema, problems: Problems): readonly string[] | undefined {
  if (entry.fields['keyBy'] === undefined) {
    problems.report(
      'KEY_MISSING',
      entry.path,
      `${entry.verb} needs keyBy beside it`,
      `add keyBy: a field or a list of fields${OVER_ALL_ROWS.has(entry.verb) ? '; over all rows together: set: { all: 1 } before, and keyBy: all' : ''}`,
    )
    return undefined
  }
  return readKeyNames(entry.fields['keyBy'], join(entry.path, 'keyBy'), schema, problems)
}

/** A field or a list of fields by which rows are grouped. */
export function readKeyNames(
  written: unknown,
  path: string,
  schema: Schema,
  problems: Problems,
): readonly string[] | undefined {
  const names: unknown[] = Array.isArray(written) ? written : [written]
  if (names.length === 0) problems.report('TYPE_MISMATCH', path, 'names no field')
  const keys = names.map((name, index) =>
    readKey(name, schema, Array.isArray(written) ? join(path, index) : path, problems),
  )
  const sound = keys.filter((key) => key !== undefined)
  if (new Set(sound).size < sound.length) {
    problems.report('DUPLICATE_FIELD', path, 'names the same field twice')
    return undefined
  }
  return sound.length === names.length && sound.length > 0 ? sound : undefined
}

function readKey(name: unknown, schema: Schema, path: string, problems: Problems): string | undefined {
  const key = problems.text(name, path, 256)
  if (key === undefined) return undefined
  const field = fieldOf(schema, key)
  if (field === undefined && /[^\w$]/.test(key)) {
    problems.report(
      'KEY_INVALID',
      path,
      `${describe(key)} is an expression, a key must be a field`,
      `compute it before, with set: { name: … }, and key by that; it must give the same after a restore`,
    )
    return undefined
  }
  if (field === undefined) {
    problems.report(
      'UNKNOWN_FIELD',
      path,
      `there is no field "${key}"`,
      suggestion(
        key,
        schema.fields.map((known) => known.name),
      ),
    )
    return undefined
  }
  if (!traitsOf(field).hasEquality) {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `"${key}" is ${describeType(field)}, which has no equality`,
      'compute a field of another type with set and key by that',
    )
    return undefined
  }
  return key
}
