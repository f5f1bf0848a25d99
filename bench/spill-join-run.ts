import { RowBatch } from '../runtime/memory/batch.ts'
import { compileRowClass } from '../runtime/codegen/rows/row.ts'
import type { Row, Schema } from '../runtime/model/schema.ts'
import { loadOperators } from '../runtime/operators/load-operators.ts'
import type { OperatorStage, Stage } from '../runtime/operators/stage.ts'
import { UserFunctions } from '../runtime/operators/user-functions.ts'
import { validateJob } from '../runtime/front/job-spec.ts'
import { realClock } from '../runtime/ports/real/clock.ts'
import { openRealScratchFile } from '../runtime/ports/real/scratch.ts'
import { MetricRegistry } from '../runtime/telemetry/metric-registry.ts'

/**
 * A join of bids and auctions, kept for ever as in q20, of which only a part may lie in memory, in a process of its
 * own. Arguments: auctions, MB that may lie in memory (0: no limit). The auctions come, then for each load as many
 * bids, each of which meets one auction and is kept. Last, all is written as a savepoint and restored. Prints
 * JoinSpillFigures. The file is mostly in the page cache: this measures our own work, not the disk.
 */
export interface JoinSpillFigures {
  /** Each with what there is behind it; rows per CPU second. */
  steps: Record<
    string,
    { perCpuSecond: number; rows: number; residentMB: number; fileMB: number; rssMB: number; worstBatchMs: number }
  >
  savepointMB: number
}

const BATCH = 1000
const MB = 1024 * 1024
const auctions = Number(process.argv[2])
const limitMB = Number(process.argv[3])
const PADS = Array.from({ length: 64 }, (_, i) =>
  'lorem-ipsum-dolor-sit-amet-consectetur-adipiscing'.slice(i % 7, 20 + (i % 23)),
)
const BID = {
  auction: 'long',
  bidder: 'long',
  price: 'long',
  channel: 'string',
  url: 'string',
  dateTime: 'timestamp',
  extra: 'string',
}
const AUCTION = {
  id: 'long',
  itemName: 'string',
  description: 'string',
  initialBid: 'long',
  reserve: 'long',
  dateTime: 'timestamp',
  expires: 'timestamp',
  seller: 'long',
  category: 'long',
  extra: 'string',
}
const select = Object.fromEntries([
  ...Object.keys(BID).map((name) => [name, `bids.${name}`]),
  ...Object.keys(AUCTION).map((name) => [`auction_${name}`, `auctions.${name}`]),
])

const validation = validateJob(
  {
    graph: [
      { id: 'bids', source: 'list', schema: BID },
      { id: 'auctions', source: 'list', schema: AUCTION },
      { id: 'op', from: ['bids', 'auctions'], join: { keyBy: { auction: 'id' }, ttl: 'forever', select } },
      { id: 'out', from: 'op', sink: 'console' },
    ],
  },
  {
    sources: { list: { options: { table: {}, check: () => [] } } },
    sinks: { console: { options: { table: {}, check: () => [] } } },
    tables: {},
    deadLetters: {},
  },
)
if (!('graph' in validation)) throw new Error(JSON.stringify(validation.problems))
const { graph } = validation
const streamOf = (schema: Schema) => ({ schema, rowClass: compileRowClass(schema) })
const [bidStream, auctionStream] = ['bids', 'auctions'].map((name) =>
  streamOf(graph.operators.find(({ id }) => id === name)?.schema ?? { fields: [] }),
) as [ReturnType<typeof streamOf>, ReturnType<typeof streamOf>]

let met = 0
const next: Stage = {
  process: ({ count }) => {
    met += count
    return Promise.resolve()
  },
  onWatermark: () => Promise.resolve(),
}

const operators = await loadOperators(['join'])

function createJoin(): OperatorStage {
  const node = graph.operators.find(({ id }) => id === 'op')
  if (node === undefined) throw new Error('there is no join')
  return operators.createStage({
    node,
    inputs: [bidStream, auctionStream],
    output: streamOf(node.schema),
    next,
    side: () => undefined,
    readersOf: () => '',
    slot: 0,
    parallelism: 1,
    maxParallelism: graph.maxParallelism,
    clock: realClock,
    ...(limitMB === 0 ? {} : { spill: { limitBytes: limitMB * MB, open: openRealScratchFile } }),
    after: () => () => undefined,
    functions: new UserFunctions(new Map()),
    httpClient: { send: () => Promise.reject(new Error('no service')) },
    openTable: () => Promise.reject(new Error('no table is looked up here')),
    stopping: new AbortController().signal,
    metrics: new MetricRegistry(),
    onBlocked: () => undefined,
    onError: (error) => {
      throw error
    },
    onLate: () => undefined,
  })
}

let seed = 1
const random = (): number => {
  seed = (Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
  return ((seed ^ (seed >>> 13)) >>> 0) / 4294967296
}
let time = 0
const auction = (n: number): Row =>
  new auctionStream.rowClass(
    n,
    `item ${n % 9999}`,
    PADS[(n + 7) & 63],
    n % 1000,
    n % 2000,
    ++time,
    time + 1000,
    (n * 31) % 10_007,
    n % 20,
    PADS[n & 63],
  )
const bid = (n: number): Row =>
  new bidStream.rowClass(
    n,
    (n * 31) % 10_007,
    (n * 7) % 100_003,
    `channel-${n % 9999}`,
    `https://www.nexmark.com/item.htm?id=${n}`,
    ++time,
    PADS[n & 63],
  )

const cpu = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
const figures: JoinSpillFigures = { steps: {}, savepointMB: 0 }

function note(name: string, stage: OperatorStage, rows: number, seconds: number, worstBatchMs: number): void {
  const { residentBytes = 0, fileBytes = 0 } = stage.state?.memory?.() ?? {}
  figures.steps[name] = {
    perCpuSecond: rows / seconds,
    rows: stage.state?.size() ?? 0,
    residentMB: residentBytes / MB,
    fileMB: fileBytes / MB,
    rssMB: process.memoryUsage.rss() / MB,
    worstBatchMs,
  }
}

async function load(name: string, stage: OperatorStage, input: 0 | 1, row: () => Row): Promise<void> {
  const from = cpu()
  let worst = 0
  const batches = Math.ceil(auctions / BATCH)
  for (let batch = 0; batch < batches; batch++) {
    const rows = Array.from({ length: BATCH }, row)
    const at = process.threadCpuUsage()
    await stage.process(new RowBatch(rows, BATCH), input)
    const { user, system } = process.threadCpuUsage(at)
    worst = Math.max(worst, (user + system) / 1000)
  }
  note(name, stage, batches * BATCH, cpu() - from, worst)
}

const stage = createJoin()
let id = 0
await load('auctions come', stage, 1, () => auction(id++))
// as bids go: mostly for auctions of late
await load('bids for the newest 5 %', stage, 0, () => bid(Math.floor(auctions * (0.95 + random() * 0.05))))
await load('bids for any', stage, 0, () => bid(Math.floor(auctions * random())))
if (met !== 2 * Math.ceil(auctions / BATCH) * BATCH) throw new Error(`${met} pairs came`)

const start = cpu()
const frozen = stage.state?.freeze('whole')
const restored = createJoin()
let bytes = 0
for (const [group, block] of frozen?.read().blocks ?? []) {
  bytes += block.length
  restored.state?.restore(group, block)
}
frozen?.release()
restored.state?.restored?.()
note('savepoint and restore', restored, restored.state?.size() ?? 0, cpu() - start, 0)
figures.savepointMB = bytes / MB
process.stdout.write(JSON.stringify(figures))
