import { openRealScratchFile } from '../runtime/ports/real/scratch.ts'
import { compileKeyGrouper } from '../runtime/codegen/keys/key-grouper.ts'
import { compileRowClass } from '../runtime/codegen/rows/row.ts'
import type { Field, Row } from '../runtime/model/schema.ts'
import { LogStateStore } from '../runtime/state/log-state-store.ts'

/**
 * Rows of a table of which only a part may lie in memory, in a process of its own. Arguments: keys, MB that may lie in
 * memory (0: no limit). Fills the table, then for each load updates until things are steady. Prints SpillFigures. The
 * file is mostly in the page cache: this measures our own work, not the disk.
 */
export interface SpillFigures {
  fill: number
  /** Per CPU second. */
  loads: Record<
    string,
    { perCpuSecond: number; residentMB: number; onDiskMB: number; fileMB: number; worstBatchMs: number }
  >
}

const BATCH = 1000
const GROUPS = 128
const MB = 1024 * 1024
const keys = Number(process.argv[2])
const limitMB = Number(process.argv[3])
const PADS = Array.from({ length: 64 }, (_, i) =>
  'lorem-ipsum-dolor-sit-amet-consectetur-adipiscing'.slice(i % 7, 20 + (i % 23)),
)

const long = (name: string): Field => ({ name, type: 'long', nullable: false })
const text = (name: string): Field => ({ name, type: 'string', nullable: false })
const fields = [
  long('auction'),
  long('bidder'),
  long('price'),
  text('channel'),
  text('url'),
  long('dateTime'),
  text('extra'),
]
const RowOf = compileRowClass({ fields })
let time = 0
const makeRow = (n: number): Row =>
  new RowOf(
    n,
    (n * 31) % 10_007,
    (n * 7) % 100_003,
    `channel-${n % 9999}`,
    `https://www.nexmark.com/item.htm?id=${n}`,
    ++time,
    PADS[n & 63],
  )

const store = new LogStateStore(
  { key: [long('auction')], tables: { kept: { kind: 'value', schema: { fields } } } },
  {
    maxParallelism: GROUPS,
    now: () => 0,
    ...(limitMB === 0 ? {} : { spill: { limitBytes: limitMB * MB, open: openRealScratchFile } }),
  },
)
const table = store.value('kept')
const groupOf = compileKeyGrouper([long('auction')], GROUPS)
const groups = new Uint16Array(BATCH)
const rows: Row[] = new Array<Row>(BATCH)

let seed = 1
const random = (): number => {
  seed = (Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
  return ((seed ^ (seed >>> 13)) >>> 0) / 4294967296
}

/** Zipf with exponent 0.99 over all keys, as YCSB draws it (Gray et al. 1994). */
function zipf(): () => number {
  const theta = 0.99
  let zeta = 0
  for (let i = 1; i <= keys; i++) zeta += 1 / i ** theta
  const alpha = 1 / (1 - theta)
  const eta = (1 - (2 / keys) ** (1 - theta)) / (1 - (1 + 0.5 ** theta) / zeta)
  return () => {
    const u = random()
    const rank = u * zeta < 1 ? 0 : u * zeta < 1 + 0.5 ** theta ? 1 : Math.floor(keys * (eta * u - eta + 1) ** alpha)
    // scattered over the keys
    return Math.imul(rank, 0x9e3779b1) >>> 0
  }
}

const uniform = (): number => Math.floor(random() * keys)
const skewed = zipf()
let next = 0
const cpu = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

let worst = 0
function batches(count: number, keyAt: () => number, reads: boolean): number {
  const from = cpu()
  worst = 0
  for (let batch = 0; batch < count; batch++) {
    const at = process.threadCpuUsage()
    for (let i = 0; i < BATCH; i++) rows[i] = makeRow(keyAt() % keys)
    groupOf(rows, BATCH, groups)
    for (let i = 0; i < BATCH; i++) {
      const row = rows[i] as Row
      const key = row['auction'] as number
      if (reads && table.get(groups[i] ?? 0, key) === undefined) throw new Error(`key ${key} is gone`)
      table.set(groups[i] ?? 0, key, row)
    }
    const { user, system } = process.threadCpuUsage(at)
    worst = Math.max(worst, (user + system) / 1000)
  }
  return (count * BATCH) / (cpu() - from)
}

const figures: SpillFigures = { fill: batches(Math.ceil(keys / BATCH), () => next++, false), loads: {} }
for (const [name, keyAt, reads, share] of [
  ['Zipf read and write', skewed, true, 1],
  ['uniform write', uniform, false, 3],
  ['uniform read and write', uniform, true, 1],
] as const) {
  const perCpuSecond = batches(Math.ceil((keys * share) / BATCH), keyAt, reads)
  const { residentBytes, onDiskBytes, fileBytes } = store.memory()
  figures.loads[name] = {
    perCpuSecond,
    residentMB: residentBytes / MB,
    onDiskMB: onDiskBytes / MB,
    fileMB: fileBytes / MB,
    worstBatchMs: worst,
  }
}
process.stdout.write(JSON.stringify(figures))
