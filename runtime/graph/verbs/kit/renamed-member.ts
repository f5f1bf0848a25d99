import type { Fields } from '../../../model/fields.ts'
import { join, type Problems } from '../../problems.ts'

/**
 * A member whose old name kubectl reads as a truth value (`on` as true, `n` as false): the value, and the path under
 * the name that was written. Kept jobs may still have the old name.
 */
export function readRenamed(
  fields: Fields,
  path: string,
  { name, old }: { name: string; old: string },
  problems: Problems,
): { value: unknown; path: string } {
  if (fields[old] === undefined) return { value: fields[name], path: join(path, name) }
  problems.reportOutdated(
    'RENAMED',
    join(path, old),
    `is called ${name} now: kubectl reads ${old} as a truth value`,
    `write ${name}`,
  )
  return { value: fields[name] ?? fields[old], path: join(path, old) }
}
