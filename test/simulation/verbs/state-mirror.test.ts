import { expect, test } from 'vitest'
import { BIDS, wrongVerbSeeds } from '../../harness/simulation/verb-job.ts'

const SEEDS = 8
const counts = new Map(
  [...Map.groupBy(BIDS, ({ auction }) => auction)].map(([auction, bids]) => [auction, bids.length] as const),
)

interface View {
  key: { auction: number }
  state: {
    counted: { get(): { n: number } | null; set(row: { n: number }): void }
    newest: { set(row: { n: number }): void; clear(): void }
  }
}

/** Counts bids; every third one clears what is mirrored. */
function count(_bid: unknown, { state: { counted, newest } }: View): void {
  const n = (counted.get()?.n ?? 0) + 1
  counted.set({ n })
  if (n % 3 === 0) newest.clear()
  else newest.set({ n })
}

/** A count that a mirror was told twice was committed twice; the last one of an auction is that of all its bids. */
function wrongness(rows: readonly Record<string, unknown>[]): string | undefined {
  const told = rows
    .filter(({ deleted }) => deleted === false)
    .map(({ auction, n }) => `${String(auction)} ${String(n)}`)
  const twice = told.find((row, index) => told.indexOf(row) < index)
  if (twice !== undefined) return `${twice} was told twice`
  for (const [auction, n] of counts) {
    const isThere =
      n % 3 === 0
        ? rows.some((row) => row['auction'] === auction && row['deleted'] === true)
        : told.includes(`${auction} ${n}`)
    if (!isThere) return `the end of auction ${auction}, ${n} bids, was not told`
    if (told.some((row) => row.startsWith(`${auction} `) && Number(row.split(' ')[1]) > n))
      return `${auction} has too many bids`
  }
  return undefined
}

test('under virtual time, killed and rescaled, a mirror of state is told each change once, and the last one', async () => {
  expect(
    await wrongVerbSeeds(
      {
        graph: [
          {
            id: 'counts',
            from: 'bids',
            keyBy: 'auction',
            process: {
              module: 'user',
              function: 'count',
              output: { auction: 'long' },
              state: { counted: { value: { n: 'long' } }, newest: { value: { n: 'long' } } },
              stateMirror: ['newest'],
            },
          },
          { id: 'none', from: 'counts', sink: 'console' },
        ],
        from: 'counts.newest',
        moduleNames: ['user'],
        modules: () => ({ user: { count } }),
        wrongness,
      },
      SEEDS,
    ),
  ).toEqual([])
})
