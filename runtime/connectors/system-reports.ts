import type { CallTally } from '../telemetry/call-tally.ts'

/** How a connector reports on the system that it uses. */
export interface SystemReports {
  /**
   * Reports to the user that the outside system cannot be used at the moment (a MillraceError that names it) while the
   * connector keeps trying; null when it works again.
   */
  reportTrouble(error: Error | null): void
  /** Counts the calls of the system. Absent where nobody reads the counts. */
  readonly calls?: CallTally
}
