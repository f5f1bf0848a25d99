import { NexmarkGenerator } from '../runtime/connectors/nexmark/generator.ts'
import { BenchJob } from './bench-job.ts'

/**
 * `npm run bench [-- name…]`: the figures of bench/README.md, each in fresh worker processes.
 * Throughput is CPU of a long run minus CPU of a short one, over the difference in events: start-up and warm-up cancel.
 */
const SHORT_EVENTS = 4_000_000
const LONG_EVENTS = 16_000_000

const bids = (events: number, rate?: string): object => ({
  id: 'bids', source: { nexmark: { events, ...(rate === undefined ? {} : { rate }) } }, eventTime: { field: 'dateTime', outOfOrderness: '4s' },
})
const out = (from: string): object => ({ id: 'out', from, sink: { blackhole: {} } })
const job = (replicas: number, ...graph: object[]): object => ({ replicas, checkpoints: { interval: '10s' }, graph })
const HOT = { id: 'counts', from: 'bids', keyBy: 'auction', window: { hop: '2s', size: '10s' }, aggregate: { bids: 'count()' } }

const QUERIES: Readonly<Record<string, (events: number) => object>> = {
  q0: (events) => job(1, bids(events), out('bids')),
  q1: (events) => job(1, bids(events), { id: 'euros', from: 'bids', set: { price: '0.908 * price' } }, out('euros')),
  q2: (events) => job(1, bids(events), { id: 'some', from: 'bids', filter: 'auction % 123 === 0' }, { id: 'two', from: 'some', map: { auction: 'auction', price: 'price' } }, out('two')),
  q5: (events) => job(1, bids(events), HOT, { id: 'slices', from: 'counts', map: { slice: 'windowStart', windowEnd: 'windowEnd', bids: 'bids' } }, { id: 'top', from: 'slices', keyBy: 'slice', window: { tumble: '2s' }, aggregate: { top: 'max(bids)' } }, out('top')),
}

const SECTIONS: Readonly<Record<string, () => Promise<void>>> = {
  generator: async () => {
    const generator = new NexmarkGenerator()
    for (let n = 0; n < 1_000_000; n++) generator.event(n)
    const before = process.cpuUsage()
    for (let n = 0; n < 4_000_000; n++) generator.event(n)
    const { user, system } = process.cpuUsage(before)
    say('generator alone', `${thousands(4_000_000 / ((user + system) / 1e6))} k events per CPU second`)
  },
  ...Object.fromEntries(Object.entries(QUERIES).map(([name, query]) => [name, () => throughput(name, query)])),
  latency, idle, rescale,
}

async function throughput(name: string, query: (events: number) => object): Promise<void> {
  const short = await runToEnd(query(SHORT_EVENTS))
  const long = await runToEnd(query(LONG_EVENTS))
  const seconds = (long.cpuMs - short.cpuMs) / 1000
  say(name, `${thousands((LONG_EVENTS - SHORT_EVENTS) / seconds)} k events per CPU second; ${long.rows} rows out of ${LONG_EVENTS} events, peak ${long.peakRssMb.toFixed(0)} MB in ${long.workers} worker(s)`)
}

async function runToEnd(spec: object): Promise<{ cpuMs: number; rows: number; peakRssMb: number; workers: number }> {
  const bench = new BenchJob()
  await bench.start(spec)
  bench.target(spec)
  await bench.until((report) => report.phase === 'finished')
  const all = await bench.end()
  const sum = (pick: (figures: (typeof all)[number]) => number): number => all.reduce((total, figures) => total + pick(figures), 0)
  return { cpuMs: sum((f) => f.cpuMs), rows: sum((f) => f.rows), peakRssMb: sum((f) => f.peakRssMb), workers: all.length }
}

/** Source → keyBy (1024 keys) → map → sink, two chains, 50 000 records/s; the first third is warm-up. */
async function latency(): Promise<void> {
  const spec = job(1, { id: 'ticks', source: { ticks: { perSecond: 50_000, records: 900_000 } } }, { id: 'keyed', from: 'ticks', keyBy: 'key' },
    { id: 'mapped', from: 'keyed', map: { key: 'key', value: 'value + 1', emittedAt: 'emittedAt' } }, out('mapped'))
  const bench = new BenchJob()
  await bench.start(spec)
  bench.target(spec)
  await bench.until((report) => report.phase === 'finished')
  for (const { latencies } of await bench.end()) {
    if (latencies) say('latency at 50 000/s', `p50 ${latencies.p50.toFixed(2)} ms, p99 ${latencies.p99.toFixed(2)} ms, p99.9 ${latencies.p999.toFixed(2)} ms (${latencies.records} records)`)
  }
}

/** Memory of a registered worker without a job, and the time from starting processes to the first row in the sink. */
async function idle(): Promise<void> {
  const spec = QUERIES['q0']?.(1_000_000) ?? {}
  const bench = new BenchJob()
  const startedAt = performance.timeOrigin + performance.now()
  await bench.start(spec)
  bench.target(spec)
  await bench.until((report) => report.phase === 'finished')
  const [figures] = await bench.end()
  say('process start to first record', `${((figures?.firstRowAt ?? NaN) - startedAt).toFixed(0)} ms (run from .ts)`)
  const waiting = new BenchJob()
  await waiting.start(spec)
  await new Promise((done) => { setTimeout(done, 5_000) })
  say('idle worker', `${waiting.residentMb().map((mb) => mb.toFixed(0)).join(', ')} MB resident (run from .ts)`)
  await waiting.end()
}

/** 50 000 bids/s through a window, 1 → 2 slots; the new workers are started beforehand as the operator does. */
async function rescale(): Promise<void> {
  const graph = [bids(100_000_000, '50000/s'), HOT, out('counts')]
  const bench = new BenchJob()
  await bench.start(job(2, ...graph))
  bench.target(job(1, ...graph))
  await bench.until((report) => report.checkpoint !== null)
  bench.target(job(2, ...graph))
  const { lastPauseMs } = await bench.until((report) => report.attempt === 2 && report.phase === 'running' && report.lastPauseMs !== null)
  say('rescale 1 → 2', `${lastPauseMs} ms from the last record before to the first after`)
  await bench.end()
}

function thousands(value: number): string { return Math.round(value / 1000).toString() }
function say(what: string, figure: string): void { process.stdout.write(`${what.padEnd(30)} ${figure}\n`) }

const wanted = process.argv.slice(2)
for (const [name, section] of Object.entries(SECTIONS)) if (wanted.length === 0 || wanted.includes(name)) await section()
process.exit(0)
