import type { Clock } from '../ports/clock.ts'

/** Takes one checkpoint after the other, each so long after the one before has ended, in whatever way. */
export class PeriodicCheckpoints {
  readonly #clock: Clock
  #cancel = (): void => undefined
  #turn = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** In place of those before. `take` never rejects; 'over' ends it. */
  start(intervalMs: number, take: () => Promise<'goesOn' | 'over'>): void {
    this.stop()
    const turn = this.#turn
    const schedule = (): void => {
      this.#cancel = this.#clock.after(intervalMs, () => {
        void take().then((what) => {
          if (what === 'goesOn' && turn === this.#turn) schedule()
        })
      })
    }
    schedule()
  }

  stop(): void {
    this.#turn += 1
    this.#cancel()
  }
}
