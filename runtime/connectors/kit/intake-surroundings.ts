import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import type { Intake } from './write-ahead-log/log-reader.ts'

/** What a connection of a sender is served with. */
export interface IntakeSurroundings {
  readonly clock: Clock
  readonly logger: Logger
  readonly intake: Intake
  /** Aborted when the source is closed. */
  readonly signal: AbortSignal
}
