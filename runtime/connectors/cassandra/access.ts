import type { SystemReports } from '../system-reports.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Ports } from '../../ports/ports.ts'
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
  #client: Promise<CassandraClient> | undefined

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
      policy: POLICY,
      signal: signal === undefined ? this.#signal : AbortSignal.any([this.#signal, signal]),
    }
    return retrying(environment, doing, patienceMs, async () => call(await this.#opened()))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    // whoever waited for it was told why it did not open
    const client = await this.#client?.catch(() => undefined)
    await client?.close()
  }

  /** The password is read again after a connection that failed: the Secret may have been rotated. */
  #opened(): Promise<CassandraClient> {
    this.#client ??= this.#open().catch((error: unknown) => {
      this.#client = undefined
      throw error
    })
    return this.#client
  }

  async #open(): Promise<CassandraClient> {
    const { hosts, datacenter, consistency, auth } = this.#options
    const login = auth === undefined ? undefined : await readLogin(auth, hosts, this.#ports.secretFiles)
    return this.#connect({ hosts, datacenter, consistency, ...(login === undefined ? {} : { login }) })
  }
}

const POLICY = {
  isRetriable: (error: unknown): boolean => error instanceof MillraceError && error.retriable,
  describe: (what: string, error: unknown): MillraceError =>
    error instanceof MillraceError
      ? error
      : new MillraceError('CASSANDRA_FAILED', `${what} failed`, { domain: 'bug', cause: error }),
  closedCode: 'CASSANDRA_CLOSED',
}
