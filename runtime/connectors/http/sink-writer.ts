import { compileJsonWriter } from '../../codegen/json/json-writer.ts'
import { RecordBuffer } from '../../formats/record-buffer.ts'
import type { Batch } from '../../memory/batch.ts'
import { authHeaders } from '../kit/auth-option.ts'
import { retrying, type RetryEnvironment } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import type { SinkContext, SinkWriter } from '../sink.ts'
import type { HttpSinkOptions } from './declaration.ts'
import { HttpRefusal } from './refusal.ts'
import { callService } from '../kit/service-call.ts'
import { servicePolicy } from './service.ts'

/** Then the attempt ends, and the job restarts from its checkpoint. */
const PATIENCE_MS = 600_000
/** A request is sent when its body has this many bytes, whatever the number of its rows. */
const BODY_BYTES = 1024 * 1024

/**
 * Sends rows in order, one request at a time, and everything before a checkpoint is prepared. After a restore the rows
 * behind the checkpoint are sent again, in requests that may be cut in other places.
 */
export class HttpSinkWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #options: HttpSinkOptions
  readonly #lines: RecordBuffer
  readonly #environment: RetryEnvironment
  readonly #closing = new AbortController()
  #waiting = 0
  #requests = 0
  #cancelLinger: (() => void) | undefined
  #sending: Promise<void> = Promise.resolve()
  #failure: unknown

  constructor(context: SinkContext, options: HttpSinkOptions) {
    const { ports, schema } = context
    this.#context = context
    this.#options = options
    this.#lines = new RecordBuffer(compileJsonWriter(schema, { timestampFormat: options.timestampFormat }))
    this.#environment = {
      clock: ports.clock,
      rng: ports.rng,
      trouble: new TroubleReporter(ports.clock, context),
      signal: AbortSignal.any([context.stopping, this.#closing.signal]),
      policy: servicePolicy,
    }
  }

  async open(): Promise<void> {
    const { auth, url } = this.#options
    // a Secret that is missing ends the attempt before there is a row to send
    await authHeaders(auth, url, this.#context.ports.secretFiles)
  }

  async write(batch: Batch): Promise<void> {
    const rows = batch.rows()
    for (let index = 0; index < batch.count; index++) {
      const row = rows[index]
      if (row === undefined) continue
      this.#lines.addLine(row)
      this.#waiting++
      if (this.#waiting < this.#options.rows && this.#lines.sizeBytes < BODY_BYTES) continue
      // a service that is slower than the job holds the job back
      await this.#sending
      this.#throwFailure()
      this.#send()
    }
    this.#linger()
  }

  async prepareCommit(): Promise<[]> {
    this.#send()
    await this.#sending
    this.#throwFailure()
    return []
  }

  async close(): Promise<void> {
    this.#cancelLinger?.()
    this.#closing.abort()
    await this.#sending
  }

  #linger(): void {
    if (this.#waiting === 0 || this.#cancelLinger !== undefined) return
    this.#cancelLinger = this.#context.ports.clock.after(this.#options.lingerMs, () => {
      this.#send()
    })
  }

  /** Sends what waits, behind what was sent before. */
  #send(): void {
    this.#cancelLinger?.()
    this.#cancelLinger = undefined
    if (this.#waiting === 0) return
    this.#waiting = 0
    const body = bodyOf(this.#options.body, this.#lines.take().toString('utf8'))
    this.#sending = this.#sending.then(() => this.#request(body))
  }

  /** Never rejects: the next call of the writer does. */
  async #request(body: string): Promise<void> {
    if (this.#failure !== undefined) return
    const { jobUid, operatorId, slot, attempt } = this.#context
    const key = `${jobUid}-${operatorId}-${slot}-${attempt}-${++this.#requests}`
    try {
      await retrying(this.#environment, `sending to ${this.#options.url}`, PATIENCE_MS, () => this.#try(body, key))
    } catch (error) {
      this.#failure ??= error
    }
  }

  async #try(body: string, key: string): Promise<void> {
    const { ports } = this.#context
    const { url, method } = this.#options
    const answer = await callService(ports, this.#options, {
      method,
      url,
      headers: {
        'content-type': this.#options.body === 'lines' ? 'application/x-ndjson' : 'application/json',
        'idempotency-key': key,
      },
      body,
      signal: this.#environment.signal,
    })
    if (answer.status < 200 || answer.status > 299) throw new HttpRefusal(url, answer, ports.clock.now())
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
}

function bodyOf(form: HttpSinkOptions['body'], lines: string): string {
  switch (form) {
    case 'lines':
      return lines
    case 'row':
      return lines.trimEnd()
    case 'array':
      return `[${lines.trimEnd().replaceAll('\n', ',')}]`
  }
}
