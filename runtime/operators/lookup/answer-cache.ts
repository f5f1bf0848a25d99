import type { Clock } from '../../ports/clock.ts'

export interface CacheSettings {
  /** Answers kept at most; the one used longest ago is evicted first. */
  readonly rows: number
  readonly ttlMs: number
}

/** Answers by what was asked; also that there is none (undefined). It is no state: after a restore all is asked again. */
export class AnswerCache<Answer> {
  readonly #settings: CacheSettings
  readonly #clock: Clock
  readonly #stays: (answer: Answer) => boolean
  /** In the order of their last use. */
  readonly #kept = new Map<string, { answer: Answer | undefined; until: number }>()

  /** `stays`: the answer would be the same if it was asked for again. */
  constructor(settings: CacheSettings, clock: Clock, stays: (answer: Answer) => boolean) {
    this.#settings = settings
    this.#clock = clock
    this.#stays = stays
  }

  async get(key: string, ask: () => Promise<Answer | undefined>): Promise<Answer | undefined> {
    const kept = this.#kept.get(key)
    if (kept !== undefined) this.#kept.delete(key)
    if (kept !== undefined && kept.until > this.#clock.now()) {
      this.#kept.set(key, kept)
      return kept.answer
    }
    const answer = await ask()
    if (answer === undefined || this.#stays(answer)) this.#keep(key, answer)
    return answer
  }

  #keep(key: string, answer: Answer | undefined): void {
    this.#kept.set(key, { answer, until: this.#clock.now() + this.#settings.ttlMs })
    if (this.#kept.size <= this.#settings.rows) return
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest)
      break
    }
  }
}
