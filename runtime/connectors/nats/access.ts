import { MillraceError } from '../../model/errors.ts'
import type { Ports } from '../../ports/ports.ts'
import { readTlsMaterial } from '../../ports/tls-material.ts'
import { readLogin, readSecretFor } from '../kit/auth-option.ts'
import type { RetryEnvironment, RetryPolicy } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import type { SystemReports } from '../system-reports.ts'
import type { NatsClient, NatsConnect, NatsLogin } from './client.ts'
import type { NatsConnectionOptions } from './declaration.ts'

/** Nothing is connected before the first call, which rejects where the login or the certificates cannot be read. */
export function openClient(
  connect: NatsConnect,
  { servers, tls, auth }: NatsConnectionOptions,
  { secretFiles }: Pick<Ports, 'secretFiles'>,
): NatsClient {
  const login = async (): Promise<NatsLogin> => {
    const { username, passwordFile, tokenFile } = auth ?? {}
    if (username !== undefined && passwordFile !== undefined) {
      const read = await readLogin({ username, passwordFile }, servers, secretFiles)
      return { user: read.username, password: read.password }
    }
    let token = ''
    for (const server of servers) token = await readSecretFor(tokenFile ?? '', server, secretFiles)
    return { token }
  }
  return connect({
    servers,
    ...(auth === undefined ? {} : { login }),
    ...(tls === false ? {} : { tls: () => readTlsMaterial(tls, secretFiles) }),
  })
}

/** Repeats calls until `signal` is aborted; the user is told while they fail. */
export function retryEnvironment(
  context: SystemReports & { readonly ports: Pick<Ports, 'clock' | 'rng'> },
  signal: AbortSignal,
): RetryEnvironment {
  const { clock, rng } = context.ports
  return { clock, rng, trouble: new TroubleReporter(clock, context), policy: POLICY, signal }
}

const POLICY: RetryPolicy = {
  isRetriable: (error) => error instanceof MillraceError && error.retriable,
  describe: (what, error) =>
    error instanceof MillraceError
      ? error
      : new MillraceError('NATS_FAILED', `${what} failed`, { domain: 'bug', cause: error }),
  closedCode: 'NATS_CLOSED',
}
