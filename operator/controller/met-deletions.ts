/**
 * When this operator met each deletion. The time of a deletion runs from then on: the object may have been deleted
 * while no operator was there, and what its policy asks for is then still to be tried for as long. Another operator
 * begins anew, which only prolongs it.
 */
export class MetDeletions {
  readonly #metAt = new Map<string, number>()

  /** In ms since the epoch, by the time of the API server, as `now` is. */
  metAt(uid: string, now: number): number {
    const known = this.#metAt.get(uid)
    if (known !== undefined) return known
    this.#metAt.set(uid, now)
    return now
  }

  /** The object is released. */
  forget(uid: string): void {
    this.#metAt.delete(uid)
  }
}
