import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { NODE_FLAGS } from '../runtime/node-flags.ts'
import { BenchJob } from './bench-job.ts'
import { figureOf, type Figure } from './figure.ts'
import { flinkNs, flinkRows, type FlinkSeconds } from './flink.ts'
import { FLINK_QUERIES } from './flink-queries.ts'
import type { Query } from './queries.ts'

/** Events of a run to the warm-up mark and of one behind it: the difference is what is counted. */
const EVENTS = { short: 4_000_000, long: 12_000_000 }
const HASHED_EVENTS = 1_000_000

interface Run {
  cpuMs: number
  rows: number
  hash: number
  finalRows: number
  peakRssMb: number
}

/**
 * What the engine costs per event, as in the note on the Flink baseline: CPU of all workers between `short` and `long`
 * events (start-up and warm-up cancel, garbage collection and compiling count), less what the generator and the reading
 * of its rows cost without an engine, measured the same way before and after: what slows the machine down slows both.
 * `rounds` repeat all. With `flink`, each round also runs Flink, its best is what ours is compared with, and the result
 * rows of the two must be the same.
 */
export async function engineCost(
  name: string,
  query: Query,
  rounds: number,
  events = query.events ?? EVENTS,
  flink?: FlinkSeconds,
): Promise<Figure> {
  const checked = await runToEnd(query.spec(HASHED_EVENTS), {
    MILLRACE_BENCH_HASH: JSON.stringify(FLINK_QUERIES[name]?.compared ?? {}),
  })
  const costs: number[] = []
  const flinkCosts: number[] = []
  const cpuSeconds: number[] = []
  const counted = events.long - events.short
  for (let round = 0; round < rounds; round++) {
    const before = bareNs(events.short, counted)
    const [short, long] = [await runToEnd(query.spec(events.short)), await runToEnd(query.spec(events.long))]
    const bare = (before + bareNs(events.short, counted)) / 2
    cpuSeconds.push((long.cpuMs - short.cpuMs) / 1000)
    costs.push(((long.cpuMs - short.cpuMs) * 1e6) / counted - bare)
    if (flink !== undefined) flinkCosts.push(flinkNs(name, flink))
  }
  const { value } = figureOf('', '', cpuSeconds)
  const bar = flink === undefined ? query.flinkNs : Math.min(...flinkCosts)
  return figureOf(name, 'ns/event', costs, {
    events: counted,
    cpuSeconds: value,
    eventsPerCpuSecond: Math.round(counted / value),
    rows: checked.rows,
    rowsHash: checked.hash.toString(16),
    target: bar * query.share,
    flink: bar,
    ...(query.limits === undefined ? {} : { limits: query.limits }),
    ...(flink === undefined ? {} : { flinkRun: { rows: comparedRows(name, checked) } }),
  })
}

/** Whether Flink's rows over the hashed events are those of `ours`: as many in the end, with the same hash. */
function comparedRows(name: string, ours: Run): 'equal' | 'DIFFERENT' | 'not compared' {
  const theirs = flinkRows(name, HASHED_EVENTS)
  if (theirs === undefined) return 'not compared'
  return theirs.finalRows === ours.finalRows && theirs.hash === ours.hash.toString(16) ? 'equal' : 'DIFFERENT'
}

/** Nanoseconds of CPU per event of the generator alone (bare.ts). */
export function bareNs(warm: number, measured: number): number {
  const command = [
    process.execPath,
    ...NODE_FLAGS,
    join(import.meta.dirname, 'bare.ts'),
    String(warm),
    String(measured),
  ]
  const pinned = process.platform === 'linux' ? ['taskset', '-c', '0', ...command] : command
  const { nsPerEvent } = JSON.parse(execFileSync(pinned[0] ?? '', pinned.slice(1), { encoding: 'utf8' })) as {
    nsPerEvent: number
  }
  return nsPerEvent
}

async function runToEnd(spec: object, env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const bench = new BenchJob(env)
  await bench.start(spec)
  bench.target(spec)
  await bench.until((report) => report.phase === 'finished')
  const all = await bench.end()
  const sum = (pick: (figures: (typeof all)[number]) => number): number =>
    all.reduce((total, figures) => total + pick(figures), 0)
  return {
    cpuMs: sum((f) => f.cpuMs),
    rows: sum((f) => f.rows),
    hash: sum((f) => f.hash),
    finalRows: sum((f) => f.finalRows),
    peakRssMb: sum((f) => f.peakRssMb),
  }
}
