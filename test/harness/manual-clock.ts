import type { Clock } from '../../runtime/ports/clock.ts'

/** A clock that stands until advance(): timers run in order of their time, and promises settle in between. */
export class ManualClock implements Clock {
  #now: number
  #timers: { at: number; order: number; run: () => void }[] = []
  #order = 0

  constructor(start = Date.parse('2026-11-21T12:00:00Z')) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, order: this.#order++, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer)
    }
  }

  /** How many timers run. */
  get pending(): number {
    return this.#timers.length
  }

  nextTurn(run: () => void): void {
    setImmediate(run)
  }

  /** As a machine's clock may be; timers stay where they are. */
  setBack(to: number): void {
    this.#now = to
  }

  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await settle()
    for (;;) {
      const [next] = this.#timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at || a.order - b.order)
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#now = next.at
      next.run()
      await settle()
    }
    this.#now = until
  }
}

/** Lets promises that can go on do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1)
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
}
