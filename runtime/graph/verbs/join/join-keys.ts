import { readKeyNames } from '../kit/key-fields.ts'
import { readRenamed } from '../kit/renamed-member.ts'
import { type Fields, isFields } from '../../../model/fields.ts'
import { describe, join, type Problems } from '../../problems.ts'
import type { Input } from '../../stream.ts'
import { describeType, haveOneEquality } from '../../../expressions/typing.ts'
import { fieldOf } from '../../../model/schema.ts'

export interface JoinKeys {
  left: readonly string[]
  right: readonly string[]
}

const USAGE =
  'write keyBy: { leftField: rightField }, or keyBy: field when both have it; keys are fields, compute others with set before'

/** `keyBy: auction`, `keyBy: [a, b]` or `keyBy: { auction: id }`: fields of the same type on both sides. */
export function readJoinKeys(
  fields: Fields,
  around: { path: string; inputs: readonly [Input, Input]; names: readonly string[] },
  problems: Problems,
): JoinKeys | undefined {
  const { value: written, path } = readRenamed(fields, around.path, { name: 'keyBy', old: 'on' }, problems)
  if (written === undefined) {
    problems.report('KEY_MISSING', around.path, 'a join needs to know which fields are equal', USAGE)
    return undefined
  }
  const names: unknown[] = Array.isArray(written) ? written : [written]
  const pairs: [unknown, unknown, string][] = isFields(written)
    ? Object.entries(written).map(([left, right]) => [left, right, join(path, left)])
    : names.map((name, index) => [name, name, Array.isArray(written) ? join(path, index) : path])
  if (pairs.length === 0) problems.report('KEY_MISSING', path, 'names no field', USAGE)
  const sound = pairs
    .map(([left, right, at]) => readPair(left, right, at, around, problems))
    .filter((pair) => pair !== undefined)
  if (sound.length < pairs.length || sound.length === 0) return undefined
  return { left: sound.map((pair) => pair[0]), right: sound.map((pair) => pair[1]) }
}

function readPair(
  left: unknown,
  right: unknown,
  path: string,
  { inputs, names }: { inputs: readonly [Input, Input]; names: readonly string[] },
  problems: Problems,
): [string, string] | undefined {
  if (typeof left !== 'string' || typeof right !== 'string') {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `must be a field, not ${describe(typeof left === 'string' ? right : left)}`,
      USAGE,
    )
    return undefined
  }
  const expression = [left, right].find((name) => /[^\w$]/.test(name))
  if (expression !== undefined) {
    problems.report('KEY_INVALID', path, `${describe(expression)} is an expression, a key must be a field`, USAGE)
    return undefined
  }
  const leftKey = readKeyNames(left, path, inputs[0].schema, problems)
  const rightKey = readKeyNames(right, path, inputs[1].schema, problems)
  if (leftKey === undefined || rightKey === undefined) return undefined
  const leftField = fieldOf(inputs[0].schema, left)
  const rightField = fieldOf(inputs[1].schema, right)
  if (leftField !== undefined && rightField !== undefined && !haveOneEquality(leftField, rightField)) {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `"${left}" of "${names[0] ?? 'left'}" is ${describeType(leftField)}, "${right}" of "${names[1] ?? 'right'}" is ${describeType(rightField)}: they are never equal`,
      'bring one to the type of the other with set before',
    )
    return undefined
  }
  return [left, right]
}
