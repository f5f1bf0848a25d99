import type { Ports } from '../ports/ports.ts'

/** A record that was left out: `where` names its place (or the operator that failed on it), `record` is as it was. */
export interface DeadLetter {
  where: string
  reason: string
  record: Uint8Array | string
}

/** What a connector's factory gets; made once per subtask and attempt, also in chains behind the source's. */
export interface DeadLetterContext {
  slot: number
  ports: Ports
  baseDir: string
  /** Aborted when the subtask is to stop: whatever waits for the outside rejects soon. */
  stopping: AbortSignal
  /** As SourceContext.reportTrouble. */
  reportTrouble(error: Error | null): void
}

/** A connector that can store dead letters, with its options read. */
export interface DeadLetterConnector {
  /**
   * Rejects when letters could not be written now: a wrong topic is told at the start, not with the first bad
   * record.
   */
  open(context: DeadLetterContext): Promise<DeadLetters>
}

/**
 * Where letters of one subtask go, at least once: a checkpoint is acknowledged only after `flush`, so a letter that
 * was lost with the process comes from a record that is read again. Not called concurrently.
 */
export interface DeadLetters {
  /** Takes the letter; the bytes are the caller's again afterwards. Throws what writing earlier ones failed with. */
  add(letter: DeadLetter): void
  /** Called after each batch of input: sends what is there. Undefined when there is room for more, else wait for it. */
  push(): Promise<void> | undefined
  /** Resolves when everything added so far is durable. Rejects when it cannot be made so. */
  flush(): Promise<void>
  close(): Promise<void>
}
