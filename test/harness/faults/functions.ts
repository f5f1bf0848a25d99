/** Code of the user in the fault jobs, loaded by their workers. */

interface Bid {
  auction: number
  price: number
  at: number
}
interface Sum {
  bids: number
  sum: number
}
interface SecondsContext {
  key: { auction: number }
  state: {
    seconds: { get(key: number): Sum | undefined; set(key: number, row: Sum): void; delete(key: number): boolean }
  }
  timers: { at(time: number): void }
  emit(row: Sum & { auction: number; at: number }): void
}

const SECOND_MS = 1000

/** Bids and their sum per auction and second, put out when the second is over. */
export const perSecond = {
  onRow(bid: Bid, context: SecondsContext): void {
    const second = Math.floor(bid.at / SECOND_MS) * SECOND_MS
    const before = context.state.seconds.get(second) ?? { bids: 0, sum: 0 }
    context.state.seconds.set(second, { bids: before.bids + 1, sum: before.sum + bid.price })
    context.timers.at(second + SECOND_MS - 1)
  },
  onTimer(time: number, context: SecondsContext): void {
    const second = time + 1 - SECOND_MS
    const held = context.state.seconds.get(second)
    if (held === undefined) throw new Error(`auction ${context.key.auction} has a timer at ${time} without bids`)
    context.emit({ auction: context.key.auction, at: second, ...held })
    context.state.seconds.delete(second)
  },
}
