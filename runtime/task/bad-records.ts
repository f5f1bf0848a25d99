import { describeWithCauses, MillraceError } from '../model/errors.ts'
import type { Row } from '../model/schema.ts'
import type { ErrorPolicy } from '../plan/job-graph.ts'
import type { Ports } from '../ports/ports.ts'

/** How many bad records are logged before only the counter moves. */
const LOGGED = 5
/** How much of a record an error shows. */
const SHOWN_CHARACTERS = 200

/** Applies a source's `onError` to records that do not parse and rows whose expressions throw. */
export class BadRecords {
  readonly #policy: ErrorPolicy
  readonly #counters: { badRecords: number }
  readonly #ports: Ports
  readonly #deadLetters: string | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(policy: ErrorPolicy, counters: { badRecords: number }, ports: Ports, baseDir: string) {
    this.#policy = policy
    this.#counters = counters
    this.#ports = ports
    this.#deadLetters = policy.kind === 'deadLetter' ? deadLetterPath(policy.options, baseDir) : undefined
  }

  onRow(error: unknown, row: Row, operatorId: string): void {
    this.#handle(error, `operator ${operatorId}`, JSON.stringify(row))
  }

  onRaw(error: Error, where: string, raw: Uint8Array | string): void {
    this.#handle(error, where, typeof raw === 'string' ? raw : Buffer.from(raw).toString('utf8'))
  }

  /** Throws when the policy is `fail`: the subtask fails with the record named. */
  #handle(error: unknown, where: string, record: string): void {
    this.#counters.badRecords += 1
    const shown = record.length > SHOWN_CHARACTERS ? `${record.slice(0, SHOWN_CHARACTERS)}…` : record
    if (this.#policy.kind === 'fail') {
      throw new MillraceError('RECORD_REFUSED', `${where}: ${describeWithCauses(error)}; record ${shown}`,
        { domain: 'user', cause: error, hint: 'onError: skip counts and leaves out such records.' })
    }
    if (this.#counters.badRecords <= LOGGED) {
      this.#ports.logger.warn('record left out', { where, reason: describeWithCauses(error), record: shown, total: this.#counters.badRecords })
    }
    if (this.#deadLetters !== undefined) this.#append(this.#deadLetters, where, error, record)
  }

  #append(path: string, where: string, error: unknown, record: string): void {
    const line = `${JSON.stringify({ where, reason: describeWithCauses(error), record })}\n`
    this.#writing = this.#writing.then(() => this.#ports.files.append(path, Buffer.from(line, 'utf8'))).catch((cause: unknown) => {
      this.#ports.logger.error('dead letter not written', { path, reason: describeWithCauses(cause) })
    })
  }
}

function deadLetterPath(options: Readonly<Record<string, unknown>>, baseDir: string): string | undefined {
  if (typeof options['path'] !== 'string') return undefined
  return options['path'].startsWith('/') ? options['path'] : `${baseDir}/${options['path']}`
}
