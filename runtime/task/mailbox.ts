import type { Clock } from '../ports/clock.ts'
import type { Signal } from './signal.ts'

export type Mail = () => Promise<void>

/**
 * Work for a subtask's loop between two steps: commits, and what operators scheduled for a time. The term and
 * the idea are Flink's (MailboxProcessor): one thread of control, no locks.
 */
export class Mailbox {
  readonly #clock: Clock
  readonly #signal: Signal
  readonly #mails: Mail[] = []
  readonly #timers = new Set<() => void>()
  #closed = false

  constructor(clock: Clock, signal: Signal) {
    this.#clock = clock
    this.#signal = signal
  }

  put(mail: Mail): void {
    this.#mails.push(mail)
    this.#signal.raise()
  }

  /**
   * Adds the mail after `delayMs` at the earliest. Returns how to cancel it; a mail that is in the box already is
   * removed.
   */
  after(delayMs: number, mail: Mail): () => void {
    if (this.#closed) return () => undefined
    const stopTimer = this.#clock.after(delayMs, () => {
      this.#timers.delete(stopTimer)
      this.put(mail)
    })
    this.#timers.add(stopTimer)
    return () => {
      if (this.#timers.delete(stopTimer)) stopTimer()
      const at = this.#mails.indexOf(mail)
      if (at >= 0) this.#mails.splice(at, 1)
    }
  }

  take(): Mail | undefined {
    return this.#mails.shift()
  }

  /** Cancels every timer; nothing comes in any more by itself. */
  close(): void {
    this.#closed = true
    for (const stop of this.#timers) stop()
    this.#timers.clear()
  }
}
