import type { KafkaConnect } from '../../ports/kafka.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Ports } from '../../ports/ports.ts'
import { BatchProducer, PATIENCE_MS } from './batch-producer.ts'
import { clientOptions } from './client-options.ts'
import { asMillraceError } from './errors.ts'
import { readDeadLetterOptions } from './options.ts'
import { retrying, TroubleReporter } from './retry.ts'
import type { RetryEnvironment } from './retry.ts'

/**
 * Writes records that could not be read to a topic, at least once: the value is the record as it was, the key its
 * place (topic/partition offset n), so that it can be found, and repeated ones recognised.
 */
export class KafkaDeadLetters {
  readonly #ports: Ports
  readonly #producer: BatchProducer
  readonly #close: () => Promise<void>

  constructor(ports: Ports, producer: BatchProducer, close: () => Promise<void>) {
    this.#ports = ports
    this.#producer = producer
    this.#close = close
  }

  /** Rejects with KAFKA_OPTIONS_INVALID, KAFKA_TOPIC_UNKNOWN or KAFKA_UNREACHABLE. */
  static async open(connect: KafkaConnect, options: Readonly<Record<string, unknown>>, ports: Ports, reportTrouble: (error: Error | null) => void): Promise<KafkaDeadLetters> {
    const { value, problems } = readDeadLetterOptions(options)
    if (problems.length > 0) throw new MillraceError('KAFKA_OPTIONS_INVALID', problems.map(({ path, message }) => `${path}: ${message}`).join('; '), { domain: 'user' })
    const client = connect(await clientOptions(value.brokers, value.security, 'millrace-dead-letters', ports.files))
    let isClosed = false
    const environment: RetryEnvironment = {
      clock: ports.clock, rng: ports.rng, bootstrap: client.bootstrap, isClosed: () => isClosed,
      trouble: new TroubleReporter(ports.clock, reportTrouble),
    }
    const producer = new BatchProducer({ client, environment, topic: value.topic, codec: 'none' })
    try {
      await retrying(environment, `looking up topic ${value.topic}`, PATIENCE_MS, () => producer.loadTopic())
      const { producerId, epoch } = await retrying(environment, 'asking for a producer id', PATIENCE_MS, () => client.initProducerId(null, 0))
      producer.useSession({ producerId, epoch, transaction: null, begin: () => Promise.resolve() })
    } catch (error) {
      await client.close()
      throw asMillraceError(`opening dead letter topic ${value.topic}`, client.bootstrap, error)
    }
    return new KafkaDeadLetters(ports, producer, async () => { isClosed = true; await client.close() })
  }

  /** Undefined when there is room; otherwise wait for it. */
  add(where: string, raw: Uint8Array | string): Promise<void> | undefined {
    const value = typeof raw === 'string' ? Buffer.from(raw) : Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength)
    return this.#producer.append(0, Buffer.from(where), value, this.#ports.clock.now())
  }

  /** Before a checkpoint is acknowledged: resolves when the brokers have everything added so far. */
  flush(): Promise<void> { return this.#producer.flush() }

  close(): Promise<void> { return this.#close() }
}
