import { randomBytes } from 'node:crypto'
import type { Rng } from '../rng.ts'

/** The machine's randomness; ids come from the system's generator because they name attempts' files. */
export const realRng: Rng = {
  next: () => Math.random(),
  id: () => randomBytes(8).toString('hex'),
}
