/**
 * Conditional writes of one partition disturb each other, and none may get through: those of one process wait for their
 * turn. Others are tried again, after pauses of different lengths.
 */
export class BucketTurns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Calls `act` when the calls before it, of the same place, have ended. Settles as it does. */
  take<T>(place: string, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(place) ?? Promise.resolve()
    const turn = before.then(act, act)
    this.#last.set(place, turn)
    const forget = (): void => {
      if (this.#last.get(place) === turn) this.#last.delete(place)
    }
    turn.then(forget, forget)
    return turn
  }
}
