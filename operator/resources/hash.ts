import { createHash, createHmac } from 'node:crypto'
import { canonicalJson } from '../../runtime/model/canonical-json.ts'

/** Ten hex digits of a value: equal for equal JSON, whatever the order of members. Not proof against forgery. */
export function hashOf(value: unknown): string {
  return sealOf(value).slice(0, 10)
}

/** All 64 hex digits: nobody makes another value that has them. */
export function sealOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}

/**
 * The token of one job: derived, not stored, so the operator needs no right to read Secrets. With the
 * operator's key every token can be made; the key cannot be made from a token.
 */
export function jobToken(operatorKey: string, jobUid: string): string {
  return createHmac('sha256', operatorKey).update(`job-token/${jobUid}`).digest('hex')
}
