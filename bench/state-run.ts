import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SnapshotUpload } from '../runtime/checkpoint/snapshot-upload.ts'
import { compileKeyGrouper } from '../runtime/codegen/keys/key-grouper.ts'
import type { LoopCode } from '../runtime/codegen/records/record-loops.ts'
import { compileRowClass } from '../runtime/codegen/rows/row.ts'
import type { Field, Row } from '../runtime/model/schema.ts'
import type { StateFile } from '../runtime/model/snapshot.ts'
import { realClock } from '../runtime/ports/real/clock.ts'
import { openFileStore } from '../runtime/ports/real/file-store.ts'
import { LogStateStore } from '../runtime/state/log-state-store.ts'

/**
 * One operator's state under load, in a process of its own. Arguments: what is kept (`numbers`: the newest time of
 * every key, as dedupe keeps it; `rows`: whole bids with three strings, as reduce keeps them) and the number of
 * keys. Fills it, takes a checkpoint, three times changes a tenth of the keys and takes another; then takes two
 * while keys are updated at random. Prints StateFigures.
 */
export interface StateFigures {
  bytesPerKey: number
  updatesPerCpuSecond: number
  updatesPerCpuSecondCheckpointing: number
  /**
   * The longest barrier, and the longest turn of the loop without and with a checkpoint: CPU time of the loop's
   * thread. `turnCheckpointingElapsed` is the time on the clock.
   */
  worstMs: { barrier: number; turn: number; turnCheckpointing: number; turnCheckpointingElapsed: number }
  wholeBytes: number
  /** Written by the checkpoints after a tenth of the keys had changed. */
  changedBytes: number[]
}

const BATCH = 1000
/** As a subtask takes its turns. */
const BATCHES_PER_TURN = 8
const TURN_MS = 5
const GROUPS = 128
const PADS = Array.from({ length: 64 }, (_, i) =>
  'lorem-ipsum-dolor-sit-amet-consectetur-adipiscing'.slice(i % 7, 20 + (i % 23)),
)

const long = (name: string): Field => ({ name, type: 'long', nullable: false })
const text = (name: string): Field => ({ name, type: 'string', nullable: false })
const fields =
  process.argv[2] === 'numbers'
    ? [long('auction'), long('dateTime')]
    : [long('auction'), long('bidder'), long('price'), text('channel'), text('url'), long('dateTime'), text('extra')]
const keys = Number(process.argv[3])

const RowOf = compileRowClass({ fields })
let time = 0
const makeRow =
  process.argv[2] === 'numbers'
    ? (n: number): Row => new RowOf(n, ++time)
    : (n: number): Row =>
        new RowOf(
          n,
          (n * 31) % 10_007,
          (n * 7) % 100_003,
          `channel-${n % 9999}`,
          `https://www.nexmark.com/item.htm?id=${n}`,
          ++time,
          PADS[n & 63],
        )

const rssBefore = process.memoryUsage.rss()
const shape = {
  key: [long('auction')],
  tables: {
    kept: { kind: 'value', schema: { fields }, ...(process.argv[2] === 'numbers' ? { keyIn: ['auction'] } : {}) },
  },
} as const
const state = new LogStateStore(
  shape,
  { maxParallelism: GROUPS, now: () => 0 },
  process.argv[2] === 'numbers' ? { kept: { kind: 'latest', field: long('dateTime') } } : {},
)
const table = state.records('kept')
const group = compileKeyGrouper([long('auction')], GROUPS)
const groups = new Uint16Array(BATCH)
const rows: Row[] = new Array<Row>(BATCH)
const batchKeys: number[] = new Array<number>(BATCH)
const out: Row[] = []

function update(keyAt: (i: number) => number): void {
  for (let i = 0; i < BATCH; i++) rows[i] = makeRow(keyAt(i))
  group(rows, BATCH, groups)
  if (table.code.loop === undefined) {
    for (let i = 0; i < BATCH; i++) batchKeys[i] = rows[i]?.['auction'] as number
    table.code.touch(groups, batchKeys, BATCH, table.groupAt)
    for (let i = 0; i < BATCH; i++)
      table.code.put(table.groupAt(groups[i] ?? 0), rows[i]?.['auction'] as number, undefined, rows[i] as Row, 0, 0)
    return
  }
  out.length = 0
  const loop: LoopCode = table.code.loop
  loop.keep(rows, BATCH, groups, table.groupAt, 0, 0, out)
}

/** CPU of this thread in ms. */
function threadCpu(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

const processCpu = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

interface Load {
  updates: number
  cpuSeconds: number
  worstCpuMs: number
  worstElapsedMs: number
}

/** Batches, and between them turns of the loop, until `isOver`. */
async function work(keyAt: (i: number) => number, isOver: (updates: number) => boolean): Promise<Load> {
  const load: Load = { updates: 0, cpuSeconds: 0, worstCpuMs: 0, worstElapsedMs: 0 }
  const from = processCpu()
  let [cpu, at] = [threadCpu(), performance.now()]
  while (!isOver(load.updates)) {
    const until = Date.now() + TURN_MS
    for (let batch = 0; batch < BATCHES_PER_TURN && Date.now() < until; batch++) {
      update(keyAt)
      load.updates += BATCH
    }
    await new Promise<void>((resolve) => {
      realClock.nextTurn(resolve)
    })
    const [cpuNow, now] = [threadCpu(), performance.now()]
    load.worstCpuMs = Math.max(load.worstCpuMs, cpuNow - cpu)
    load.worstElapsedMs = Math.max(load.worstElapsedMs, now - at)
    ;[cpu, at] = [cpuNow, now]
  }
  load.cpuSeconds = processCpu() - from
  return load
}

let seed = 1
const random = (): number => {
  seed = (Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
  return ((seed ^ (seed >>> 13)) >>> 0) % keys
}
let next = 0
const inTurn = (): number => {
  next += 7_368_787
  return next % keys
}

const folder = mkdtempSync(join(tmpdir(), 'millrace-state-'))
const uploads = new SnapshotUpload({
  subtask: 'op-0',
  attempt: 1,
  store: openFileStore(folder),
  clock: realClock,
  inlineBytes: 0,
})
let barrierMs = 0

const sum = (loads: readonly Load[], pick: (load: Load) => number): number =>
  loads.reduce((total, load) => total + pick(load), 0)

async function checkpoint(id: number, mode: 'under load' | 'at rest'): Promise<{ load: Load; written: number }> {
  const before = threadCpu()
  const frozen = state.freeze('changes')
  barrierMs = Math.max(barrierMs, threadCpu() - before)
  let files: readonly StateFile[] | undefined
  const upload = uploads.upload(id, [['op', frozen]]).then((of) => {
    files = of['op'] ?? []
  })
  const load = await work(random, () => mode === 'at rest' || files !== undefined)
  await upload
  return {
    load,
    written: (files ?? [])
      .filter(({ path }) => path.startsWith(`checkpoints/1-${id}/`))
      .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  }
}

try {
  await work(inTurn, (updates) => updates >= keys)
  const bytesPerKey = (process.memoryUsage.rss() - rssBefore) / keys
  const { written: wholeBytes } = await checkpoint(1, 'at rest')
  const changed: number[] = []
  for (let id = 2; id <= 4; id++) {
    await work(inTurn, (updates) => updates >= keys / 10)
    changed.push((await checkpoint(id, 'at rest')).written)
  }
  const still = await work(random, (updates) => updates >= Math.min(keys, 4_000_000))
  const whole = await checkpoint(5, 'under load')
  const more = await checkpoint(6, 'under load')
  const loads = [whole.load, more.load]
  const figures: StateFigures = {
    bytesPerKey,
    updatesPerCpuSecond: still.updates / still.cpuSeconds,
    updatesPerCpuSecondCheckpointing: sum(loads, ({ updates }) => updates) / sum(loads, ({ cpuSeconds }) => cpuSeconds),
    worstMs: {
      barrier: barrierMs,
      turn: still.worstCpuMs,
      turnCheckpointing: Math.max(...loads.map(({ worstCpuMs }) => worstCpuMs)),
      turnCheckpointingElapsed: Math.max(...loads.map(({ worstElapsedMs }) => worstElapsedMs)),
    },
    wholeBytes,
    changedBytes: changed,
  }
  process.stdout.write(JSON.stringify(figures))
} finally {
  rmSync(folder, { recursive: true })
}
