import { derivedReason, type Reason } from './reasons.ts'

/**
 * A code as the reason of a condition or event: CHECKPOINT_STORE_UNAVAILABLE → CheckpointStoreUnavailable. Takes any
 * text: newer versions of Druid add states.
 */
export function camelCase(code: string): Reason {
  const words = code
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
  return derivedReason(words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('') || 'Unknown')
}
