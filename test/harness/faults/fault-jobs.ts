import { expectedOutput, inputFiles } from '../simulation/window-job.ts'

/** Lines of each of the three input files. */
export const LINES = 1_000

export type OutputRow = Readonly<Record<string, unknown>>

/**
 * A job from the bids of the input files to a file sink `out`, whose result does not hang on the order in which
 * rows came.
 */
export interface FaultJob {
  name: string
  /** Where the bids come from and the output goes; files when left out. */
  over?: 'kafka'
  /** Between the source `bids` and what reads `from`. */
  graph: readonly object[]
  from: string
  /** What of the output is the same in every right run, sorted; by default all of it. */
  settled?(rows: readonly OutputRow[]): string[]
  /** The same computed plainly, where that is simple. */
  plain?(): string[]
}

interface Bid {
  auction: number
  price: number
  at: number
  channel: string
}

const bids = (): Bid[] =>
  [...inputFiles('', LINES).values()]
    .flatMap((text) => text.trimEnd().split('\n'))
    .map((line) => JSON.parse(line) as Bid)
const lineOf = (row: object): string => JSON.stringify(row)

/** Keeps the row with the greatest `order` of every key, for rows that replace each other. */
function lastOfKeys(rows: readonly OutputRow[], key: readonly string[], order: string): string[] {
  const last = new Map<string, OutputRow>()
  for (const row of rows) {
    const of = JSON.stringify(key.map((name) => row[name]))
    if (Number(row[order]) > Number(last.get(of)?.[order] ?? -Infinity)) last.set(of, row)
  }
  return [...last.values()].map((row) => lineOf([...key, order].map((name) => row[name]))).sort()
}

function plainSeconds(): string[] {
  const seconds = new Map<string, { auction: number; at: number; bids: number; sum: number }>()
  for (const { auction, at, price } of bids()) {
    const second = Math.floor(at / 1000) * 1000
    const row = seconds.get(`${auction} ${second}`) ?? { auction, at: second, bids: 0, sum: 0 }
    seconds.set(`${auction} ${second}`, { ...row, bids: row.bids + 1, sum: row.sum + price })
  }
  return [...seconds.values()].map(lineOf).sort()
}

function plainSessions(gapMs: number): string[] {
  const sessions: {
    auction: number
    channel: string
    windowStart: number
    windowEnd: number
    bids: number
    total: number
    top: number
  }[] = []
  for (const of of Map.groupBy(bids(), ({ auction, channel }) => lineOf([auction, channel])).values()) {
    let open: (typeof sessions)[number] | undefined
    for (const { auction, channel, at, price } of of.toSorted((a, b) => a.at - b.at)) {
      if (open === undefined || at > open.windowEnd)
        sessions.push((open = { auction, channel, windowStart: at, windowEnd: at, bids: 0, total: 0, top: 0 }))
      Object.assign(open, {
        windowEnd: at + gapMs,
        bids: open.bids + 1,
        total: open.total + price,
        top: Math.max(open.top, price),
      })
    }
  }
  return sessions.map(lineOf).sort()
}

const DEAR = { id: 'dear', from: 'bids', filter: 'price >= 800' }
const OF_A = { id: 'of-a', from: 'bids', filter: "channel === 'a'" }
const PAIR = {
  auction: 'left.auction',
  leftAt: 'left.at',
  leftPrice: 'left.price',
  rightAt: 'right.at',
  rightPrice: 'right.price',
}

const FAULT_JOBS_OVER_FILES: readonly FaultJob[] = [
  {
    name: 'hop',
    from: 'hot',
    graph: [
      { id: 'dear', from: 'bids', filter: "price > 100 && channel !== 'c'" },
      {
        id: 'hot',
        from: 'dear',
        keyBy: 'auction',
        window: { hop: '500ms', size: '2s' },
        aggregate: { bids: 'count()', top: 'max(price)', total: 'sum(price)' },
      },
    ],
    plain: () => expectedOutput(LINES),
  },
  {
    name: 'session',
    from: 'spells',
    graph: [
      {
        id: 'spells',
        from: 'bids',
        keyBy: ['auction', 'channel'],
        window: { session: '700ms' },
        aggregate: { bids: 'count()', total: 'sum(price)', top: 'max(price)' },
      },
    ],
    plain: () => plainSessions(700),
  },
  {
    name: 'interval-join',
    from: 'both',
    graph: [
      DEAR,
      OF_A,
      {
        id: 'both',
        from: ['dear', 'of-a'],
        join: { keyBy: 'auction', type: 'left', within: { before: '500ms', after: '200ms' }, select: PAIR },
      },
    ],
  },
  {
    name: 'regular-join',
    from: 'both',
    graph: [
      DEAR,
      OF_A,
      {
        id: 'both',
        from: ['dear', 'of-a'],
        join: {
          keyBy: 'auction',
          type: 'inner',
          ttl: 'forever',
          where: 'left.price > right.price + 900',
          select: PAIR,
        },
      },
    ],
  },
  {
    name: 'dedupe',
    from: 'once',
    graph: [{ id: 'once', from: 'bids', keyBy: ['auction', 'price'], dedupe: { keep: 'first', ttl: '1d' } }],
    // Which bid of a key comes first is open; that one does, and only one, is not.
    settled: (rows) => rows.map(({ auction, price }) => lineOf([auction, price])).sort(),
    plain: () => [...new Set(bids().map(({ auction, price }) => lineOf([auction, price])))].sort(),
  },
  {
    name: 'newest',
    from: 'newest',
    graph: [
      { id: 'newest', from: 'bids', keyBy: ['auction', 'channel'], dedupe: { keep: 'last', orderBy: 'at', ttl: '1d' } },
    ],
    settled: (rows) => lastOfKeys(rows, ['auction', 'channel'], 'at'),
    plain: () => lastOfKeys(bids() as unknown as OutputRow[], ['auction', 'channel'], 'at'),
  },
  {
    name: 'top-n',
    from: 'top',
    graph: [{ id: 'top', from: 'bids', keyBy: 'auction', topN: { limit: 3, by: 'price', rank: 'place', ttl: '1d' } }],
    settled: (rows) => lastOfKeys(rows, ['auction', 'place'], 'price'),
    plain: () =>
      [...Map.groupBy(bids(), ({ auction }) => auction)]
        .flatMap(([auction, of]) =>
          of
            .map(({ price }) => price)
            .sort((a, b) => b - a)
            .slice(0, 3)
            .map((price, place) => lineOf([auction, place + 1, price])),
        )
        .sort(),
  },
  {
    name: 'aggregate',
    from: 'running',
    graph: [
      {
        id: 'running',
        from: 'bids',
        keyBy: ['auction', 'channel'],
        aggregate: { n: 'count()', total: 'sum(price)' },
        emit: 'everyRow',
      },
    ],
    // The sums on the way hang on the order of the bids; each count comes once, and the last sum is the sum.
    settled: (rows) => {
      const most = Map.groupBy(rows, ({ auction, channel }) => lineOf([auction, channel]))
      return rows
        .map(({ auction, channel, n, total }) =>
          lineOf([auction, channel, n, ...(n === most.get(lineOf([auction, channel]))?.length ? [total] : [])]),
        )
        .sort()
    },
    plain: () =>
      [...Map.groupBy(bids(), ({ auction, channel }) => lineOf([auction, channel])).values()]
        .flatMap((of) =>
          of.map(({ auction, channel }, index) =>
            lineOf([
              auction,
              channel,
              index + 1,
              ...(index + 1 === of.length ? [of.reduce((sum, { price }) => sum + price, 0)] : []),
            ]),
          ),
        )
        .sort(),
  },
  {
    name: 'process',
    from: 'seconds',
    graph: [
      {
        id: 'seconds',
        from: 'bids',
        keyBy: 'auction',
        process: {
          module: 'own',
          function: 'perSecond',
          output: { auction: 'long', at: 'timestamp', bids: 'long', sum: 'long' },
          state: { seconds: { map: { bids: 'long', sum: 'long' }, key: { second: 'long' } } },
        },
      },
    ],
    plain: plainSeconds,
  },
]

const counting = FAULT_JOBS_OVER_FILES.find(({ name }) => name === 'aggregate')

/**
 * Every job over files, and running sums from Kafka to Kafka: each bid gives a row, and the row names how many came
 * before.
 */
export const FAULT_JOBS: readonly FaultJob[] = [
  ...FAULT_JOBS_OVER_FILES,
  ...(counting === undefined ? [] : [{ ...counting, name: 'kafka', over: 'kafka' as const }]),
]

/** The bids as the records of a topic. */
export const bidLines = (): string[] => bids().map(lineOf)

export interface FaultJobPlace {
  folder: string
  store: string
  replicas: number
  rate?: string
  kafka?: { brokers: string; input: string; output: string }
}

/** The spec of a job over the input of a folder; paths of modules count from the folder of `functions.ts`. */
export function faultSpec({ graph, from }: FaultJob, { folder, store, replicas, rate, kafka }: FaultJobPlace): object {
  return {
    replicas,
    checkpoints: { interval: '150ms', store },
    modules: { own: { path: './functions.ts' } },
    graph: [
      {
        id: 'bids',
        source:
          kafka === undefined
            ? { file: { path: `${folder}/in-*.jsonl`, format: 'json', ...(rate === undefined ? {} : { rate }) } }
            : { kafka: { brokers: kafka.brokers, topic: kafka.input, format: 'json' } },
        schema: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' },
        eventTime: { field: 'at', outOfOrderness: '300ms' },
      },
      ...graph,
      {
        id: 'out',
        from,
        sink:
          kafka === undefined
            ? { file: { path: `${folder}/out`, format: 'json', timestampFormat: 'epochMillis' } }
            : { kafka: { brokers: kafka.brokers, topic: kafka.output } },
      },
    ],
  }
}
