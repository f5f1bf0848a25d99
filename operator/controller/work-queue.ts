import type { Clock } from '../../runtime/ports/clock.ts'
import { askedToWaitMs } from '../kube/errors.ts'
import type { Rng } from '../../runtime/ports/rng.ts'

export interface WorkQueueOptions {
  clock: Clock
  rng: Rng
  /** Keys handled side by side. */
  concurrency: number
  /** Handles one key; a throw means "again, later". */
  handle: (key: string) => Promise<{ requeueAfterMs?: number }>
}

const FIRST_BACKOFF_MS = 200
const LONGEST_BACKOFF_MS = 60_000

/**
 * Which keys need work. Changes come before looks that are only made from time to time, and a key that waits for
 * something outside leaves its slot to others meanwhile.
 * A key waits at most once, is never handled twice at the same time, and is handled again
 * when it was added during its handling. Failures back off per key, doubling, with full jitter on the upper half
 * (as client-go's rate limiter, plus the jitter it lacks). Starts paused: keys are collected until resume().
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  readonly #changed = new Set<string>()
  readonly #looks = new Set<string>()
  /** Passes that have waited aside and want a slot again. */
  readonly #returning: (() => void)[] = []
  #slotsTaken = 0
  readonly #running = new Map<string, Promise<void>>()
  readonly #again = new Set<string>()
  readonly #later = new Map<string, { at: number; cancel: () => void }>()
  readonly #failures = new Map<string, number>()
  #state: 'paused' | 'open' | 'stopped' = 'paused'

  constructor(options: WorkQueueOptions) {
    this.#options = options
  }

  /** The object of the key has changed. */
  add(key: string): void {
    if (this.#state === 'stopped') return
    if (this.#running.has(key)) {
      this.#again.add(key)
      return
    }
    this.#looks.delete(key)
    this.#changed.add(key)
    this.#pump()
  }

  /** Nothing is known to have changed. */
  look(key: string): void {
    if (this.#state === 'stopped' || this.#running.has(key) || this.#changed.has(key)) return
    this.#looks.add(key)
    this.#pump()
  }

  /**
   * For a pass that waits for somebody who may not answer at all: it goes on when `wait` has settled and a slot is free
   * again. However many wait, the others are handled.
   */
  async aside<T>(wait: () => Promise<T>): Promise<T> {
    this.#slotsTaken -= 1
    this.#pump()
    try {
      return await wait()
    } finally {
      await new Promise<void>((resolve) => {
        this.#returning.push(resolve)
        this.#pump()
      })
    }
  }

  /** Adds the key after `ms`; an earlier appointment of the same key stays. */
  addAfter(key: string, ms: number): void {
    if (this.#state === 'stopped') return
    const at = this.#options.clock.now() + ms
    const known = this.#later.get(key)
    if (known !== undefined && known.at <= at) return
    known?.cancel()
    const cancel = this.#options.clock.after(ms, () => {
      this.#later.delete(key)
      this.look(key)
    })
    this.#later.set(key, { at, cancel })
  }

  resume(): void {
    if (this.#state === 'stopped') return
    this.#state = 'open'
    this.#pump()
  }

  /** Takes up nothing new; resolves when what is being handled has ended. */
  async stop(): Promise<void> {
    this.#state = 'stopped'
    for (const { cancel } of this.#later.values()) cancel()
    this.#later.clear()
    this.#changed.clear()
    this.#looks.clear()
    await Promise.all(this.#running.values())
  }

  depth(): number {
    return this.#changed.size + this.#looks.size
  }

  #pump(): void {
    while (this.#slotsTaken < this.#options.concurrency) {
      const next = this.#next()
      if (next === undefined) return
      this.#slotsTaken += 1
      next()
    }
  }

  /** What is to have the next free slot. A pass that has begun goes on also when the queue is stopped. */
  #next(): (() => void) | undefined {
    const isOpen = this.#state === 'open'
    const [changed] = this.#changed
    if (isOpen && changed !== undefined) return this.#taking(changed, this.#changed)
    const returning = this.#returning.shift()
    if (returning !== undefined) return returning
    const [look] = this.#looks
    return isOpen && look !== undefined ? this.#taking(look, this.#looks) : undefined
  }

  #taking(key: string, from: Set<string>): () => void {
    return () => {
      from.delete(key)
      this.#running.set(key, this.#handle(key))
    }
  }

  async #handle(key: string): Promise<void> {
    // Not in the caller's stack: the key must be marked as running before the handler may add it again.
    await Promise.resolve()
    let nextMs: number | undefined
    try {
      nextMs = (await this.#options.handle(key)).requeueAfterMs
      this.#failures.delete(key)
    } catch (error) {
      // The handler has logged it: here a failure is only a reason to come back later.
      nextMs = Math.max(this.#backOffMs(key), askedToWaitMs(error))
    }
    this.#running.delete(key)
    this.#slotsTaken -= 1
    if (this.#again.delete(key)) {
      // After a failure even a fresh change waits: a broken dependency must not be hammered by events.
      if (this.#failures.has(key) && nextMs !== undefined) this.addAfter(key, nextMs)
      else this.add(key)
    } else if (nextMs !== undefined) {
      this.addAfter(key, nextMs)
    }
    this.#pump()
  }

  #backOffMs(key: string): number {
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    const full = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 20))
    return full / 2 + (full / 2) * this.#options.rng.next()
  }
}
