import { MillraceError } from '../../model/errors.ts'
import type { SecretFiles } from '../../ports/files.ts'
import { readTlsMaterial } from '../../ports/tls-material.ts'
import { allowedHosts } from '../kit/allowed-hosts.ts'
import { checkHost, type KafkaClientOptions, type KafkaCredentials } from './client.ts'
import type { KafkaSecurity } from './declaration.ts'

/**
 * Reads what a client needs beside addresses, once for a good error at the start; the client reads it again for each
 * connection. It goes nowhere but into the client.
 */
export async function clientOptions(
  brokers: readonly string[],
  security: KafkaSecurity,
  clientId: string,
  secrets: SecretFiles,
): Promise<KafkaClientOptions> {
  if (security.tls === false && security.sasl === undefined) return { brokers, clientId }
  const credentials = (): Promise<KafkaCredentials> => readCredentials(security, secrets)
  const now = await credentials()
  for (const broker of brokers) checkHost(now, broker)
  return { brokers, clientId, credentials }
}

async function readCredentials({ tls, sasl }: KafkaSecurity, secrets: SecretFiles): Promise<KafkaCredentials> {
  return {
    ...(tls === false ? {} : { tls: await readTlsMaterial(tls, secrets) }),
    ...(sasl === undefined ? {} : await readPassword(sasl, secrets)),
  }
}

async function readPassword(
  { mechanism, username, passwordFile }: NonNullable<KafkaSecurity['sasl']>,
  secrets: SecretFiles,
): Promise<Pick<KafkaCredentials, 'sasl' | 'allowedHosts'>> {
  try {
    const password = (await secrets.read(passwordFile)).replace(/\r?\n$/, '')
    const hosts = await allowedHosts(passwordFile, secrets)
    return { sasl: { mechanism, username, password }, ...(hosts === undefined ? {} : { allowedHosts: hosts }) }
  } catch (cause) {
    throw new MillraceError('KAFKA_PASSWORD_UNREADABLE', `cannot read the Kafka password from ${passwordFile}`, {
      domain: 'user',
      cause,
      hint: 'Mount the Secret at this path.',
    })
  }
}
