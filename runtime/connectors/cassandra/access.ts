import type { SystemReports } from '../system-reports.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Ports } from '../../ports/ports.ts'
import { readTlsMaterial } from '../../ports/tls-material.ts'
import { readLogin } from '../kit/auth-option.ts'
import { retrying } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import type { CassandraClient, CassandraConnect } from './client.ts'
import type { CassandraTableOptions } from './declaration.ts'

/** A client whose calls are tried again while the cluster cannot answer, which the user is told. */
export class CassandraAccess {
  readonly #connect: CassandraConnect
  readonly #options: CassandraTableOptions
  readonly #ports: Ports
  readonly #trouble: TroubleReporter
  readonly #closing = new AbortController()
  readonly #signal: AbortSignal
  #client: CassandraClient | undefined

  constructor(
    connect: CassandraConnect,
    options: CassandraTableOptions,
    context: SystemReports & { ports: Ports; stopping: AbortSignal },
  ) {
    this.#connect = connect
    this.#options = options
    this.#ports = context.ports
    this.#trouble = new TroubleReporter(context.ports.clock, context)
    this.#signal = AbortSignal.any([this.#closing.signal, context.stopping])
  }

  /**
   * Rejects with a MillraceError: one that does not pass, the last one after `patienceMs`, or CASSANDRA_CLOSED, also
   * when `signal` is aborted.
   */
  ask<T>(
    doing: string,
    patienceMs: number,
    call: (client: CassandraClient) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const { clock, rng } = this.#ports
    const environment = {
      clock,
      rng,
      trouble: this.#trouble,
      policy: RETRIES,
      signal: signal === undefined ? this.#signal : AbortSignal.any([this.#signal, signal]),
    }
    return retrying(environment, doing, patienceMs, async () => call(this.#opened()))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#client?.close()
  }

  #opened(): CassandraClient {
    return (this.#client ??= this.#open())
  }

  #open(): CassandraClient {
    const { hosts, datacenter, consistency, auth, tls } = this.#options
    const { secretFiles } = this.#ports
    return this.#connect({
      hosts,
      datacenter,
      consistency,
      ...(auth === undefined ? {} : { login: () => readLogin(auth, hosts, secretFiles) }),
      ...(tls === false ? {} : { tls: () => readTlsMaterial(tls, secretFiles) }),
    })
  }
}

/** Tells errors that pass by themselves from others. */
export const RETRIES = {
  isRetriable: (error: unknown): boolean => error instanceof MillraceError && error.retriable,
  describe: (what: string, error: unknown): MillraceError =>
    error instanceof MillraceError
      ? error
      : new MillraceError('CASSANDRA_FAILED', `${what} failed`, { domain: 'bug', cause: error }),
  closedCode: 'CASSANDRA_CLOSED',
}
