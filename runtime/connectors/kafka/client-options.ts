import { MillraceError } from '../../model/errors.ts'
import type { SecretFiles } from '../../ports/files.ts'
import type { Ports } from '../../ports/ports.ts'
import { readTlsMaterial } from '../../ports/tls-material.ts'
import { allowedHosts } from '../kit/allowed-hosts.ts'
import { checkHost, type KafkaClientOptions, type KafkaCredentials } from './client.ts'
import type { KafkaLogin, KafkaSecurity } from './declaration.ts'
import { EndpointTokens, type TokenRefusal } from '../kit/client-credentials.ts'

const TOKEN_REFUSAL: TokenRefusal = {
  code: 'KAFKA_TOKEN_REFUSED',
  hint: 'Check sasl.tokenEndpoint: its url, clientId, scope, and what the file at clientSecretFile holds.',
}

type LoginPorts = Pick<Ports, 'clock' | 'httpClient' | 'secretFiles'>

/**
 * Reads what a client needs beside addresses, once for a good error at the start; the client reads it again for each
 * connection. It goes nowhere but into the client.
 */
export async function clientOptions(
  brokers: readonly string[],
  security: KafkaSecurity,
  clientId: string,
  ports: LoginPorts,
): Promise<KafkaClientOptions> {
  if (security.tls === false && security.sasl === undefined) return { brokers, clientId }
  const { sasl } = security
  const tokens =
    sasl?.mechanism === 'OAUTHBEARER' && 'endpoint' in sasl.token
      ? new EndpointTokens(sasl.token.endpoint, TOKEN_REFUSAL, ports)
      : undefined
  const credentials = (): Promise<KafkaCredentials> => readCredentials(security, ports.secretFiles, tokens)
  const now = await credentials()
  for (const broker of brokers) checkHost(now, broker)
  return { brokers, clientId, credentials }
}

async function readCredentials(
  { tls, sasl }: KafkaSecurity,
  secrets: SecretFiles,
  tokens: EndpointTokens | undefined,
): Promise<KafkaCredentials> {
  return {
    ...(tls === false ? {} : { tls: await readTlsMaterial(tls, secrets) }),
    ...(sasl === undefined ? {} : await readLogin(sasl, secrets, tokens)),
  }
}

async function readLogin(
  login: KafkaLogin,
  secrets: SecretFiles,
  tokens: EndpointTokens | undefined,
): Promise<Pick<KafkaCredentials, 'sasl' | 'allowedHosts'>> {
  if (tokens !== undefined) return { sasl: { mechanism: 'OAUTHBEARER', token: await tokens.token() } }
  const file = login.mechanism !== 'OAUTHBEARER' ? login.passwordFile : 'file' in login.token ? login.token.file : ''
  const secret = await readSecret(file, secrets)
  const sasl =
    login.mechanism === 'OAUTHBEARER'
      ? { mechanism: login.mechanism, token: secret.text }
      : { mechanism: login.mechanism, username: login.username, password: secret.text }
  return { sasl, ...(secret.hosts === undefined ? {} : { allowedHosts: secret.hosts }) }
}

async function readSecret(
  file: string,
  secrets: SecretFiles,
): Promise<{ text: string; hosts: readonly string[] | undefined }> {
  try {
    return { text: (await secrets.read(file)).replace(/\r?\n$/, ''), hosts: await allowedHosts(file, secrets) }
  } catch (cause) {
    throw new MillraceError('KAFKA_PASSWORD_UNREADABLE', `cannot read the Kafka password or token from ${file}`, {
      domain: 'user',
      cause,
      hint: 'Mount the Secret at this path.',
    })
  }
}
