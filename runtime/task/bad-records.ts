import type { DeadLetters } from '../connectors/dead-letters.ts'
import { describeWithCauses, MillraceError, type ErrorDetails } from '../model/errors.ts'
import { redacted } from '../model/redacted.ts'
import type { Row } from '../model/schema.ts'
import type { ErrorPolicy } from '../graph/verbs/source.ts'
import type { Logger } from '../ports/logger.ts'

/** See codegen/records/cold-segments.ts. */
const DISK_FAILURES = new Set(['STATE_DISK_FULL', 'STATE_DISK_FAILED'])
/** How many bad records are logged before only the counter moves. */
const LOGGED = 5
/** How much of a record an error shows. */
const SHOWN_CHARACTERS = 200

/** Applies a source's `onError` to records that do not parse and rows whose expressions throw. */
export class BadRecords {
  readonly #policy: ErrorPolicy
  readonly #counters: { badRecords: number }
  readonly #logger: Logger
  readonly #deadLetters: DeadLetters | undefined

  /** `deadLetters` is there exactly when the policy asks for it. */
  constructor(parts: {
    policy: ErrorPolicy
    counters: { badRecords: number }
    logger: Logger
    deadLetters: DeadLetters | undefined
  }) {
    this.#policy = parts.policy
    this.#counters = parts.counters
    this.#logger = parts.logger
    this.#deadLetters = parts.deadLetters
  }

  onRow(error: unknown, row: Row, operatorId: string): void {
    this.#handle(error, `operator ${operatorId}`, JSON.stringify(row))
  }

  onRaw(error: Error, where: string, raw: Uint8Array | string): void {
    this.#handle(error, where, raw)
  }

  /** After each batch of input: undefined, or a promise to wait for when too many dead letters are on their way. */
  push(): Promise<void> | undefined {
    return this.#deadLetters?.push()
  }

  /**
   * Before a checkpoint is acknowledged. Rejects when a dead letter could not be written: its record must come
   * again.
   */
  async flush(): Promise<void> {
    await this.#deadLetters?.flush()
  }

  async close(): Promise<void> {
    await this.#deadLetters?.close()
  }

  /** Throws when the policy is `fail`: the subtask fails with the record named. */
  #handle(error: unknown, where: string, record: Uint8Array | string): void {
    // no fault of the record's: what the operator keeps is not what it should be
    if (error instanceof MillraceError && DISK_FAILURES.has(error.code)) throw error
    this.#counters.badRecords += 1
    if (this.#policy.kind === 'fail') {
      throw new MillraceError('RECORD_REFUSED', `${where}: ${describeWithCauses(error)}; record ${shown(record)}`, {
        ...blame(error),
        cause: error,
        hint: 'onError: skip counts and leaves out such records.',
      })
    }
    if (this.#counters.badRecords <= LOGGED) {
      this.#logger.warn('record left out', {
        where,
        reason: describeWithCauses(error),
        record: shown(record),
        total: this.#counters.badRecords,
      })
    }
    this.#deadLetters?.add({ where, reason: describeWithCauses(error), record })
  }
}

/** A service that is away is not a mistake in the record: the same record may succeed later. */
function blame(error: unknown): Pick<ErrorDetails, 'domain' | 'retriable'> {
  return error instanceof MillraceError && error.retriable
    ? { domain: error.domain, retriable: true }
    : { domain: 'user' }
}

function shown(record: Uint8Array | string): string {
  // a little more is looked at than is shown, so that no name of a secret is cut from its value
  const text = redacted(
    (typeof record === 'string' ? record : Buffer.from(record).toString('utf8')).slice(0, 2 * SHOWN_CHARACTERS),
  )
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
}
