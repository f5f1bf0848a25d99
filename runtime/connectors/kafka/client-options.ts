import { MillraceError } from '../../model/errors.ts'
import type { SecretFiles } from '../../ports/files.ts'
import type { KafkaClientOptions } from './client.ts'
import type { KafkaSecurity } from './declaration.ts'

/** Adds the password out of its file. It goes nowhere but into the client. */
export async function clientOptions(
  brokers: readonly string[],
  security: KafkaSecurity,
  clientId: string,
  secrets: SecretFiles,
): Promise<KafkaClientOptions> {
  const options: KafkaClientOptions = { brokers, clientId, ...(security.tls ? { tls: {} } : {}) }
  if (security.sasl === undefined) return options
  const { mechanism, username, passwordFile } = security.sasl
  try {
    options.sasl = { mechanism, username, password: (await secrets.read(passwordFile)).replace(/\r?\n$/, '') }
    return options
  } catch (cause) {
    throw new MillraceError('KAFKA_PASSWORD_UNREADABLE', `cannot read the Kafka password from ${passwordFile}`, {
      domain: 'user',
      cause,
      hint: 'Mount the Secret at this path.',
    })
  }
}
