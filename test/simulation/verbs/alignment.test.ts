import { expect, test } from 'vitest'
import { wrongVerbSeeds, type VerbJob } from '../../harness/simulation/verb-job.ts'

const FILES = 12
const ROWS = 40
const STEP_MS = 50
const START = 1_000_000
const DRIFT_MS = 2_000
/** One batch is read whole, and it holds at most a file; the rest is the disorder allowed, and that of the parts read side by side. */
const FURTHEST_MS = DRIFT_MS + ROWS * STEP_MS + 2_000

const rows = Array.from({ length: FILES * ROWS }, (_, index) => ({ auction: index, price: 0, at: START + index * STEP_MS, channel: 'a' }))
const files = new Map(Array.from({ length: FILES }, (_, file) =>
  [`/data/in-${String(file).padStart(2, '0')}.jsonl`, rows.slice(file * ROWS, (file + 1) * ROWS).map((row) => `${JSON.stringify(row)}\n`).join('')]))

/** Two sources of the same rows, one read at its pace, the other as fast as it goes: how far does the second get ahead? */
function twoPaces(align: object | undefined, furthestMs: number): VerbJob {
  const eventTime = { field: 'at', outOfOrderness: '300ms', ...(align === undefined ? {} : { align }) }
  let slowAt = START
  let ahead = 0
  // each in the chain of its source: what is on its way behind says nothing of what was read
  const onSlow = ({ at }: { at: number }): boolean => (slowAt = Math.max(slowAt, at)) > 0
  const onFast = ({ at }: { at: number }): boolean => (ahead = Math.max(ahead, at - slowAt)) > -Infinity
  return {
    graph: [
      { id: 'fast', source: { file: { path: '/data/in-*.jsonl', format: 'json' } }, schema: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' }, eventTime },
      { id: 'slow-seen', from: 'bids', filter: { module: 'user', function: 'onSlow' } },
      { id: 'fast-seen', from: 'fast', filter: { module: 'user', function: 'onFast' } },
      { id: 'slow-rows', from: 'slow-seen', map: { side: "'slow'", n: 'auction', at: 'at' } },
      { id: 'fast-rows', from: 'fast-seen', map: { side: "'fast'", n: 'auction', at: 'at' } },
      { id: 'both', from: ['slow-rows', 'fast-rows'], union: {} },
    ],
    from: 'both', eventTime, files, moduleNames: ['user'], modules: () => ({ user: { onSlow, onFast } }),
    wrongness: (output) => {
      const seen = new Set(output.map((row) => `${String(row['side'])} ${String(row['n'])}`))
      const [furthest] = [ahead]
      slowAt = START
      ahead = 0
      if (output.length !== 2 * rows.length || seen.size !== output.length) return `${output.length} rows, ${seen.size} of them different, not ${2 * rows.length}`
      return furthest > furthestMs ? `${furthest} ms ahead, not at most ${furthestMs}` : undefined
    },
  }
}

test('a source that is faster waits for the other of its group, killed and rescaled, and every row comes once', async () => {
  expect(await wrongVerbSeeds(twoPaces({ group: 'g', maxDrift: `${DRIFT_MS}ms` }, FURTHEST_MS), 4)).toEqual([])
})

test('without alignment it runs ahead as far as there is to read', async () => {
  expect(await wrongVerbSeeds(twoPaces(undefined, FURTHEST_MS), 1)).toEqual([expect.stringMatching(/ms ahead/)])
})
