import type { RowWriter } from '../../codegen/contracts.ts'
import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import { recordOf } from '../kit/record-of.ts'
import { retrying, type RetryEnvironment, type RetryPolicy } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import type { SinkContext, SinkWriter } from '../sink.ts'
import type { FlumeSinkOptions } from './declaration.ts'
import { FlumeClient } from './flume-client.ts'
import type { FlumeEvent } from './flume-rpc.ts'

/** Then the attempt ends, and the job restarts from its checkpoint. */
const PATIENCE_MS = 600_000

const POLICY: RetryPolicy = {
  isRetriable: (error) => error instanceof MillraceError && error.domain !== 'user',
  describe: (what, error) =>
    error instanceof MillraceError
      ? error
      : new MillraceError('FLUME_FAILED', what, { domain: 'dependency', cause: error }),
  closedCode: 'FLUME_CLOSED',
}

/** Sends rows in batches, one at a time, each until an agent has answered OK: at least once, in order. */
export class FlumeSinkWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #options: FlumeSinkOptions
  readonly #client: FlumeClient
  readonly #environment: RetryEnvironment
  #writer: RowWriter | undefined

  constructor(context: SinkContext, options: FlumeSinkOptions) {
    const { clock, rng } = context.ports
    this.#context = context
    this.#options = options
    this.#client = new FlumeClient(context.ports, options)
    this.#environment = {
      clock,
      rng,
      trouble: new TroubleReporter(clock, context),
      signal: context.stopping,
      policy: POLICY,
    }
  }

  async open(): Promise<void> {
    const { schema, ports, baseDir } = this.#context
    const { format, timestampFormat } = this.#options
    this.#writer = await format.writer({ schema, ports, baseDir, timestampFormat })
  }

  async write(batch: Batch): Promise<void> {
    const writer = this.#writer
    if (writer === undefined) return
    const events = batch
      .rows()
      .slice(0, batch.count)
      .map((row) => this.#eventOf(writer, row))
    const { rows, connect } = this.#options
    for (let at = 0; at < events.length; at += rows) {
      const part = events.slice(at, at + rows)
      await retrying(this.#environment, `sending to ${connect.join(', ')}`, PATIENCE_MS, () => this.#client.send(part))
    }
  }

  async prepareCommit(): Promise<[]> {
    // every batch was answered before `write` returned
    return []
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  #eventOf(writer: RowWriter, row: Row): FlumeEvent {
    const headers = new Map<string, string>()
    for (const [header, field] of Object.entries(this.#options.headers)) {
      const value = row[field]
      if (typeof value === 'string') headers.set(header, value)
    }
    return { headers, body: recordOf(writer, row) }
  }
}
