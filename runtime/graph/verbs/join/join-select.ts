import { readExpressionText } from '../kit/expression-text.ts'
import { describe, join, type Problems } from '../../problems.ts'
import { checkFieldName, MAX_FIELDS } from '../kit/schema-fields.ts'
import type { Expression } from '../../../expressions/ast.ts'
import { parseExpression } from '../../../expressions/parse.ts'
import { rowOf, type Scope } from '../../../expressions/scope.ts'
import { namedField, type Field, type Schema } from '../../../model/schema.ts'
import type { Fields } from '../../../model/fields.ts'
import type { JoinType } from './join.ts'

export interface JoinField {
  field: Field
  value: Expression
}

interface SelectContext {
  type: JoinType
  schemas: { left: Schema; right: Schema }
  aliases: Readonly<Record<string, string>>
  keys: { left: readonly string[]; right: readonly string[] }
  /** Names that the join puts out by itself. */
  taken: readonly string[]
}

/**
 * The fields that come out. A side that may lack a match is nullable in all its fields; semi and anti have no right
 * side.
 */
export function readJoinSelect(
  written: unknown,
  context: SelectContext,
  path: string,
  problems: Problems,
): JoinField[] | undefined {
  const { type, schemas } = context
  const left = type === 'right' || type === 'full' ? nullable(schemas.left) : schemas.left
  const right = type === 'left' || type === 'full' ? nullable(schemas.right) : schemas.right
  const rows = type === 'semi' || type === 'anti' ? { left } : { left, right }
  if (written === undefined)
    return defaultSelect({ left, right: 'right' in rows ? right : undefined }, context, path, problems)
  const fields = problems.fields(written, path)
  if (fields === undefined) return undefined
  const aliases = Object.fromEntries(Object.entries(context.aliases).filter(([, of]) => of in rows))
  const scope: Scope = { rows, aliases }
  const read = Object.entries(fields).flatMap(([name, value]) =>
    isStar(name, value)
      ? starFields(name, value, { scope, written: fields, context }, join(path, name), problems)
      : [readField(name, value, scope, context, join(path, name), problems)],
  )
  if (read.length === 0 || read.length > MAX_FIELDS) {
    problems.report('TOO_LARGE', path, `gives ${read.length} fields, 1 to ${MAX_FIELDS} are taken`)
    return undefined
  }
  const sound = read.filter((field) => field !== undefined)
  if (sound.length < read.length) return undefined
  const names = sound.map(({ field }) => field.name)
  const twice = names.find((name, index) => names.indexOf(name) < index)
  if (twice === undefined) return sound
  problems.report(
    'DUPLICATE_FIELD',
    path,
    `gives "${twice}" twice`,
    `name it: ${twice}: left.${twice}; or give the fields of a side a prefix: "right_*": right.*`,
  )
  return undefined
}

const STAR_VALUE = /^\s*([A-Za-z_$][\w$]*)\s*\.\s*\*\s*$/

/** `"*": left.*`, `"right_*": right.*`: all fields of a side, under their names or behind a prefix. */
function isStar(name: string, value: unknown): boolean {
  return name.endsWith('*') || (typeof value === 'string' && STAR_VALUE.test(value))
}

/** All fields of the side but those whose names are written out: these count. An undefined one has been reported. */
function starFields(
  name: string,
  value: unknown,
  { scope, written, context }: { scope: Scope; written: Fields; context: SelectContext },
  path: string,
  problems: Problems,
): (JoinField | undefined)[] {
  const [, side = ''] = STAR_VALUE.exec(String(value)) ?? []
  const row = rowOf(scope, side)
  if (!name.endsWith('*') || row === undefined) {
    problems.report(
      'JOIN_INVALID',
      path,
      `${describe(value)} does not give all fields of a side to ${describe(name)}`,
      'write "*": left.*, or with a prefix "right_*": right.*',
    )
    return [undefined]
  }
  const of = row.of === 'right' ? 'right' : 'left'
  return row.schema.fields
    .map((field) => ({ ...field, name: `${name.slice(0, -1)}${field.name}`, from: field.name }))
    .filter((field) => !Object.hasOwn(written, field.name))
    .map(({ from, ...field }) =>
      mayPutOut(field.name, context, path, problems)
        ? { field, value: fieldOfRow({ ...field, name: from }, of).value }
        : undefined,
    )
}

function readField(
  name: string,
  value: unknown,
  scope: Scope,
  context: SelectContext,
  path: string,
  problems: Problems,
): JoinField | undefined {
  if (!mayPutOut(name, context, path, problems)) return undefined
  const text = readExpressionText(value, path, problems)
  const expression = text === undefined ? undefined : problems.attempt(path, () => parseExpression(text, scope))
  return expression === undefined ? undefined : { field: namedField(name, expression), value: expression }
}

function mayPutOut(name: string, { taken }: SelectContext, path: string, problems: Problems): boolean {
  if (!checkFieldName(name, path, problems)) return false
  if (!taken.includes(name)) return true
  problems.report('DUPLICATE_FIELD', path, `the join puts out a field "${name}" of its own`)
  return false
}

/** All fields of both sides; a key that is called the same on both comes once. */
function defaultSelect(
  { left, right }: { left: Schema; right: Schema | undefined },
  { type, keys, taken }: SelectContext,
  path: string,
  problems: Problems,
): JoinField[] | undefined {
  const shared = new Set(keys.left.filter((name, index) => keys.right[index] === name))
  const fields = left.fields.map((field): JoinField => {
    const other = right?.fields.find((candidate) => candidate.name === field.name)
    if (!shared.has(field.name) || other === undefined || (type !== 'right' && type !== 'full'))
      return fieldOfRow(field, 'left')
    const value: Expression = {
      kind: 'logical',
      operator: '??',
      left: fieldOfRow(field, 'left').value,
      right: fieldOfRow(other, 'right').value,
      type: field.type === other.type ? field.type : 'double',
      nullable: type === 'full' ? true : other.nullable,
    }
    return { field: { name: field.name, type: value.type, nullable: value.nullable }, value }
  })
  const rights = (right?.fields ?? [])
    .filter((field) => !shared.has(field.name))
    .map((field) => fieldOfRow(field, 'right'))
  const clash =
    rights.find(({ field }) => left.fields.some((known) => known.name === field.name))?.field.name ??
    [...fields, ...rights].find(({ field }) => taken.includes(field.name))?.field.name
  if (clash === undefined) return [...fields, ...rights]
  problems.report(
    'DUPLICATE_FIELD',
    path,
    taken.includes(clash) ? `the join puts out a field "${clash}" of its own` : `both sides have a field "${clash}"`,
    `say what comes out: select: { "*": left.*, "right_*": right.* }, or each field: { ${clash}: left.${clash}, … }`,
  )
  return undefined
}

function fieldOfRow(given: Field, of: 'left' | 'right'): JoinField {
  const field = namedField(given.name, given)
  return { field, value: { kind: 'field', ...field, of } }
}

function nullable(schema: Schema): Schema {
  return { fields: schema.fields.map((field) => ({ ...field, nullable: true })) }
}
