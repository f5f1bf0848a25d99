import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import type { Intake } from './write-ahead-log/log-reader.ts'

/** The surroundings in which a connection of a sender is served. */
export interface IntakeSurroundings {
  readonly clock: Clock
  readonly logger: Logger
  readonly intake: Intake
  /** Aborted when the source is closed. */
  readonly signal: AbortSignal
}
