import { retrying, type RetryEnvironment } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import type { ProbeContext } from '../sink.ts'
import { openClient } from './access.ts'
import type { RoutedBatch } from './batching.ts'
import type { PulsarClient } from './client.ts'
import type { PulsarSinkOptions } from './declaration.ts'
import { partitionTopic } from './declared/topic-option.ts'
import { asMillraceError } from './errors.ts'
import { Producer } from './producer.ts'
import { pulsarRetryPolicy } from './retry-policy.ts'
import type { PulsarTransport } from './transport.ts'

const PATIENCE_MS = 30_000

/** The partitions of a topic as a writer sees them, and the producers that write to them. */
export class TopicWriter {
  /** 0: a single topic. */
  readonly partitions: number
  readonly maxMessageBytes: number
  readonly #client: PulsarClient
  readonly #environment: RetryEnvironment
  readonly #topic: string
  /** By the name of the producer, then by partition. */
  readonly #producers = new Map<string, Map<number, Producer>>()

  private constructor(
    client: PulsarClient,
    environment: RetryEnvironment,
    topic: string,
    found: { partitions: number; maxMessageBytes: number },
  ) {
    this.#client = client
    this.#environment = environment
    this.#topic = topic
    this.partitions = found.partitions
    this.maxMessageBytes = found.maxMessageBytes
  }

  /** Looks the topic up, which has to exist. `context.stopping` ends what waits. */
  static async open(
    transport: PulsarTransport,
    options: PulsarSinkOptions,
    context: Pick<ProbeContext, 'ports' | 'stopping' | 'reportTrouble'>,
  ): Promise<TopicWriter> {
    const { clock, rng } = context.ports
    const { topic } = options
    const client = await openClient(transport, options, context.ports)
    const environment: RetryEnvironment = {
      clock,
      rng,
      trouble: new TroubleReporter(clock, context),
      policy: pulsarRetryPolicy(client.serviceUrl),
      signal: context.stopping,
    }
    const doing = `looking up topic ${topic}`
    try {
      const found = await retrying(environment, doing, PATIENCE_MS, async () => {
        const partitions = await client.partitions(topic)
        const connection = await client.serving(partitions === 0 ? topic : partitionTopic(topic, 0))
        return { partitions, maxMessageBytes: connection.maxMessageBytes }
      })
      return new TopicWriter(client, environment, topic, found)
    } catch (error) {
      await client.close()
      throw asMillraceError(doing, client.serviceUrl, error)
    }
  }

  get serviceUrl(): string {
    return this.#client.serviceUrl
  }

  /** Resolves when there is room for more. */
  send(producerName: string, { partition, first, batch }: RoutedBatch): Promise<void> {
    return this.producer(producerName, partition).send(batch, first)
  }

  /** The producer of that name for one partition, 0 for a single topic. It is opened when it is first used. */
  producer(name: string, partition: number): Producer {
    let named = this.#producers.get(name)
    if (named === undefined) this.#producers.set(name, (named = new Map()))
    let producer = named.get(partition)
    if (producer === undefined) {
      const topic = this.partitions === 0 ? this.#topic : partitionTopic(this.#topic, partition)
      producer = new Producer({ client: this.#client, topic, name, environment: this.#environment })
      named.set(partition, producer)
    }
    return producer
  }

  /** Resolves when everything sent is stored. */
  async flush(): Promise<void> {
    const all = [...this.#producers.values()].flatMap((named) => [...named.values()])
    await Promise.all(all.map((producer) => producer.flush()))
  }

  /** Ends the producers of that name. */
  retire(name: string): void {
    for (const producer of this.#producers.get(name)?.values() ?? []) producer.close()
    this.#producers.delete(name)
  }

  async close(): Promise<void> {
    for (const name of [...this.#producers.keys()]) this.retire(name)
    await this.#client.close()
  }
}
