import type { SystemReports } from '../system-reports.ts'
import type { Ports } from '../../ports/ports.ts'
import { retrying } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import { readTlsMaterial } from '../../ports/tls-material.ts'
import type { KuduClient, KuduConnect, KuduConnectOptions } from './client.ts'
import type { KuduTableOptions } from './declaration.ts'
import { asMillraceError, isRetriable } from './errors.ts'

export type KuduConnectionOptions = Pick<KuduTableOptions, 'masters' | 'user' | 'tls' | 'serverCertificates'>

/** A client whose calls are tried again while the cluster cannot answer, which the user is told. */
export class KuduAccess {
  readonly client: KuduClient
  readonly #ports: Ports
  readonly #trouble: TroubleReporter
  readonly #closing = new AbortController()
  readonly #signal: AbortSignal

  constructor(
    connect: KuduConnect,
    options: KuduConnectionOptions,
    context: SystemReports & { ports: Ports; stopping?: AbortSignal },
  ) {
    const { ports, stopping } = context
    this.#ports = ports
    const { masters, user } = options
    this.client = connect({
      masters,
      user,
      tls: encryptionOf(options, ports),
      clock: ports.clock,
      idleConnections: 'hold the process',
      clientId: ports.rng.id(),
    })
    this.#trouble = new TroubleReporter(ports.clock, context)
    this.#signal = stopping === undefined ? this.#closing.signal : AbortSignal.any([this.#closing.signal, stopping])
  }

  /**
   * Rejects with a MillraceError: one that does not pass, the last one after `patienceMs`, or KUDU_CLOSED, also when
   * `signal` is aborted.
   */
  async ask<T>(
    doing: string,
    patienceMs: number,
    call: (client: KuduClient) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const { clock, rng } = this.#ports
    const { masters } = this.client
    const policy = {
      isRetriable,
      describe: (what: string, error: unknown) => asMillraceError(what, masters, error),
      closedCode: 'KUDU_CLOSED',
    }
    try {
      return await retrying(
        {
          clock,
          rng,
          trouble: this.#trouble,
          policy,
          signal: signal === undefined ? this.#signal : AbortSignal.any([this.#signal, signal]),
        },
        doing,
        patienceMs,
        () => call(this.client),
      )
    } catch (error) {
      throw asMillraceError(doing, masters, error)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.client.close()
  }
}

function encryptionOf(
  { masters, tls = false, serverCertificates: certificates }: KuduConnectionOptions,
  { logger, secretFiles }: Ports,
): KuduConnectOptions['tls'] {
  if (tls === false) return undefined
  if (certificates === 'ignore')
    logger.warn('connections to Kudu are encrypted, and nobody checks who answers', {
      masters: masters.join(','),
      because: 'serverCertificates: ignore',
    })
  return async () => ({ material: await readTlsMaterial(tls, secretFiles), certificates })
}
