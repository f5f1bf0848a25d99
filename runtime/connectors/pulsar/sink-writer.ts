import type { RowWriter } from '../../codegen/contracts.ts'
import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import { loadRecordCodecs } from '../kit/record-codecs.ts'
import { writerName } from '../kit/writer-names.ts'
import type { Committable, SinkContext, SinkWriter } from '../sink.ts'
import { Batching } from './batching.ts'
import type { PulsarSinkOptions } from './declaration.ts'
import { OutgoingMessages } from './outgoing-messages.ts'
import { TopicWriter } from './topic-writer.ts'
import type { PulsarTransport } from './transport.ts'

/** Makes batches of a topic's partitions from rows, for both deliveries. */
export interface OpenedSink {
  readonly topic: TopicWriter
  readonly messages: OutgoingMessages
  readonly batching: Batching
}

export async function openSink(
  transport: PulsarTransport,
  options: PulsarSinkOptions,
  context: SinkContext,
  openWriter: () => Promise<RowWriter>,
): Promise<OpenedSink> {
  await loadRecordCodecs()
  const writer = await openWriter()
  const topic = await TopicWriter.open(transport, options, context)
  return {
    topic,
    messages: new OutgoingMessages(context.schema, options.fields, writer),
    batching: new Batching({
      partitions: Math.max(1, topic.partitions),
      hashing: options.hashing,
      compression: options.compression,
      maxMessageBytes: topic.maxMessageBytes,
      slot: context.slot,
    }),
  }
}

/** At least once: rows are sent as they come, and a barrier waits until all of them are stored. */
export class PulsarSinkWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #open: () => Promise<OpenedSink>
  readonly #name: string
  #opened: OpenedSink | undefined

  constructor(context: SinkContext, open: () => Promise<OpenedSink>) {
    this.#context = context
    this.#open = open
    this.#name = writerName(context)
  }

  async open(): Promise<void> {
    this.#opened = await this.#open()
  }

  async write(batch: Batch): Promise<void> {
    const { topic, messages, batching } = this.#sink()
    const rows = batch.rows()
    for (let index = 0; index < batch.count; index++) {
      const row = rows[index]
      if (row === undefined) continue
      for (const full of batching.add(messages.of(row))) await topic.send(this.#name, full)
    }
    for (const rest of batching.takeOpen()) await topic.send(this.#name, rest)
  }

  async prepareCommit(): Promise<Committable[]> {
    await this.#sink().topic.flush()
    return []
  }

  async close(): Promise<void> {
    await this.#opened?.topic.close()
  }

  #sink(): OpenedSink {
    if (this.#opened === undefined)
      throw new MillraceError(
        'PULSAR_SINK_NOT_OPEN',
        `the Pulsar sink ${this.#context.operatorId} was used before open`,
      )
    return this.#opened
  }
}
