import { parseBytes } from '../model/byte-size.ts'
import { describe, type Problems } from './problems.ts'

/**
 * How many bytes of the rows that operators keep may be in the memory of one slot; the rest goes to a file in
 * `folder`.
 */
export interface StateLimit {
  memoryBytes: number
  /** Absolute; absent: where temporary files go. */
  folder?: string
}

/** Reads `spec.state`. */
export function readStateLimit(value: unknown, path: string, problems: Problems): StateLimit | undefined {
  const fields = problems.fields(value, path, ['memory', 'folder'])
  if (fields === undefined) return undefined
  const { memory, folder } = fields
  const memoryBytes = typeof memory === 'string' ? parseBytes(memory) : undefined
  if (memoryBytes === undefined)
    problems.report(
      'SIZE_INVALID',
      `${path}.memory`,
      `${describe(memory)} is not a size`,
      'write it as 512Mi or 2Gi, as Kubernetes does',
    )
  const text = folder === undefined ? undefined : problems.text(folder, `${path}.folder`, 1024)
  if (text?.startsWith('/') === false)
    problems.report('PATH_INVALID', `${path}.folder`, `${describe(text)} is not absolute`)
  return memoryBytes === undefined ? undefined : { memoryBytes, ...(text === undefined ? {} : { folder: text }) }
}
