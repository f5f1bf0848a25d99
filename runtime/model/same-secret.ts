import { createHash, timingSafeEqual } from 'node:crypto'

/** Compares hashes, so that the time it takes reveals nothing about the secret. */
export function isSameSecret(shown: unknown, secret: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
  return typeof shown === 'string' && timingSafeEqual(hash(shown), hash(secret))
}
