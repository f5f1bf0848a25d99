import { BenchJob } from './bench-job.ts'
import { figureOf, type Figure } from './figure.ts'
import { bids, HOT, job, out, QUERIES } from './queries.ts'

/** Source → keyBy (1024 keys) → map → sink, two chains, 50 000 records/s; the first third is warm-up. */
export async function latency(): Promise<Figure[]> {
  const spec = job(
    { id: 'ticks', source: { ticks: { perSecond: 50_000, records: 900_000 } } },
    { id: 'keyed', from: 'ticks', keyBy: 'key' },
    { id: 'mapped', from: 'keyed', map: { key: 'key', value: 'value + 1', emittedAt: 'emittedAt' } },
    out('mapped'),
  )
  const bench = new BenchJob()
  await bench.start(spec)
  bench.target(spec)
  await bench.until((report) => report.phase === 'finished')
  const latencies = (await bench.end()).flatMap((figures) => figures.latencies ?? [])
  return [
    figureOf(
      'latency at 50 000/s, p50',
      'ms',
      latencies.map(({ p50 }) => p50),
      { target: 2, flink: 8.1 },
    ),
    figureOf(
      'latency at 50 000/s, p99',
      'ms',
      latencies.map(({ p99 }) => p99),
      { target: 5, flink: 17.6 },
    ),
    figureOf(
      'latency at 50 000/s, p99.9',
      'ms',
      latencies.map(({ p999 }) => p999),
      { flink: 18.5 },
    ),
  ]
}

/** From before the coordinator and a worker exist to the first row in the sink. */
export async function start(): Promise<Figure[]> {
  const times: number[] = []
  for (let round = 0; round < 5; round++) {
    const spec = QUERIES['q0']?.spec(1_000_000) ?? {}
    const bench = new BenchJob()
    const startedAt = performance.timeOrigin + performance.now()
    await bench.start(spec)
    bench.target(spec)
    await bench.until((report) => report.phase === 'finished')
    const [figures] = await bench.end()
    times.push((figures?.firstRowAt ?? NaN) - startedAt)
  }
  return [figureOf('process start to first record', 'ms', times, { target: 300, flink: 9400 })]
}

/** Resident memory of a registered worker without a job. */
export async function idle(): Promise<Figure[]> {
  const bench = new BenchJob()
  await bench.start(QUERIES['q0']?.spec(1_000_000) ?? {})
  await new Promise((done) => {
    setTimeout(done, 5_000)
  })
  const resident = bench.residentMb()
  await bench.end()
  return [
    figureOf('idle worker, whole process', 'MB', resident, {
      target: 65,
      flink: 366,
      limits: 'an empty Node takes 41 MB',
    }),
  ]
}

/** 50 000 bids/s through a window, 1 → 2 slots; the new workers are started beforehand as the operator does. */
export async function rescale(): Promise<Figure[]> {
  const graph = [bids(100_000_000, '50000/s'), HOT, out('counts')]
  const at = (replicas: number): object => ({ ...job(...graph), replicas })
  const bench = new BenchJob()
  await bench.start(at(2))
  bench.target(at(1))
  await bench.until((report) => report.checkpoint !== null)
  bench.target(at(2))
  const { lastPauseMs } = await bench.until(
    (report) => report.attempt === 2 && report.phase === 'running' && report.lastPauseMs !== null,
  )
  await bench.end()
  return [figureOf('rescale 1 → 2, last record to first', 'ms', lastPauseMs === null ? [] : [lastPauseMs])]
}

const STATE_BYTES = 1e9

/**
 * 2 → 4 slots with a gigabyte of rows in state: filled as fast as it goes, then at a rate, as a job of that size
 * would run. All processes are on one core, also while the new ones restore ahead of the switch.
 */
export async function rescaleWithState(): Promise<Figure[]> {
  const largest = {
    id: 'largest',
    from: 'bids',
    keyBy: ['bidder', 'auction'],
    reduce: { price: 'Math.max(previous.price, current.price)' },
  }
  const at = (replicas: number, rate?: string): object => ({
    ...job(bids(1_000_000_000, rate), largest, out('largest')),
    replicas,
  })
  const bench = new BenchJob()
  await bench.start(at(4))
  bench.target(at(2))
  await bench.until((report) => (report.checkpoint?.sizeBytes ?? 0) > STATE_BYTES)
  bench.target(at(2, '50000/s'))
  await bench.until((report) => report.attempt === 2 && report.phase === 'running' && report.lastPauseMs !== null)
  bench.target(at(4, '50000/s'))
  const { lastPauseMs, checkpoint } = await bench.until(
    (report) => report.attempt === 3 && report.phase === 'running' && report.lastPauseMs !== null,
  )
  await bench.end()
  return [
    figureOf('rescale 2 → 4 with a gigabyte of state', 'ms', lastPauseMs === null ? [] : [lastPauseMs], {
      target: 1000,
      flink: 14_300,
      note: `savepoint of ${Math.round((checkpoint?.sizeBytes ?? 0) / 1e6)} MB`,
    }),
  ]
}
