import type { Ports } from '../../ports/ports.ts'
import { readTlsMaterial } from '../../ports/tls-material.ts'
import { readSecretFor } from '../kit/auth-option.ts'
import { PulsarClient } from './client.ts'
import type { PulsarConnectionOptions } from './declaration.ts'
import type { PulsarTransport } from './transport.ts'

/** Rejects with what keeps the login or the certificates from being read, before anything is connected. */
export async function openClient(
  transport: PulsarTransport,
  { serviceUrl, tls, auth }: PulsarConnectionOptions,
  { clock, secretFiles }: Pick<Ports, 'clock' | 'secretFiles'>,
): Promise<PulsarClient> {
  const credentials: ConstructorParameters<typeof PulsarClient>[0]['credentials'] = async (address) => ({
    tls: tls === undefined ? undefined : await readTlsMaterial(tls, secretFiles),
    login:
      auth === undefined
        ? undefined
        : { method: 'token', data: Buffer.from(await readSecretFor(auth.tokenFile, address, secretFiles)) },
  })
  for (const address of serviceUrl.addresses) await credentials(address)
  return new PulsarClient({ url: serviceUrl, transport, credentials, clock })
}
