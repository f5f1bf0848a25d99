import { expect, test } from 'vitest'
import { BIDS, wrongVerbSeeds } from '../../harness/simulation/verb-job.ts'
import { inputFiles } from '../../harness/simulation/window-job.ts'

const SEEDS = 6
/** By then the rules, which come as fast as they go, have all come. */
const SETTLED = 1_006_000

test('broadcast under virtual time, killed and rescaled: rules that have come hold for every event, once', async () => {
  const rules = new Map(
    (inputFiles().get('/data/in-0.jsonl') ?? '')
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as (typeof BIDS)[number])
      .map((rule) => [rule.auction, rule]),
  )
  for (const rule of [...rules.values()]) if (rule.channel === 'c') rules.delete(rule.auction)
  const line = (auction: unknown, at: unknown, limit: unknown): string => JSON.stringify([auction, at, limit])
  const expected = BIDS.filter(({ at }) => at >= SETTLED)
    .flatMap(({ auction, price, at }) => {
      const rule = rules.get(auction)
      return rule !== undefined && price > rule.price ? [line(auction, at, rule.price)] : []
    })
    .sort()
  expect(expected.length).toBeGreaterThan(20)
  expect(
    await wrongVerbSeeds(
      {
        graph: [
          {
            id: 'rules',
            source: { file: { path: '/data/in-0.jsonl', format: 'json' } },
            schema: { auction: 'long', price: 'long', channel: 'string' },
            replicas: 1,
          },
          {
            id: 'alarms',
            from: ['bids', 'rules'],
            broadcast: {
              key: 'auction',
              where: 'bids.auction === rules.auction && bids.price > rules.price',
              remove: "rules.channel === 'c'",
              select: { auction: 'bids.auction', at: 'bids.at', limit: 'rules.price' },
            },
          },
        ],
        from: 'alarms',
        wrongness: (rows) => {
          const found = rows
            .filter((row) => Number(row['at']) >= SETTLED)
            .map((row) => line(row['auction'], row['at'], row['limit']))
            .sort()
          return JSON.stringify(found) === JSON.stringify(expected)
            ? undefined
            : `${found.length} rows instead of ${expected.length}, or other ones`
        },
      },
      SEEDS,
    ),
  ).toEqual([])
})
