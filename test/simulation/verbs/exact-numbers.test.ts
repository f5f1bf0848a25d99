import { expect, test } from 'vitest'
import { BIDS, wrongVerbSeeds, type VerbJob } from '../../harness/simulation/verb-job.ts'

const BEYOND = 9_007_199_254_740_993n

/** Grouped by a bigint and a decimal; the last result of each group is the exact one. */
const EXACT: VerbJob = {
  from: 'printed',
  graph: [
    {
      id: 'typed',
      from: 'bids',
      map: {
        at: 'at',
        id: `BigInt(auction % 3) + ${BEYOND}n`,
        step: 'Decimal(auction % 2, 3, 2) / 4',
        cost: 'Decimal(price, 20, 2) * 1.01',
      },
    },
    {
      id: 'sums',
      from: 'typed',
      keyBy: ['id', 'step'],
      aggregate: {
        n: 'count()',
        cost: 'sum(cost)',
        ids: 'sum(id % 1000)',
        least: 'min(cost)',
        most: 'max(cost)',
        mean: 'avg(cost)',
      },
    },
    // JSON.parse of the test would make doubles of them
    {
      id: 'printed',
      from: 'sums',
      map: {
        key: '`${id} ${step}`',
        n: 'n',
        said: '`${cost} ${ids} ${least} ${most}`',
        isMean: 'mean * n - cost < 0.01 && cost - mean * n < 0.01',
      },
    },
  ],
  wrongness: (rows) => {
    const last = new Map<unknown, Record<string, unknown>>()
    for (const row of rows) if (Number(row['n']) >= Number(last.get(row['key'])?.['n'] ?? 0)) last.set(row['key'], row)
    const found = [...last.values()].map(({ key, n, said }) => `${String(key)}: ${String(n)} ${String(said)}`).sort()
    if (rows.some(({ isMean }) => isMean !== true)) return 'a mean is not the sum by the count'
    return JSON.stringify(found) === JSON.stringify(expected())
      ? undefined
      : `${found.join()} is not ${expected().join()}`
  },
}

/** The same in units of 0.0001, as bigints. */
function expected(): string[] {
  const groups = new Map<string, { n: number; costs: bigint[]; ids: bigint }>()
  for (const { auction, price } of BIDS) {
    const id = BigInt(auction % 3) + BEYOND
    const key = `${id} ${auction % 2 === 0 ? '0.000000' : '0.250000'}`
    const group = groups.get(key) ?? { n: 0, costs: [], ids: 0n }
    group.n++
    group.costs.push(BigInt(price) * 10_100n)
    group.ids += id % 1000n
    groups.set(key, group)
  }
  return [...groups]
    .map(([key, { n, costs, ids }]) => {
      const sum = costs.reduce((total, cost) => total + cost, 0n)
      const sorted = costs.toSorted((a, b) => (a < b ? -1 : 1))
      return `${key}: ${n} ${text(sum)} ${ids} ${text(sorted[0] ?? 0n)} ${text(sorted.at(-1) ?? 0n)}`
    })
    .sort()
}

function text(units: bigint): string {
  const digits = String(units).padStart(5, '0')
  return `${digits.slice(0, -4)}.${digits.slice(-4)}`
}

test('decimals and bigints group, add up and are restored exactly, whatever fails and however it is rescaled', async () => {
  expect(await wrongVerbSeeds(EXACT, 12)).toEqual([])
})
