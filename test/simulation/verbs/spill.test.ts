import { describe, expect, test } from 'vitest'
import { simulate } from '../../../sim/simulated-job.ts'
import { processJob } from '../../harness/simulation/user-code-job.ts'
import { BIDS, finalWrongness, specOf, wrongVerbSeeds, type VerbJob } from '../../harness/simulation/verb-job.ts'
import { inputFiles } from '../../harness/simulation/window-job.ts'

const SEEDS = 4
const STATE = { memory: '2Ki' }
const N = 20

const lineOf = ({ auction, price, at, channel }: Readonly<Record<string, unknown>>): string =>
  JSON.stringify([auction, price, at, channel])
const each = new Set(BIDS.map(lineOf))

/** Every bid once, and again when it comes again. */
const dedupe: VerbJob = {
  graph: [{ id: 'once', from: 'bids', keyBy: ['auction', 'price', 'at', 'channel'], dedupe: { keep: 'first' } }],
  from: 'once',
  state: STATE,
  wrongness: (rows) =>
    rows.length === each.size && rows.every((row) => each.has(lineOf(row)))
      ? undefined
      : `${rows.length} rows came of ${each.size} bids`,
}

const ranks = new Map(
  [...Map.groupBy(BIDS, ({ auction }) => auction)].flatMap(([auction, bids]) =>
    bids
      .map(({ price }) => price)
      .sort((a, b) => b - a)
      .slice(0, N)
      .map((price, place): [string, number] => [`${auction} ${place + 1}`, price]),
  ),
)

const topN: VerbJob = {
  graph: [{ id: 'top', from: 'bids', keyBy: 'auction', topN: { limit: N, by: 'price', rank: 'place' } }],
  from: 'top',
  state: STATE,
  wrongness: (rows) =>
    finalWrongness(rows, (row) => `${String(row['auction'])} ${String(row['place'])}`, 'price', ranks),
}

const DEAR = 500
const pair = (left: Readonly<Record<string, unknown>>, right: Readonly<Record<string, unknown>>): string =>
  JSON.stringify([left['at'], left['price'], right['at'], right['price']])
const pairs = BIDS.filter(({ price }) => price >= DEAR)
  .flatMap((left) =>
    BIDS.filter(({ auction, channel }) => auction === left.auction && channel === 'a').map((right) =>
      pair(left, right),
    ),
  )
  .sort()

const join: VerbJob = {
  graph: [
    { id: 'dear', from: 'bids', filter: `price >= ${DEAR}` },
    { id: 'channel-a', from: 'bids', filter: "channel === 'a'" },
    {
      id: 'both',
      from: ['dear', 'channel-a'],
      join: {
        keyBy: 'auction',
        ttl: 'forever',
        select: { at: 'left.at', price: 'left.price', otherAt: 'right.at', otherPrice: 'right.price' },
      },
    },
  ],
  from: 'both',
  state: STATE,
  wrongness: (rows) =>
    JSON.stringify(rows.map((row) => pair(row, { at: row['otherAt'], price: row['otherPrice'] })).sort()) ===
    JSON.stringify(pairs)
      ? undefined
      : `${rows.length} rows instead of ${pairs.length}, or other ones`,
}

describe('with most of its state on disk', () => {
  test.each([
    ['dedupe', dedupe],
    ['topN', topN],
    ['join', join],
    ['process', { ...processJob, state: STATE }],
  ] as const)('%s gives the same, whatever is killed, paused, cut off or rescaled', async (_, job) => {
    expect(await wrongVerbSeeds(job, SEEDS)).toEqual([])
  })

  test('when a local disk is full the job fails over, and goes on once there is room', async () => {
    const faults = [{ at: 700, kind: 'localDiskFull', forMs: 2_000 }] as const
    const { finished, report, output, log } = await simulate(
      { seed: 1, spec: specOf(dedupe, 2), files: inputFiles(), faults, storeFaultRate: 0 },
      120_000,
    )
    expect(finished).toBe(true)
    expect(log.some((line) => line.includes('on the local disk failed: ENOSPC'))).toBe(true)
    expect(report?.stateBytes?.disk).toBeGreaterThan(0)
    expect(dedupe.wrongness(output.map((line) => JSON.parse(line) as Record<string, unknown>))).toBeUndefined()
  })

  test('when state never fits the local disk, the job says so and what to do', async () => {
    const { finished, report } = await simulate(
      { seed: 1, spec: specOf(dedupe, 1), files: inputFiles(), faults: [], storeFaultRate: 0, scratchBytes: 1024 },
      20_000,
    )
    expect(finished).toBe(false)
    expect(JSON.stringify(report)).toMatch(/STATE_DISK_FULL.*spec\.state\.folder/)
  })
})
