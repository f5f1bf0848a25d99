import { createHash } from 'node:crypto'
import { canonicalJson } from '../model/canonical-json.ts'
import type { AutoscalerPolicy } from './job-report.ts'

/** Sixteen hex digits, equal for equal JSON in whatever order of its members. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 16)
}

/** Says which policy is in force without repeating it; null for none. */
export function policyDigest(policy: AutoscalerPolicy | null): string | null {
  return policy === null ? null : digestOf(policy)
}
