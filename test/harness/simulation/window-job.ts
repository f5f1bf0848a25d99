import { mulberry } from '../../../sim/seeded-random.ts'
import type { Fault, Simulation } from '../../../sim/simulated-job.ts'

/** A bid as the simulated files hold them: a function of (file, line), so that the result can be computed apart. */
export interface Bid {
  auction: number
  price: number
  at: number
  channel: string
}

const FILES = 3
const LINES = 120
const START = 1_000_000

function bid(file: number, line: number): Bid {
  const hash = Math.imul(file * LINES + line + 1, 0x9e3779b1) >>> 0
  return {
    auction: hash % 11,
    price: (hash >>> 8) % 1000,
    at: START + line * 100 + (hash % 7) * 30,
    channel: ['a', 'b', 'c'][hash % 3] as string,
  }
}

export interface WindowJobSettings {
  folder: string
  interval: string
  /** As fast as it goes when left out. */
  rate?: string
}

const SIMULATED: WindowJobSettings = { folder: '/data', interval: '120ms', rate: '150/s' }

/** Files → filter → keyed hopping window → files, exactly once. */
export function windowJob(replicas: number, { folder, interval, rate }: WindowJobSettings = SIMULATED) {
  return {
    replicas,
    checkpoints: { interval },
    graph: [
      {
        id: 'bids',
        source: { file: { path: `${folder}/in-*.jsonl`, format: 'json', ...(rate === undefined ? {} : { rate }) } },
        schema: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' },
        eventTime: { field: 'at', outOfOrderness: '300ms' },
      },
      { id: 'dear', from: 'bids', filter: "price > 100 && channel !== 'c'" },
      {
        id: 'hot',
        from: 'dear',
        keyBy: 'auction',
        window: { hop: '500ms', size: '2s' },
        aggregate: { bids: 'count()', top: 'max(price)', total: 'sum(price)' },
      },
      {
        id: 'out',
        from: 'hot',
        sink: { file: { path: `${folder}/out`, format: 'json', timestampFormat: 'epochMillis' } },
      },
    ],
  }
}

/** The text of each file by its path, with so many lines each. */
export function inputFiles(folder = SIMULATED.folder, lines = LINES): Map<string, string> {
  return new Map(
    Array.from({ length: FILES }, (_, file) => [
      `${folder}/in-${file}.jsonl`,
      Array.from({ length: lines }, (_, line) => `${JSON.stringify(bid(file, line))}\n`).join(''),
    ]),
  )
}

/** The output lines for files of so many lines, computed plainly and apart from the engine; sorted. */
export function expectedOutput(lines = LINES): string[] {
  const windows = new Map<string, { auction: number; start: number; bids: number; top: number; total: number }>()
  for (let file = 0; file < FILES; file++) {
    for (let line = 0; line < lines; line++) {
      const { auction, price, at, channel } = bid(file, line)
      if (price <= 100 || channel === 'c') continue
      for (let start = Math.floor(at / 500) * 500; start > at - 2000; start -= 500) {
        const window = windows.get(`${auction} ${start}`) ?? { auction, start, bids: 0, top: 0, total: 0 }
        window.bids += 1
        window.top = Math.max(window.top, price)
        window.total += price
        windows.set(`${auction} ${start}`, window)
      }
    }
  }
  return [...windows.values()]
    .map(({ auction, start, bids, top, total }) =>
      JSON.stringify({ auction, windowStart: start, windowEnd: start + 2000, bids, top, total }),
    )
    .sort()
}

/** A run drawn from a seed: faults, store errors and, in half of them, a rescale. */
export function seededSimulation(seed: number): Simulation {
  const random = mulberry(seed)
  const faults: Fault[] = Array.from({ length: Math.floor(random() * 6) }, () => ({
    at: Math.floor(random() * 4_000),
    kind: (['kill', 'zombie', 'cut'] as const)[Math.floor(random() * 3)] ?? 'kill',
    who: random() < 0.35 ? 'coordinator' : Math.floor(random() * 8),
  }))
  const replicas = 1 + Math.floor(random() * 3)
  return {
    seed,
    spec: windowJob(replicas),
    files: inputFiles(),
    faults,
    storeFaultRate: random() < 0.5 ? 0 : 0.03,
    ...(random() < 0.5
      ? { rescales: [{ at: Math.floor(random() * 3_000), spec: windowJob(1 + Math.floor(random() * 3)) }] }
      : {}),
  }
}
