import { leadershipLost } from '../controller/leadership.ts'
import type { Leadership } from '../controller/leadership.ts'

/** Writes to one Druid, whatever login they bear: one at a time, since it holds one lock for all of its supervisors. */
export class WriteQueue {
  readonly #leadership: Leadership
  #last: Promise<unknown> = Promise.resolve()

  constructor(leadership: Leadership) {
    this.#leadership = leadership
  }

  /**
   * A failed write does not hold up the next. Druid compares nothing, so whether we still lead is asked when the turn
   * has come. Throws MillraceError LEADERSHIP_LOST.
   */
  add<T>(what: string, write: () => Promise<T>): Promise<T> {
    const turn = async (): Promise<T> => {
      if (!this.#leadership.isHeld()) throw leadershipLost(what)
      return write()
    }
    const answer = this.#last.then(turn, turn)
    this.#last = answer
    return answer
  }
}
