import { MillraceError } from '../../model/errors.ts'
import type { Ports } from '../../ports/ports.ts'
import type { SystemReports } from '../system-reports.ts'
import { retrying } from './retry.ts'
import { TroubleReporter } from './trouble-reporter.ts'

export interface StorageRetryOptions {
  readonly ports: Pick<Ports, 'clock' | 'rng'>
  /** How messages name what is used: `the Delta table s3://…`. */
  readonly name: string
  /** As RetryPolicy.closedCode. */
  readonly closedCode: string
  readonly signal: AbortSignal
  readonly reports: SystemReports
}

/** Repeats what is done with a storage for objects while it cannot be reached, and reports that to the user. */
export class StorageRetry {
  readonly #options: StorageRetryOptions
  readonly #trouble: TroubleReporter

  constructor(options: StorageRetryOptions) {
    this.#options = options
    this.#trouble = new TroubleReporter(options.ports.clock, options.reports)
  }

  /** Rejects with errors that do not pass, with the last one after `patienceMs`, and with `closedCode` once aborted. */
  run<T>(doing: string, patienceMs: number, call: () => Promise<T>): Promise<T> {
    const { ports, name, closedCode, signal } = this.#options
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
              : new MillraceError('STORAGE_FAILED', `${what} failed`, { domain: 'bug', cause: error }),
          closedCode,
        },
      },
      `${doing} ${name}`,
      patienceMs,
      call,
    )
  }
}
