import type { StateDeclaration } from '../process.ts'
import { describe, type Problems } from '../../problems.ts'
import { memberOf } from '../../../model/fields.ts'
import type { Field, Schema } from '../../../model/schema.ts'
import { suggestion } from '../../../expressions/suggest.ts'

/** Where an entry of state is gone, the row that says so has this, its key, and nothing else. */
export const DELETED: Field = { name: 'deleted', type: 'boolean', nullable: false }

/** A table that is mirrored, and where the job says so. */
export interface NamedMirror {
  readonly name: string
  readonly path: string
  readonly table: MirroredTable
}

/** A table of which each entry has a key. */
export type MirroredTable = Exclude<StateDeclaration, { kind: 'list' }>

/** `stateMirror: [total, perDay]`: names of tables that the changes of come out of. */
export function readStateMirror(
  value: unknown,
  path: string,
  state: Readonly<Record<string, StateDeclaration>>,
  problems: Problems,
): NamedMirror[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) {
    problems.report(
      'OPTION_INVALID',
      path,
      `${describe(value)} is not a list of states`,
      'write the names of tables in `state`, such as [total]',
    )
    return []
  }
  return value.flatMap((name: unknown, index): NamedMirror[] => {
    const at = `${path}[${index}]`
    const table = typeof name === 'string' ? memberOf(state, name) : undefined
    if (typeof name !== 'string' || table === undefined) {
      problems.report(
        'STATE_INVALID',
        at,
        `there is no state ${describe(name)}`,
        suggestion(String(name), Object.keys(state)),
      )
      return []
    }
    if (table.kind === 'list') {
      problems.report(
        'STATE_INVALID',
        at,
        `"${name}" is a list, whose rows have no key in a table`,
        'keep a value or a map',
      )
      return []
    }
    if (value.indexOf(name) < index) {
      problems.report('STATE_INVALID', at, `"${name}" is named twice`)
      return []
    }
    return [{ name, path: at, table }]
  })
}

/** The rows that a mirror is told: the key, the values (null where the entry is gone), and whether it is gone. */
export function mirrorSchema(
  keys: readonly Field[],
  { name, path, table }: NamedMirror,
  problems: Problems,
): Schema | undefined {
  const fields = [
    ...keys,
    ...(table.kind === 'map' ? table.userKey : []),
    ...table.schema.fields.map((field) => ({ ...field, nullable: true })),
    DELETED,
  ]
  const names = fields.map((field) => field.name)
  const twice = names.find((field, index) => names.indexOf(field) < index)
  if (twice === undefined) return { fields }
  problems.report(
    'DUPLICATE_FIELD',
    path,
    twice === DELETED.name
      ? `a mirror of "${name}" says in "${twice}" whether an entry is gone, and the state has a field of that name`
      : `a mirror of "${name}" would have two fields "${twice}": of the key and of the state`,
    'rename the field of the state',
  )
  return undefined
}
