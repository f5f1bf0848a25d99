import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import { MAX_TIMESTAMP, MIN_TIMESTAMP, type Timestamp } from '../../model/time.ts'
import type { AsyncMapVerb, CallSettings } from '../../graph/verbs/async-map.ts'
import { emitBatches } from '../emit-batches.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'
import { type AsyncCall, createAsyncCall, isWorthRetrying } from './async-call.ts'

type Pending = { kind: 'call'; row: Row; outcome: Outcome | undefined } | { kind: 'watermark'; time: Timestamp }
type Outcome = { row: Row } | { error: unknown }

export function createAsyncMapStage(verb: AsyncMapVerb, context: OperatorContext): OperatorStage {
  return new CallStage(verb, createAsyncCall(verb, context), context)
}

/**
 * Calls the outside for each row, `capacity` rows at most under way (a result that waits for an earlier one
 * counts); a row more holds back the input. Flink's AsyncWaitOperator, with two differences: a barrier waits until
 * every call under way is done, so that nothing has to be kept as state (a checkpoint takes as long as the slowest
 * call), and a call that fails for good is an error of its row. A watermark goes on behind the results of all rows
 * before it, ordered or not.
 */
export class CallStage implements OperatorStage {
  readonly #settings: CallSettings
  readonly #context: OperatorContext
  readonly #call: AsyncCall
  readonly #pending: Pending[] = []
  readonly #aborts = new Set<(reason: unknown) => void>()
  /** Calls whose results have not gone on yet. */
  #calls = 0
  #passed: Timestamp = MIN_TIMESTAMP
  #isMailed = false
  /** Wakes who waits for a call to be done. */
  #wake: (() => void) | undefined

  constructor(settings: CallSettings, call: AsyncCall, context: OperatorContext) {
    this.#settings = settings
    this.#context = context
    this.#call = call
    context.stopping.addEventListener(
      'abort',
      () => {
        this.#giveUp()
      },
      { once: true },
    )
  }

  async process(batch: Batch): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    for (let i = 0; i < count; i++) {
      while (this.#calls >= this.#settings.capacity) await this.#handOnNext()
      this.#start(rows[i] as Row)
    }
    await this.#handOn()
  }

  async onWatermark(time: Timestamp): Promise<void> {
    const last = this.#pending.at(-1)
    if (last?.kind === 'watermark') last.time = time
    else this.#pending.push({ kind: 'watermark', time })
    if (time === MAX_TIMESTAMP) await this.drain()
    else await this.#handOn()
  }

  passedWatermark(): Timestamp {
    return this.#passed
  }

  async drain(): Promise<void> {
    await this.#handOn()
    while (this.#pending.length > 0) await this.#handOnNext()
  }

  close(): Promise<void> {
    this.#giveUp()
    return Promise.resolve()
  }

  #start(row: Row): void {
    const pending: Pending & { kind: 'call' } = { kind: 'call', row, outcome: undefined }
    this.#pending.push(pending)
    this.#calls += 1
    const done = (outcome: Outcome): void => {
      pending.outcome = outcome
      this.#onDone()
    }
    this.#tries(row).then(
      (result) => {
        done({ row: result })
      },
      (error: unknown) => {
        done({ error })
      },
    )
  }

  async #tries(row: Row): Promise<Row> {
    const { attempts, firstMs, lastMs } = this.#settings.retry
    for (let attempt = 1, waitMs = firstMs; ; attempt++, waitMs = Math.min(lastMs, waitMs * 2)) {
      try {
        return await this.#try(row, attempt)
      } catch (error) {
        if (this.#context.stopping.aborted || attempt >= attempts || !isWorthRetrying(error)) throw error
      }
      await this.#pause(waitMs)
    }
  }

  /** One try, ended by its answer, its time, or the end of the attempt. */
  #try(row: Row, attempt: number): Promise<Row> {
    const { timeoutMs } = this.#settings
    const controller = new AbortController()
    return new Promise<Row>((resolve, reject) => {
      const abort = (reason: unknown): void => {
        reject(reason)
        controller.abort(reason)
      }
      const end = this.#waiting(
        timeoutMs,
        () => {
          abort(
            new MillraceError('ASYNC_TIMEOUT', `no result within ${timeoutMs} ms`, {
              domain: 'dependency',
              retriable: true,
            }),
          )
        },
        abort,
      )
      this.#call(row, { signal: controller.signal, attempt }).finally(end).then(resolve, reject)
    })
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting(ms, resolve, reject)
    })
  }

  /** Calls one of the two once: after `ms`, or when the attempt ends. Returns how to take it back. */
  #waiting(ms: number, onTime: () => void, onEnd: (reason: unknown) => void): () => void {
    const end = (): void => {
      cancel()
      this.#aborts.delete(abort)
    }
    const abort = (reason: unknown): void => {
      end()
      onEnd(reason)
    }
    const cancel = this.#context.clock.after(ms, () => {
      end()
      onTime()
    })
    this.#aborts.add(abort)
    return end
  }

  #giveUp(): void {
    const reason = new MillraceError('ATTEMPT_ENDED', 'the attempt has ended', { domain: 'platform', retriable: true })
    for (const abort of [...this.#aborts]) abort(reason)
    this.#wake?.()
  }

  /** A loop that waits for room or for a barrier is woken; else a mail brings the loop here. */
  #onDone(): void {
    if (this.#wake !== undefined) {
      this.#wake()
      return
    }
    if (this.#isMailed || this.#context.stopping.aborted) return
    this.#isMailed = true
    this.#context.after(0, () => {
      this.#isMailed = false
      return this.#handOn()
    })
  }

  async #handOnNext(): Promise<void> {
    if (this.#context.stopping.aborted)
      throw new MillraceError('ATTEMPT_ENDED', 'the attempt has ended', { domain: 'platform', retriable: true })
    if (this.#firstReady() < 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    this.#wake = undefined
    await this.#handOn()
  }

  /** Where in the queue there is something that may go on now; -1: nowhere. */
  #firstReady(): number {
    const until =
      this.#settings.order === 'ordered' ? 1 : this.#pending.findIndex((pending) => pending.kind === 'watermark')
    const reach = until === 0 ? 1 : until < 0 ? this.#pending.length : until
    for (let at = 0; at < reach; at++) {
      const pending = this.#pending[at]
      if (pending?.kind === 'watermark' || (pending?.kind === 'call' && pending.outcome !== undefined)) return at
    }
    return -1
  }

  /** Hands on what may go on, rows in batches, each watermark behind the rows before it. */
  async #handOn(): Promise<void> {
    let out: Row[] = []
    for (let at = this.#firstReady(); at >= 0; at = this.#firstReady()) {
      const [pending] = this.#pending.splice(at, 1)
      if (pending?.kind === 'call' && pending.outcome !== undefined) {
        this.#calls -= 1
        if ('row' in pending.outcome) out.push(pending.outcome.row)
        else if (!this.#context.stopping.aborted)
          this.#context.onError(pending.outcome.error, pending.row, this.#context.node.id)
      } else if (pending?.kind === 'watermark') {
        await emitBatches(this.#context.next, out)
        out = []
        this.#passed = pending.time
        await this.#context.next.onWatermark(pending.time)
      }
    }
    await emitBatches(this.#context.next, out)
  }
}
