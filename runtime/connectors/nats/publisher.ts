import { retrying, type RetryEnvironment } from '../kit/retry.ts'
import type { NatsClient, OutgoingMessage } from './client.ts'

/** Then the job restarts from its checkpoint. */
export const PATIENCE_MS = 120_000

/** A message and its number among those of its writer. */
export interface NumberedMessage extends OutgoingMessage {
  readonly n: number
}

/** A message is known by this id wherever it is published again. */
export function messageId(writer: string, n: number): string {
  return `${writer}-${n}`
}

/**
 * Publishes messages of one writer in their order: a window of them is under way while the next one fills. Those of a
 * window that get no answer are published again under their ids, which the stream recognises in its duplicate window.
 */
export class Publisher {
  readonly #client: NatsClient
  readonly #stream: string
  readonly #writer: string
  readonly #window: number
  readonly #environment: RetryEnvironment
  readonly #before: (() => Promise<ReadonlySet<number>>) | undefined
  #open: NumberedMessage[] = []
  #underWay: Promise<void> = Promise.resolve()

  /** `before` is called before each try, and resolves with the numbers of messages that are stored already. */
  constructor(parts: {
    client: NatsClient
    stream: string
    writer: string
    window: number
    environment: RetryEnvironment
    before?: () => Promise<ReadonlySet<number>>
  }) {
    this.#client = parts.client
    this.#stream = parts.stream
    this.#writer = parts.writer
    this.#window = parts.window
    this.#environment = parts.environment
    this.#before = parts.before
  }

  /** Resolves when there is room for more; rejects when an earlier message cannot be published. */
  async send(message: NumberedMessage): Promise<void> {
    this.#open.push(message)
    if (this.#open.length >= this.#window) await this.push()
  }

  /** Publishes what has been sent and does not wait for the answers, but for those of the window before. */
  async push(): Promise<void> {
    await this.#underWay
    const messages = this.#open
    if (messages.length === 0) return
    this.#open = []
    this.#underWay = this.#publishAll(messages)
    // whoever awaits it next is told the error; when nobody does any more, nobody needs it
    this.#underWay.catch(() => undefined)
  }

  /** Resolves when everything sent is stored. */
  async flush(): Promise<void> {
    await this.push()
    await this.#underWay
  }

  async #publishAll(messages: readonly NumberedMessage[]): Promise<void> {
    let left = messages
    await retrying(this.#environment, `publishing to the stream ${this.#stream}`, PATIENCE_MS, async () => {
      const stored = await this.#before?.()
      left = left.filter(({ n }) => stored?.has(n) !== true)
      const tried = left
      const results = await Promise.allSettled(
        tried.map((message) => this.#client.publish(this.#stream, message, messageId(this.#writer, message.n))),
      )
      left = tried.filter((_message, index) => results[index]?.status === 'rejected')
      const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
      // an error that stays must not hide behind one that passes
      const worst = errors.find((error) => !this.#environment.policy.isRetriable(error)) ?? errors[0]
      if (worst !== undefined) throw worst
    })
  }
}
