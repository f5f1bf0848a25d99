import type { KafkaClient, KafkaConnect } from './client.ts'
import type { MillraceError } from '../../model/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { DeadLetter, DeadLetterConnector, DeadLetterContext, DeadLetters } from '../dead-letters.ts'
import { loadRecordCodecs } from '../kit/record-codecs.ts'
import { BatchProducer, PATIENCE_MS } from './batch-producer.ts'
import { clientOptions } from './client-options.ts'
import { asMillraceError } from './errors.ts'
import type { KafkaDeadLetterOptions } from './declaration.ts'
import { recordBytes } from '../kit/dead-letter-record.ts'
import { retrying, type RetryEnvironment } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import { kafkaRetryPolicy } from './retry-policy.ts'

const REASON = Buffer.from('millrace.reason')

/**
 * Dead letters into a topic, at least once. The value is the record as it was. The key is its place (`topic/partition
 * offset n`), so that it can be found and a repeated letter recognised. The header `millrace.reason` holds the error.
 */
export function kafkaDeadLetters(connect: KafkaConnect, options: KafkaDeadLetterOptions): DeadLetterConnector {
  return { open: (context) => openKafkaDeadLetters(connect, options, context) }
}

/** Rejects with KAFKA_TOPIC_UNKNOWN or KAFKA_UNREACHABLE. */
async function openKafkaDeadLetters(
  connect: KafkaConnect,
  { topic, brokers, security }: KafkaDeadLetterOptions,
  context: DeadLetterContext,
): Promise<DeadLetters> {
  const { ports, slot, stopping } = context
  await loadRecordCodecs()
  const client = connect(await clientOptions(brokers, security, 'millrace-dead-letters', ports))
  const environment: RetryEnvironment = {
    clock: ports.clock,
    rng: ports.rng,
    policy: kafkaRetryPolicy(client.bootstrap),
    signal: stopping,
    trouble: new TroubleReporter(ports.clock, context),
  }
  const producer = new BatchProducer({ client, environment, topic, codec: 'none' })
  try {
    await retrying(environment, `looking up topic ${topic}`, PATIENCE_MS, () => producer.loadTopic())
    const { producerId, epoch } = await retrying(environment, 'asking for a producer id', PATIENCE_MS, () =>
      client.initProducerId(null, 0),
    )
    producer.useSession({ producerId, epoch, transaction: null, begin: () => Promise.resolve() })
  } catch (error) {
    await client.close()
    throw asMillraceError(`opening dead letter topic ${topic}`, client.bootstrap, error)
  }
  return new KafkaDeadLetters({
    client,
    producer,
    partition: slot % producer.partitions,
    clock: ports.clock,
    failure: (error) => asMillraceError(`writing dead letters to topic ${topic}`, client.bootstrap, error),
  })
}

interface LetterParts {
  client: KafkaClient
  producer: BatchProducer
  partition: number
  clock: Clock
  failure(error: unknown): MillraceError
}

class KafkaDeadLetters implements DeadLetters {
  readonly #parts: LetterParts
  #isFull = false

  constructor(parts: LetterParts) {
    this.#parts = parts
  }

  add(letter: DeadLetter): void {
    const { producer, partition, clock, failure } = this.#parts
    try {
      const room = producer.append(partition, Buffer.from(letter.where), recordBytes(letter), clock.now(), [
        { name: REASON, value: Buffer.from(letter.reason) },
      ])
      // The producer keeps what sending fails with: the next push throws it.
      room?.catch(() => undefined)
      this.#isFull ||= room !== undefined
    } catch (error) {
      throw failure(error)
    }
  }

  push(): Promise<void> | undefined {
    const { producer, failure } = this.#parts
    try {
      producer.push()
    } catch (error) {
      throw failure(error)
    }
    if (!this.#isFull) return undefined
    this.#isFull = false
    return this.flush()
  }

  async flush(): Promise<void> {
    const { producer, failure } = this.#parts
    try {
      await producer.flush()
    } catch (error) {
      throw failure(error)
    }
  }

  close(): Promise<void> {
    return this.#parts.client.close()
  }
}
