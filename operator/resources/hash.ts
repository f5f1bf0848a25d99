import { createHash, createHmac } from 'node:crypto'

/** Ten hex digits of a value: equal for equal JSON, whatever the order of members. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 10)
}

/**
 * The token of one job: derived, not stored, so the operator needs no right to read Secrets. Whoever has the
 * operator's key can make every token; nobody can make the key from a token.
 */
export function jobToken(operatorKey: string, jobUid: string): string {
  return createHmac('sha256', operatorKey).update(`job-token/${jobUid}`).digest('hex')
}

function canonicalJson(value: unknown): string {
  return (
    JSON.stringify(value, (_key, member: unknown) => {
      if (typeof member !== 'object' || member === null || Array.isArray(member)) return member
      return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
    }) ?? 'undefined'
  )
}
