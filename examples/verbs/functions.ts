/**
 * Functions of the example jobs beside this file; what they give is checked against the `output` their jobs
 * declare.
 */

interface Bid {
  auction: number
  bidder: number
  price: number
  channel: string
  url: string
  dateTime: number
}

/** filter: true or false. */
export function isDear(bid: Bid): boolean {
  return bid.price > 10_000_000
}

/** flatMap: any number of rows. */
export function* wordsOf(bid: Bid): Generator<{ word: string; at: number }> {
  for (const word of bid.url.split(/[^a-z]+/)) if (word.length > 3) yield { word, at: bid.dateTime }
}

interface Streak {
  bidder: number
  bids: number
  highest: number
  dateTime: number
}
interface StreakContext {
  state: {
    streak: {
      get(): { bids: number; highest: number } | null
      set(row: { bids: number; highest: number }): void
      clear(): void
    }
  }
  key: { bidder: number }
  timers: { at(time: number): void; cancel(time: number): void }
  emit(row: Streak): void
  sideOutput(name: 'jump', row: { bidder: number; price: number; dateTime: number }): void
}

const QUIET_MS = 2_000

/** process: the bids of a bidder until nothing came for a while; a bid ten times as high as any before it aside. */
export const streaks = {
  onRow(bid: Bid, context: StreakContext): void {
    const before = context.state.streak.get() ?? { bids: 0, highest: 0 }
    if (before.bids > 0 && bid.price > before.highest * 10)
      context.sideOutput('jump', { bidder: bid.bidder, price: bid.price, dateTime: bid.dateTime })
    context.state.streak.set({ bids: before.bids + 1, highest: Math.max(before.highest, bid.price) })
    context.timers.at(bid.dateTime + QUIET_MS)
  },
  onTimer(time: number, context: StreakContext): void {
    const streak = context.state.streak.get()
    if (streak === null) return
    if (streak.bids > 1) context.emit({ bidder: context.key.bidder, ...streak, dateTime: time })
    context.state.streak.clear()
  },
}

/** asyncMap: a promise of a row; here nobody is asked. */
export async function rateOf(
  bid: Bid,
  { signal }: { signal: AbortSignal },
): Promise<{ auction: number; euros: number; dateTime: number }> {
  await new Promise((resolve) => {
    setTimeout(resolve, 1)
  })
  signal.throwIfAborted()
  return { auction: bid.auction, euros: Math.round(bid.price * 90.8) / 100, dateTime: bid.dateTime }
}
