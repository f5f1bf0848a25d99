import { verbScenario, type VerbJob } from './verb-job.ts'

const FILES = 12
/**
 * Files that the fast source alone has, behind all that the slow one has: once that has finished nothing holds it
 * back.
 */
const TAIL_FILES = 4
const ROWS = 40
const STEP_MS = 50
const START = 1_000_000
const DRIFT_MS = 2_000
/**
 * One batch is read whole, and it holds at most a file; the rest is the disorder allowed, and that of the parts
 * read side by side.
 */
const FURTHEST_MS = DRIFT_MS + ROWS * STEP_MS + 2_000

const rows = Array.from({ length: (FILES + TAIL_FILES) * ROWS }, (_, index) => ({
  auction: index,
  price: 0,
  at: START + index * STEP_MS,
  channel: 'a',
}))
const SLOW_ROWS = FILES * ROWS
const files = new Map(
  Array.from({ length: FILES + TAIL_FILES }, (_, file) => [
    `/data/${file < FILES ? 'in' : 'tail'}-${String(file).padStart(2, '0')}.jsonl`,
    rows
      .slice(file * ROWS, (file + 1) * ROWS)
      .map((row) => `${JSON.stringify(row)}\n`)
      .join(''),
  ]),
)

/**
 * Two sources of the same rows, one read at its pace, the other as fast as it goes: how far does the second get
 * ahead while the first has any?
 */
export function twoPaces(pace: 'aligned' | 'free'): VerbJob {
  const eventTime = {
    field: 'at',
    outOfOrderness: '300ms',
    ...(pace === 'free' ? {} : { align: { group: 'g', maxDrift: `${DRIFT_MS}ms` } }),
  }
  let slowAt = START
  let ahead = 0
  // each in the chain of its source: what is on its way behind says nothing of what was read
  const onSlow = ({ at }: { at: number }): boolean => (slowAt = Math.max(slowAt, at)) > 0
  const onFast = ({ at }: { at: number }): boolean =>
    (ahead = at < START + SLOW_ROWS * STEP_MS ? Math.max(ahead, at - slowAt) : ahead) > -Infinity
  return {
    graph: [
      {
        id: 'fast',
        source: { file: { paths: ['/data/in-*.jsonl', '/data/tail-*.jsonl'], format: 'json' } },
        schema: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' },
        eventTime,
      },
      { id: 'slow-seen', from: 'bids', filter: { module: 'user', function: 'onSlow' } },
      { id: 'fast-seen', from: 'fast', filter: { module: 'user', function: 'onFast' } },
      { id: 'slow-rows', from: 'slow-seen', map: { side: "'slow'", n: 'auction', at: 'at' } },
      { id: 'fast-rows', from: 'fast-seen', map: { side: "'fast'", n: 'auction', at: 'at' } },
      { id: 'both', from: ['slow-rows', 'fast-rows'], union: {} },
    ],
    from: 'both',
    eventTime,
    files,
    moduleNames: ['user'],
    modules: () => ({ user: { onSlow, onFast } }),
    wrongness: (output) => {
      const seen = new Set(output.map((row) => `${String(row['side'])} ${String(row['n'])}`))
      const furthest = ahead
      slowAt = START
      ahead = 0
      const expected = rows.length + SLOW_ROWS
      if (output.length !== expected || seen.size !== expected)
        return `${output.length} rows, ${seen.size} of them different, not ${expected}`
      return furthest > FURTHEST_MS ? `${furthest} ms ahead, not at most ${FURTHEST_MS}` : undefined
    },
  }
}

export const alignmentScenario = verbScenario('alignment', [twoPaces('aligned')], {})
