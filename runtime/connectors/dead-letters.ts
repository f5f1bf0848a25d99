import type { Ports } from '../ports/ports.ts'
import type { SystemReports } from './system-reports.ts'

/** A record that was left out: `where` names its place (or the operator that failed on it), `record` is as it was. */
export interface DeadLetter {
  where: string
  reason: string
  record: Uint8Array | string
}

/** The surroundings of dead letters; made once per subtask and attempt, also in the chains behind the source. */
export interface DeadLetterContext extends SystemReports {
  slot: number
  ports: Ports
  baseDir: string
  /** Aborted when the subtask has to stop: calls that wait for the outside system then reject. */
  stopping: AbortSignal
}

/** A connector that can store dead letters, and whose options have been read. */
export interface DeadLetterConnector {
  /**
   * Rejects when letters cannot be written, so that a wrong topic is reported at the start and not with the first bad
   * record.
   */
  open(context: DeadLetterContext): Promise<DeadLetters>
}

/**
 * Stores the letters of one subtask, at least once: a checkpoint is acknowledged only after `flush`, so the record of a
 * letter that was lost with the process is read again. Not called concurrently.
 */
export interface DeadLetters {
  /** Takes the letter and copies its bytes. Throws the error that earlier letters failed with. */
  add(letter: DeadLetter): void
  /**
   * Called after each batch of input: sends all letters. Returns a promise to wait for when there is no room for
   * more.
   */
  push(): Promise<void> | undefined
  /** Resolves when all letters so far are durable. Rejects when they cannot be written. */
  flush(): Promise<void>
  close(): Promise<void>
}
