import { join, type Problems } from '../../problems.ts'

/** A member of a mapping whose order counts, and where it stands. */
export interface OrderedMember {
  readonly name: string
  readonly value: unknown
  readonly path: string
}

/**
 * Reads a list of mappings with one member each: `[{ cheap: … }, { dear: … }]`. A mapping of one member is read
 * too; a longer one is outdated, since an API server does not keep its order. Undefined after reporting any other
 * mistake.
 */
export function readOrderedMembers(value: unknown, path: string, problems: Problems): OrderedMember[] | undefined {
  if (Array.isArray(value)) return readList(value, path, problems)
  const written = problems.fields(value, path)
  if (written === undefined) return undefined
  const members = Object.entries(written).map(([name, member]) => ({ name, value: member, path: join(path, name) }))
  if (members.length > 1)
    problems.reportOutdated(
      'ORDER_LOST',
      path,
      'depends on the order of its members, which an API server does not keep: it sorts them by name',
      `write a list: [${members.map(({ name }) => `{ ${name}: … }`).join(', ')}]`,
    )
  return members
}

function readList(list: readonly unknown[], path: string, problems: Problems): OrderedMember[] | undefined {
  const members: OrderedMember[] = []
  for (const [index, item] of list.entries()) {
    const at = join(path, index)
    const [[name, value] = [], another] = Object.entries(problems.fields(item, at) ?? {})
    if (name === undefined || another !== undefined) {
      problems.report('TYPE_MISMATCH', at, 'must be a mapping with one member', 'write { name: condition }')
      return undefined
    }
    const twin = members.find((member) => member.name === name)
    if (twin !== undefined) {
      problems.report('DUPLICATE_ID', at, `"${name}" is taken by ${twin.path}`)
      return undefined
    }
    members.push({ name, value, path: join(at, name) })
  }
  return members
}
