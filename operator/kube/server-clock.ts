/**
 * The API server's time, learnt from what its answers say about when they were made. Own time only bridges the gap to
 * the newest of them, so it may be wrong by any amount.
 */
export class ServerClock {
  readonly #ownNow: () => number
  #aheadMs = 0

  constructor(ownNow: () => number) {
    this.#ownNow = ownNow
  }

  now(): number {
    return this.#ownNow() + this.#aheadMs
  }

  /**
   * `date`: the header of an answer, in whole seconds. It was made between `sentAt` and now, by own time: the difference
   * is moved only as far as it must be to fit that, so that it does not swing with the fractions of a second.
   */
  heard(date: string | undefined, sentAt: number): void {
    const stamp = Date.parse(date ?? '')
    if (Number.isNaN(stamp)) return
    const least = stamp - this.#ownNow()
    const most = stamp + 999 - sentAt
    this.#aheadMs = Math.min(Math.max(this.#aheadMs, least), most)
  }
}
