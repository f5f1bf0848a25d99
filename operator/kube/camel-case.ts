/**
 * A code as the reason of a condition or event: CHECKPOINT_STORE_UNAVAILABLE → CheckpointStoreUnavailable. Takes any
 * text: newer versions of Druid add states.
 */
export function camelCase(code: string): string {
  const words = code
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
  return words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('') || 'Unknown'
}
