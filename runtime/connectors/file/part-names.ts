import { createHash } from 'node:crypto'

/** How the names of a job's files begin in every folder: a UID may be long, and eight digits tell jobs apart. */
export function partPrefix(jobUid: string): string {
  return `part-${createHash('sha256').update(jobUid).digest('hex').slice(0, 8)}-`
}
