import type { StagedOutput, StagedSender, Staged } from '../kit/staged-writer.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Fields } from '../../model/fields.ts'
import type { Row } from '../../model/schema.ts'
import type { RoutedBatch } from './batching.ts'
import type { OpenedSink } from './sink-writer.ts'
import { decodeStaged, encodeStaged } from './staged-file.ts'

/** A checkpoint keeps this of batches that are to be sent. */
type AboutTopic = { readonly topic: string; readonly partitions: number }

/**
 * Batches that wait for their checkpoint, with the sequence ids that were given to them: a broker that deduplicates says
 * how far it has stored those of a producer.
 */
export class PulsarStagedOutput implements StagedOutput<RoutedBatch, AboutTopic> {
  readonly target: string
  readonly encode = encodeStaged
  readonly decode = decodeStaged
  readonly #sink: OpenedSink
  readonly #name: string
  #isDeduplicationSeen = false

  constructor(sink: OpenedSink, topic: string, name: string) {
    this.#sink = sink
    this.target = topic
    this.#name = name
  }

  add(row: Row): Iterable<RoutedBatch> {
    const { batching, messages } = this.#sink
    return batching.add(messages.of(row))
  }

  takeOpen(): Iterable<RoutedBatch> {
    return this.#sink.batching.takeOpen()
  }

  bytesOf({ batch }: RoutedBatch): number {
    return batch.payload.length
  }

  about(): Promise<AboutTopic> {
    return Promise.resolve({ topic: this.target, partitions: this.#sink.topic.partitions })
  }

  readAbout({ topic, partitions }: Fields): AboutTopic | undefined {
    return typeof topic === 'string' && typeof partitions === 'number' ? { topic, partitions } : undefined
  }

  targetOf({ topic }: AboutTopic): string {
    return topic
  }

  sender({ about, producer }: Staged<AboutTopic>): StagedSender<RoutedBatch> {
    const { topic } = this.#sink
    return {
      send: (batch) => this.#send(about, producer, batch),
      flush: () => topic.flush(),
      end: () => {
        if (producer !== this.#name) topic.retire(producer)
      },
    }
  }

  close(): Promise<void> {
    return this.#sink.topic.close()
  }

  async #send({ partitions }: AboutTopic, producer: string, batch: RoutedBatch): Promise<void> {
    const { topic } = this.#sink
    if (batch.partition >= Math.max(1, partitions))
      throw new MillraceError('PULSAR_STAGED_CORRUPT', `a batch for partition ${batch.partition} of ${partitions}`)
    const sender = topic.producer(producer, batch.partition)
    if (batch.first + batch.batch.messages - 1 <= (await sender.lastStored())) {
      this.#isDeduplicationSeen = true
      return
    }
    await topic.send(producer, batch)
    // a broker that deduplicates knows what it has just stored; another one would store it twice after a failure
    if (!this.#isDeduplicationSeen && (await sender.askLastStored()) < 0) throw this.#noDeduplication()
    this.#isDeduplicationSeen = true
  }

  #noDeduplication(): MillraceError {
    return new MillraceError(
      'PULSAR_NO_DEDUPLICATION',
      `the Pulsar at ${this.#sink.topic.serviceUrl} does not deduplicate ${this.target}: rows would be written twice after a failure`,
      {
        domain: 'user',
        hint: 'Turn it on (pulsar-admin namespaces set-deduplication -e TENANT/NAMESPACE), or take delivery: atLeastOnce.',
      },
    )
  }
}
