import { MillraceError } from '../../model/errors.ts'
import type { Ports } from '../../ports/ports.ts'
import { retrying } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'

export interface TableRetryOptions {
  readonly ports: Pick<Ports, 'clock' | 'rng'>
  readonly table: string
  readonly signal: AbortSignal
  reportTrouble(error: Error | null): void
}

/** Repeats what is done with a table while its storage cannot be reached, and reports that to the user. */
export class TableRetry {
  readonly #options: TableRetryOptions
  readonly #trouble: TroubleReporter

  constructor(options: TableRetryOptions) {
    this.#options = options
    this.#trouble = new TroubleReporter(options.ports.clock, (error) => {
      options.reportTrouble(error)
    })
  }

  /** Rejects with errors that do not pass, with the last one after `patienceMs`, and with DELTA_CLOSED once aborted. */
  run<T>(doing: string, patienceMs: number, call: () => Promise<T>): Promise<T> {
    const { ports, table, signal } = this.#options
    return retrying(
      {
        clock: ports.clock,
        rng: ports.rng,
        trouble: this.#trouble,
        signal,
        policy: {
          isRetriable: (error) => error instanceof MillraceError && error.retriable,
          describe: (what, error) =>
            error instanceof MillraceError
              ? error
              : new MillraceError('DELTA_FAILED', `${what} failed`, { domain: 'bug', cause: error }),
          closedCode: 'DELTA_CLOSED',
        },
      },
      `${doing} the Delta table ${table}`,
      patienceMs,
      call,
    )
  }
}
