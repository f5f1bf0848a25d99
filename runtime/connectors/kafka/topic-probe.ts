import { retrying } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import type { ProbeContext } from '../sink.ts'
import type { KafkaConnect } from './client.ts'
import { clientOptions } from './client-options.ts'
import type { KafkaSinkOptions } from './declaration.ts'
import { asMillraceError } from './errors.ts'
import { kafkaRetryPolicy } from './retry-policy.ts'
import { existing } from './split-enumerator.ts'

/** Below the 15 s within which a user hears of a wrong address. */
const PATIENCE_MS = 8000

/** Looks whether the topic of a sink is there, or would be made. */
export async function probeTopic(
  context: ProbeContext,
  { brokers, security, topic, createTopic }: KafkaSinkOptions,
  connect: KafkaConnect,
): Promise<string> {
  const { operatorId, ports, stopping } = context
  const client = connect(await clientOptions(brokers, security, `millrace-${operatorId}`, ports))
  const trouble = new TroubleReporter(ports.clock, context)
  const policy = kafkaRetryPolicy(client.bootstrap)
  try {
    return await retrying(
      { clock: ports.clock, rng: ports.rng, trouble, policy, signal: stopping },
      'looking up the topic',
      PATIENCE_MS,
      async () => {
        const { topics } = await client.metadata([topic])
        if (createTopic !== undefined && !topics.some(({ name, id }) => name === topic && id !== undefined))
          return `there is no topic ${topic}; the job creates it`
        return `topic ${topic} of ${existing(topics, topic, client.bootstrap).partitions.length} partitions`
      },
    )
  } catch (error) {
    throw asMillraceError('looking up the topic', client.bootstrap, error)
  } finally {
    await client.close()
  }
}
