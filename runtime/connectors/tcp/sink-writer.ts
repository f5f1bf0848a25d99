import type { RowWriter } from '../../codegen/contracts.ts'
import { recordOf } from '../kit/record-of.ts'
import type { Batch } from '../../memory/batch.ts'
import type { SinkContext, SinkWriter } from '../sink.ts'
import type { TcpSinkOptions } from './declaration.ts'
import { framed } from './frames.ts'
import { RecordSender } from './record-sender.ts'

/** Sends rows in order. A checkpoint waits until the receiver, or without acknowledgements the kernel, has all of them. */
export class TcpSinkWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #options: TcpSinkOptions
  readonly #sender: RecordSender
  #writer: RowWriter | undefined

  constructor(context: SinkContext, options: TcpSinkOptions) {
    this.#context = context
    this.#options = options
    this.#sender = new RecordSender(options, context)
  }

  async open(): Promise<void> {
    const { schema, ports, baseDir } = this.#context
    const { format, timestampFormat } = this.#options
    this.#writer = await format.writer({ schema, ports, baseDir, timestampFormat })
  }

  async write(batch: Batch): Promise<void> {
    const writer = this.#writer
    if (writer === undefined) return
    const rows = batch.rows()
    const frames: Buffer[] = []
    for (let index = 0; index < batch.count; index++) {
      const row = rows[index]
      if (row !== undefined) frames.push(framed(recordOf(writer, row), this.#options.framing))
    }
    await this.#sender.send(frames)
  }

  async prepareCommit(): Promise<[]> {
    await this.#sender.flushed()
    return []
  }

  async close(): Promise<void> {
    this.#sender.close()
  }
}
