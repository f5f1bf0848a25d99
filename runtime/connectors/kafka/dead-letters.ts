import type { KafkaClient, KafkaConnect } from './client.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { DeadLetter, DeadLetterConnector, DeadLetterContext, DeadLetters } from '../dead-letters.ts'
import { loadBatchCodecs } from './batch-codecs.ts'
import { BatchProducer, PATIENCE_MS } from './batch-producer.ts'
import { clientOptions } from './client-options.ts'
import { asMillraceError } from './errors.ts'
import { readDeadLetterOptions } from './declaration.ts'
import { retrying, TroubleReporter } from '../kit/retry.ts'
import type { RetryEnvironment } from '../kit/retry.ts'

const REASON = Buffer.from('millrace.reason')

/**
 * Dead letters into a topic, at least once: the value is the record as it was, the key its place (`topic/partition
 * offset n`), so that it can be found and a repeated one recognised; the header `millrace.reason` says what was wrong.
 */
export function kafkaDeadLetters(connect: KafkaConnect): DeadLetterConnector {
  return {
    validate: (options) => readDeadLetterOptions(options).problems,
    open: (context) => openKafkaDeadLetters(connect, context),
  }
}

/** Rejects with KAFKA_OPTIONS_INVALID, KAFKA_TOPIC_UNKNOWN or KAFKA_UNREACHABLE. */
async function openKafkaDeadLetters(
  connect: KafkaConnect,
  { options, ports, slot, stopping, reportTrouble }: DeadLetterContext,
): Promise<DeadLetters> {
  const { value, problems } = readDeadLetterOptions(options)
  if (problems.length > 0)
    throw new MillraceError(
      'KAFKA_OPTIONS_INVALID',
      problems.map(({ path, message }) => `${path}: ${message}`).join('; '),
      { domain: 'user' },
    )
  await loadBatchCodecs()
  const client = connect(await clientOptions(value.brokers, value.security, 'millrace-dead-letters', ports.files))
  const environment: RetryEnvironment = {
    clock: ports.clock,
    rng: ports.rng,
    bootstrap: client.bootstrap,
    signal: stopping,
    trouble: new TroubleReporter(ports.clock, reportTrouble),
  }
  const producer = new BatchProducer({ client, environment, topic: value.topic, codec: 'none' })
  try {
    await retrying(environment, `looking up topic ${value.topic}`, PATIENCE_MS, () => producer.loadTopic())
    const { producerId, epoch } = await retrying(environment, 'asking for a producer id', PATIENCE_MS, () =>
      client.initProducerId(null, 0),
    )
    producer.useSession({ producerId, epoch, transaction: null, begin: () => Promise.resolve() })
  } catch (error) {
    await client.close()
    throw asMillraceError(`opening dead letter topic ${value.topic}`, client.bootstrap, error)
  }
  return new KafkaDeadLetters({
    client,
    producer,
    partition: slot % producer.partitions,
    clock: ports.clock,
    failure: (error) => asMillraceError(`writing dead letters to topic ${value.topic}`, client.bootstrap, error),
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

  add({ where, reason, record }: DeadLetter): void {
    const { producer, partition, clock, failure } = this.#parts
    const value =
      typeof record === 'string'
        ? Buffer.from(record)
        : Buffer.from(record.buffer, record.byteOffset, record.byteLength)
    try {
      const room = producer.append(partition, Buffer.from(where), value, clock.now(), [
        { name: REASON, value: Buffer.from(reason) },
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
