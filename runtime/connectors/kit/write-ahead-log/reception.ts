import type { RowScanner } from '../../../codegen/contracts.ts'
import { MillraceError } from '../../../model/errors.ts'
import type { ReaderContext } from '../../source.ts'
import { retrying, type RetryPolicy } from '../retry.ts'
import { TroubleReporter } from '../trouble-reporter.ts'
import type { LogEntry } from './log-frame.ts'
import type { ReceivedRows } from './received-rows.ts'

/** Takes what senders send, until it is closed. */
export interface Receiver {
  close(): Promise<void>
}

/** The log and the checks, as a receiver sees them. */
export interface Intake {
  /**
   * Resolves with 'kept' once a crash leaves the entries to the next attempt, with 'full' when there is no room for them
   * now. Rejects when they may be lost (LOG_UNWRITABLE, or LOG_CLOSED when the attempt is over), and the sender is to send
   * them again, or with RECORD_TOO_LARGE.
   */
  append(entries: readonly LogEntry[]): Promise<'kept' | 'full'>
  /** Rejects, with the reason, for an entry of which no row can be made. */
  check(entry: LogEntry): Promise<void>
}

/** Begins to receive. May reject, and is called again then. */
export type OpenReceiver = (intake: Intake, signal: AbortSignal) => Promise<Receiver>

export interface ReceptionParts {
  readonly context: ReaderContext
  /** As the errors of `open` are to be repeated. */
  readonly policy: RetryPolicy
  /** For messages: `receiving at port 8080`. */
  readonly what: string
  readonly open: OpenReceiver
}

/** The receiver of a slot: it is opened until it succeeds, while the log is read. */
export class Reception {
  readonly #parts: ReceptionParts
  readonly #rows: ReceivedRows
  readonly #append: Intake['append']
  readonly #closing = new AbortController()
  /** Reports a log that cannot be written to the owner of the job: senders are not told why. */
  readonly #trouble: TroubleReporter
  #receiver: Promise<Receiver | undefined> = Promise.resolve(undefined)
  #failure: Error | undefined
  /** The reader has another scanner, since entries are checked between two of its rows. */
  #checker: RowScanner | undefined

  constructor(parts: ReceptionParts, rows: ReceivedRows, append: Intake['append']) {
    this.#parts = parts
    this.#rows = rows
    this.#append = append
    this.#trouble = new TroubleReporter(parts.context.ports.clock, parts.context)
  }

  get isClosing(): boolean {
    return this.#closing.signal.aborted
  }

  /** Begins; called once the entries can be appended. */
  start(checker: RowScanner): void {
    const { context, policy, what, open } = this.#parts
    const { clock, rng } = context.ports
    const { signal } = this.#closing
    this.#checker = checker
    const environment = { clock, rng, trouble: new TroubleReporter(clock, context), signal, policy }
    const intake: Intake = { append: (entries) => this.#keep(entries), check: (entry) => this.#check(entry) }
    this.#receiver = retrying(environment, what, Infinity, () => open(intake, signal)).catch((error: unknown) => {
      if (!signal.aborted) this.#failure = error instanceof Error ? error : new Error(String(error))
      return undefined
    })
  }

  /** Throws what the receiver can never be opened for. */
  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await (await this.#receiver)?.close()
  }

  async #keep(entries: readonly LogEntry[]): Promise<'kept' | 'full'> {
    try {
      const answer = await this.#append(entries)
      this.#trouble.works()
      return answer
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'LOG_UNWRITABLE') this.#trouble.isSlow(error)
      throw error
    }
  }

  async #check({ value: content, metadata }: LogEntry): Promise<void> {
    const value = Buffer.from(content.buffer, content.byteOffset, content.length)
    await this.#checker?.prepare?.({
      bytes: value,
      count: 1,
      valueStarts: Int32Array.of(0),
      valueEnds: Int32Array.of(value.length),
    })
    const row = this.#checker?.row(value, 0, value.length)
    const kept = Buffer.from(metadata)
    if (row !== undefined) this.#rows.whole(row, kept, 0, kept.length)
  }
}

/** What a receiver is told that appends to a slot without a log of its own. */
export function noLog(): MillraceError {
  return new MillraceError('LOG_CLOSED', 'this slot has no log to write', { domain: 'platform' })
}
