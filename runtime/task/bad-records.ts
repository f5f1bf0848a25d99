import type { DeadLetters } from '../connectors/dead-letters.ts'
import { describeWithCauses, MillraceError, type ErrorDetails } from '../model/errors.ts'
import { printable } from '../model/printable.ts'
import { redacted } from '../model/redacted.ts'
import type { Row } from '../model/schema.ts'
import type { ErrorPolicy } from '../graph/verbs/kit/error-policy.ts'
import type { RecordTallies } from '../operators/record-tally.ts'
import type { Logger } from '../ports/logger.ts'

/** See codegen/records/cold-segments.ts. */
const DISK_FAILURES = new Set(['STATE_DISK_FULL', 'STATE_DISK_FAILED'])
/** How many bad records of an operator are logged before only the counter moves. */
const LOGGED = 5
/** How much of a record an error shows. */
const SHOWN_CHARACTERS = 200
/** How much of a reason a report shows. */
const REASON_CHARACTERS = 500

/** How one operator treats what it cannot take. `deadLetters` is there exactly when the policy asks for it. */
export interface ErrorHandling {
  readonly policy: ErrorPolicy
  readonly deadLetters: DeadLetters | undefined
}

/** Applies the `onError` of each operator to records that do not parse and rows that make it throw. */
export class BadRecords {
  readonly #handling: ReadonlyMap<string, ErrorHandling>
  readonly #deadLetters: readonly DeadLetters[]
  readonly #counters: { badRecords: number }
  readonly #tallies: RecordTallies
  readonly #logger: Logger

  /** `handling` by operator id, for every operator of the subtask. Operators may share dead letters. */
  constructor(parts: {
    handling: ReadonlyMap<string, ErrorHandling>
    counters: { badRecords: number }
    tallies: RecordTallies
    logger: Logger
  }) {
    this.#handling = parts.handling
    this.#deadLetters = [...new Set([...parts.handling.values()].flatMap(({ deadLetters }) => deadLetters ?? []))]
    this.#counters = parts.counters
    this.#tallies = parts.tallies
    this.#logger = parts.logger
  }

  onRow(error: unknown, row: Row, operatorId: string): void {
    this.#handle(operatorId, error, `operator ${operatorId}`, JSON.stringify(row))
  }

  /** A record of the source that did not become a row. */
  onRaw(operatorId: string, error: Error, where: string, raw: Uint8Array | string): void {
    this.#handle(operatorId, error, where, raw)
  }

  /** After each batch of input: undefined, or a promise to wait for when too many dead letters are on their way. */
  push(): Promise<void> | undefined {
    const waits = this.#deadLetters.flatMap((letters) => letters.push() ?? [])
    return waits.length === 0 ? undefined : Promise.all(waits).then(() => undefined)
  }

  /**
   * Before a checkpoint is acknowledged. Rejects when a dead letter could not be written: its record must come
   * again.
   */
  async flush(): Promise<void> {
    for (const letters of this.#deadLetters) await letters.flush()
  }

  async close(): Promise<void> {
    for (const letters of this.#deadLetters) await letters.close()
  }

  /** Throws when the policy is `fail`: the subtask fails with the record named. */
  #handle(operatorId: string, error: unknown, where: string, record: Uint8Array | string): void {
    // no fault of the record's: what the operator keeps is not what it should be
    if (error instanceof MillraceError && DISK_FAILURES.has(error.code)) throw error
    this.#counters.badRecords += 1
    const { policy, deadLetters } = this.#handling.get(operatorId) ?? { policy: { kind: 'fail' } }
    const reason = printable(describeWithCauses(error))
    if (policy.kind === 'fail') {
      throw new MillraceError('RECORD_REFUSED', `${where}: ${reason}; record ${shown(record)}`, {
        ...blame(error),
        cause: error,
        hint: `onError: skip in the entry "${operatorId}" leaves out such records and counts them, deadLetter keeps them.`,
      })
    }
    const tally = this.#tallies.of(operatorId)
    tally.refused(
      policy.kind === 'skip' ? 'skipped' : 'deadLettered',
      cut(printable(`${where}: ${reason}`), REASON_CHARACTERS),
    )
    if (tally.refusedCount <= LOGGED) {
      this.#logger.warn('record left out', {
        where,
        reason,
        record: shown(record),
        total: tally.refusedCount,
      })
    }
    deadLetters?.add({ where, reason, record })
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
  const text = typeof record === 'string' ? record : Buffer.from(record).toString('utf8')
  return cut(printable(redacted(text.slice(0, 2 * SHOWN_CHARACTERS))), SHOWN_CHARACTERS)
}

function cut(text: string, characters: number): string {
  return text.length > characters ? `${text.slice(0, characters)}…` : text
}
