import type { Clock } from '../ports/clock.ts'

export interface CheckpointTimes {
  intervalMs: number
  /** Until the first one. */
  firstMs: number
}

/** Takes one checkpoint after the other, each so long after the one before has ended, in whatever way. */
export class PeriodicCheckpoints {
  readonly #clock: Clock
  #cancel = (): void => undefined
  #turn = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** In place of those before. `take` never rejects; 'over' ends it. */
  start({ intervalMs, firstMs }: CheckpointTimes, take: () => Promise<'goesOn' | 'over'>): void {
    this.stop()
    const turn = this.#turn
    const schedule = (afterMs: number): void => {
      this.#cancel = this.#clock.after(afterMs, () => {
        void take().then((what) => {
          if (what === 'goesOn' && turn === this.#turn) schedule(intervalMs)
        })
      })
    }
    schedule(firstMs)
  }

  stop(): void {
    this.#turn += 1
    this.#cancel()
  }
}
