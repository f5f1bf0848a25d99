import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { BenchJob } from './bench-job.ts'
import { figureOf, type Figure } from './figure.ts'
import type { Query } from './queries.ts'

/** Events of a run to the warm-up mark and of one behind it: the difference is what is counted. */
const EVENTS = { short: 4_000_000, long: 12_000_000 }
const HASHED_EVENTS = 1_000_000

interface Run { cpuMs: number; rows: number; hash: number; peakRssMb: number }

/**
 * What the engine costs per event, as in the note on the Flink baseline: CPU of all workers between `short` and `long`
 * events (start-up and warm-up cancel, garbage collection and compiling count), less what the generator and the reading
 * of its rows cost without an engine, measured the same way in between. `rounds` alternate the two.
 */
export async function engineCost(name: string, query: Query, rounds: number, events = query.events ?? EVENTS): Promise<Figure> {
  const checked = await runToEnd(query.spec(HASHED_EVENTS), { MILLRACE_BENCH_HASH: '1' })
  const costs: number[] = []
  const cpuSeconds: number[] = []
  const counted = events.long - events.short
  for (let round = 0; round < rounds; round++) {
    const bare = bareNs(events.short, counted)
    const [short, long] = [await runToEnd(query.spec(events.short)), await runToEnd(query.spec(events.long))]
    cpuSeconds.push((long.cpuMs - short.cpuMs) / 1000)
    costs.push(((long.cpuMs - short.cpuMs) * 1e6) / counted - bare)
  }
  const { value } = figureOf('', '', cpuSeconds)
  return figureOf(name, 'ns/event', costs, {
    events: counted, cpuSeconds: value, eventsPerCpuSecond: Math.round(counted / value), rows: checked.rows, rowsHash: checked.hash.toString(16),
    target: query.flinkNs * query.share, flink: query.flinkNs,
  })
}

/** Nanoseconds of CPU per event of the generator alone (bare.ts). */
export function bareNs(warm: number, measured: number): number {
  const command = [process.execPath, '--max-semi-space-size=16', join(import.meta.dirname, 'bare.ts'), String(warm), String(measured)]
  const pinned = process.platform === 'linux' ? ['taskset', '-c', '0', ...command] : command
  const { nsPerEvent } = JSON.parse(execFileSync(pinned[0] ?? '', pinned.slice(1), { encoding: 'utf8' })) as { nsPerEvent: number }
  return nsPerEvent
}

async function runToEnd(spec: object, env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const bench = new BenchJob(env)
  await bench.start(spec)
  bench.target(spec)
  await bench.until((report) => report.phase === 'finished')
  const all = await bench.end()
  const sum = (pick: (figures: (typeof all)[number]) => number): number => all.reduce((total, figures) => total + pick(figures), 0)
  return { cpuMs: sum((f) => f.cpuMs), rows: sum((f) => f.rows), hash: sum((f) => f.hash), peakRssMb: sum((f) => f.peakRssMb) }
}
