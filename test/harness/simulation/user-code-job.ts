import type { Clock } from '../../../runtime/ports/clock.ts'
import { BIDS, verbScenario, type VerbJob } from './verb-job.ts'

const BUCKET_MS = 1000

interface Bid {
  auction: number
  price: number
  at: number
  channel: string
}
interface View {
  key: { auction: number }
  state: {
    buckets: {
      get(key: number): { bids: number; sum: number } | undefined
      set(key: number, row: { bids: number; sum: number }): void
      delete(key: number): boolean
    }
  }
  timers: { at(time: number): void }
  emit(row: object): void
  sideOutput(name: string, row: object): void
}

/** Bids and their sum per auction and second, put out when the second is over; dear ones aside. */
const perSecond = {
  onRow(bid: Bid, context: View): void {
    const bucket = Math.floor(bid.at / BUCKET_MS) * BUCKET_MS
    const before = context.state.buckets.get(bucket) ?? { bids: 0, sum: 0 }
    context.state.buckets.set(bucket, { bids: before.bids + 1, sum: before.sum + bid.price })
    context.timers.at(bucket + BUCKET_MS - 1)
    if (bid.price > 900) context.sideOutput('dear', { auction: bid.auction, at: bid.at, bids: 0, sum: bid.price })
  },
  onTimer(time: number, context: View): void {
    const bucket = time + 1 - BUCKET_MS
    const held = context.state.buckets.get(bucket)
    context.emit({ auction: context.key.auction, at: bucket, ...held })
    context.state.buckets.delete(bucket)
  },
}

const OUTPUT = { auction: 'long', at: 'timestamp', bids: 'long', sum: 'long' }
const PROCESS = {
  id: 'per-second',
  keyBy: 'auction',
  process: {
    module: 'user',
    function: 'perSecond',
    output: OUTPUT,
    sideOutputs: { dear: OUTPUT },
    state: { buckets: { map: { bids: 'long', sum: 'long' }, key: { at: 'long' } } },
  },
}

function perSecondOf(bids: readonly Bid[]): string[] {
  const sums = new Map<string, { auction: number; at: number; bids: number; sum: number }>()
  for (const { auction, price, at } of bids) {
    const bucket = Math.floor(at / BUCKET_MS) * BUCKET_MS
    const key = `${auction} ${bucket}`
    const row = sums.get(key) ?? { auction, at: bucket, bids: 0, sum: 0 }
    sums.set(key, { ...row, bids: row.bids + 1, sum: row.sum + price })
  }
  const dear = bids
    .filter(({ price }) => price > 900)
    .map(({ auction, price, at }) => ({ auction, at, bids: 0, sum: price }))
  return [...sums.values(), ...dear].map((row) => JSON.stringify(row)).sort()
}

function comparing(expected: readonly string[]): VerbJob['wrongness'] {
  return (rows) => {
    const found = rows.map((row) => JSON.stringify(row)).sort()
    return JSON.stringify(found) === JSON.stringify(expected)
      ? undefined
      : `${found.length} rows, not the ${expected.length} expected; first other ${found.find((row, index) => row !== expected[index]) ?? 'none'}`
  }
}

/** Deterministic, and different for each row. */
const delayOf = ({ auction, price }: Bid): number => (auction * 7 + price) % 40

/** State, timers and side outputs. */
export const processJob: VerbJob = {
  graph: [
    { ...PROCESS, from: 'bids' },
    { id: 'all', from: ['per-second', 'per-second.dear'], union: {} },
  ],
  from: 'all',
  moduleNames: ['user'],
  modules: () => ({ user: { perSecond } }),
  wrongness: comparing(perSecondOf(BIDS)),
}

/**
 * Calls that fail and take long, and a process behind them whose timers would lose a row that a watermark
 * overtakes.
 */
export function asyncJob(order: 'ordered' | 'unordered'): VerbJob {
  return {
    graph: [
      { id: 'cheap', from: 'bids', filter: { module: 'user', function: 'isCheap' } },
      {
        id: 'asked',
        from: 'cheap',
        asyncMap: {
          module: 'user',
          function: 'ask',
          output: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' },
          order,
          capacity: 8,
          timeout: '30ms',
          retry: { attempts: 5, backoff: '2ms' },
        },
      },
      { ...PROCESS, from: 'asked' },
      { id: 'all', from: ['per-second', 'per-second.dear'], union: {} },
    ],
    from: 'all',
    moduleNames: ['user'],
    modules: (clock: Clock) => ({
      user: {
        perSecond,
        isCheap: (bid: Bid) => bid.channel !== 'c',
        ask: (bid: Bid, { attempt }: { attempt: number }) =>
          new Promise((resolve, reject) => {
            clock.after(attempt > 2 ? 1 : delayOf(bid), () => {
              if (attempt === 1 && bid.price % 5 === 0) reject(new Error('try again'))
              else resolve({ ...bid, price: bid.price + 1 })
            })
          }),
      },
    }),
    wrongness: comparing(
      perSecondOf(BIDS.filter((bid) => bid.channel !== 'c').map((bid) => ({ ...bid, price: bid.price + 1 }))),
    ),
  }
}

/** Requests to a service, arrays taken apart, rows dealt to side outputs. */
export const requestJob: VerbJob = {
  graph: [
    {
      id: 'priced',
      from: 'bids',
      asyncMap: { http: { url: 'http://rates/{channel}' }, output: { shares: 'json' }, order: 'unordered' },
    },
    { id: 'shares', from: 'priced', flatMap: { unnest: 'shares', as: 'share', type: 'long' } },
    {
      id: 'dealt',
      from: 'shares',
      sideOutput: [{ even: 'share % 2 === 0' }, { odd: { module: 'user', function: 'isOdd' } }],
    },
    {
      id: 'all',
      from: ['dealt.even', 'dealt.odd'],
      map: { auction: 'auction', at: 'at', share: 'share', price: 'price' },
    },
    { id: 'none', from: 'dealt', sink: 'console' },
  ],
  from: 'all',
  moduleNames: ['user'],
  modules: () => ({ user: { isOdd: ({ share }: { share: number }) => share % 2 !== 0 } }),
  http: (clock) => ({
    send: ({ url }) =>
      new Promise((resolve) => {
        clock.after(url.length % 7, () => {
          resolve({ status: 200, body: JSON.stringify({ shares: sharesOf(url.at(-1) ?? '') }) })
        })
      }),
  }),
  wrongness: comparing(
    BIDS.flatMap(({ auction, at, price, channel }) =>
      sharesOf(channel).map((share) => JSON.stringify({ auction, at, share, price })),
    ).sort(),
  ),
}

function sharesOf(channel: string): number[] {
  return { a: [1, 2, 3], b: [4], c: [] }[channel] ?? []
}

/** All of them, for many seeds. */
export const userCodeScenario = verbScenario(
  'user-code',
  [asyncJob('unordered'), processJob, requestJob, asyncJob('ordered')],
  { noDrain: 4, watermarkAhead: 0 },
)
