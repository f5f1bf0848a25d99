import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import type { HeldBytes } from './held-bytes.ts'
import type { Intake } from './write-ahead-log/reception.ts'

/** The beginnings of records that all connections of a slot may hold together. */
export const MOST_HELD_BYTES = 64 * 1024 * 1024

/** The surroundings in which a connection of a sender is served. */
export interface IntakeSurroundings {
  readonly clock: Clock
  readonly logger: Logger
  readonly intake: Intake
  /** Shared by all connections of a slot. */
  readonly held: HeldBytes
  /** Aborted when the source is closed. */
  readonly signal: AbortSignal
}
