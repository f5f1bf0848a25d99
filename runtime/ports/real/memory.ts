import { freemem } from 'node:os'
import { constrainedMemory, memoryUsage } from 'node:process'

/**
 * Bytes that this process may still take: what is left of its container's limit, or of the machine. Pages that
 * cache files count as free.
 */
export function roomInMemory(): number {
  const limit = constrainedMemory()
  return Math.min(freemem(), limit > 0 ? Math.max(0, limit - memoryUsage.rss()) : Infinity)
}
