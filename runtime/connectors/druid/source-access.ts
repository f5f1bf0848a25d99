import { retrying } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import { MillraceError } from '../../model/errors.ts'
import type { SourceContext } from '../source.ts'
import type { DruidSourceOptions } from './declaration.ts'
import { DruidQueries } from './druid-queries.ts'
import { DruidService } from './druid-service.ts'

/** Asks a Druid again and again while it cannot answer, and reports that to the user. */
export class DruidAccess {
  readonly #context: SourceContext
  readonly #closing = new AbortController()
  readonly #queries: DruidQueries
  readonly #trouble: TroubleReporter

  constructor(context: SourceContext, options: DruidSourceOptions) {
    this.#context = context
    this.#queries = new DruidQueries(new DruidService(options, context.ports, this.#closing.signal))
    this.#trouble = new TroubleReporter(context.ports.clock, context)
  }

  /** Rejects with errors that do not pass, with the last one after `patienceMs`, and with DRUID_CLOSED after `close`. */
  ask<T>(what: string, patienceMs: number, call: (queries: DruidQueries) => Promise<T>): Promise<T> {
    const { clock, rng } = this.#context.ports
    return retrying(
      {
        clock,
        rng,
        trouble: this.#trouble,
        signal: this.#closing.signal,
        policy: {
          isRetriable: (error) => error instanceof MillraceError && error.retriable,
          describe: (doing, error) =>
            error instanceof MillraceError
              ? error
              : new MillraceError('DRUID_FAILED', `${doing} failed`, { domain: 'bug', cause: error }),
          closedCode: 'DRUID_CLOSED',
        },
      },
      what,
      patienceMs,
      () => call(this.#queries),
    )
  }

  close(): void {
    this.#closing.abort()
  }
}
