import type { RowWriter } from '../../codegen/contracts.ts'
import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import { retrying, type RetryEnvironment } from '../kit/retry.ts'
import { writerName } from '../kit/writer-names.ts'
import type { Committable, ProbeContext, SinkContext, SinkWriter } from '../sink.ts'
import { openClient, retryEnvironment } from './access.ts'
import type { NatsClient, NatsConnect, StreamState } from './client.ts'
import type { NatsSinkOptions } from './declaration.ts'
import { OutgoingMessages } from './outgoing-messages.ts'
import { PATIENCE_MS, Publisher } from './publisher.ts'

/** What both deliveries publish with. */
export interface OpenedSink {
  readonly client: NatsClient
  readonly environment: RetryEnvironment
  readonly messages: OutgoingMessages
  readonly stream: StreamState
}

/** Looks the stream up, which has to exist and take the subject. `context.stopping` ends what waits. */
export async function openSink(
  connect: NatsConnect,
  options: NatsSinkOptions,
  context: ProbeContext,
  writer: RowWriter,
): Promise<OpenedSink> {
  const client = openClient(connect, options, context.ports)
  const environment = retryEnvironment(context, context.stopping)
  try {
    return await retrying(environment, `looking up the stream ${options.stream}`, PATIENCE_MS, async () => {
      const stream = await client.stream(options.stream)
      const maxPayload = await client.maxPayload()
      return {
        client,
        environment,
        stream,
        messages: new OutgoingMessages(context.schema, options, { stream, maxPayload, writer }),
      }
    })
  } catch (error) {
    await client.close()
    throw error
  }
}

/** At least once: rows are published as they come, and a barrier waits until all of them are stored. */
export class NatsSinkWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #options: NatsSinkOptions
  readonly #open: () => Promise<OpenedSink>
  #opened: { readonly sink: OpenedSink; readonly publisher: Publisher } | undefined
  #next = 0

  constructor(context: SinkContext, options: NatsSinkOptions, open: () => Promise<OpenedSink>) {
    this.#context = context
    this.#options = options
    this.#open = open
  }

  async open(): Promise<void> {
    const sink = await this.#open()
    const { client, environment } = sink
    const { stream, inFlight: window } = this.#options
    const writer = writerName(this.#context)
    this.#opened = { sink, publisher: new Publisher({ client, stream, writer, window, environment }) }
  }

  async write(batch: Batch): Promise<void> {
    const { sink, publisher } = this.#sink()
    const rows = batch.rows()
    for (let index = 0; index < batch.count; index++) {
      const row = rows[index]
      if (row !== undefined) await publisher.send({ ...sink.messages.of(row), n: this.#next++ })
    }
    await publisher.push()
  }

  async prepareCommit(): Promise<Committable[]> {
    await this.#sink().publisher.flush()
    return []
  }

  async close(): Promise<void> {
    await this.#opened?.sink.client.close()
  }

  #sink(): { readonly sink: OpenedSink; readonly publisher: Publisher } {
    if (this.#opened === undefined)
      throw new MillraceError('NATS_SINK_NOT_OPEN', `the NATS sink ${this.#context.operatorId} was used before open`)
    return this.#opened
  }
}
