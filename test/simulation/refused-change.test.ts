import { expect, test } from 'vitest'
import { simulate } from '../../sim/simulated-job.ts'
import { expectedOutput, inputFiles, windowJob } from '../harness/simulation/window-job.ts'

type Spec = ReturnType<typeof windowJob>

/** The same job with other entries. */
function changed(edit: (entry: Record<string, unknown>) => Record<string, unknown>): object {
  const spec: Spec = windowJob(2)
  return { ...spec, graph: spec.graph.map((entry) => edit(entry)) }
}

test.each([
  [
    'a type upstream of a window',
    changed((entry) =>
      entry['id'] === 'bids'
        ? { ...entry, schema: { auction: 'long', price: 'double', at: 'timestamp', channel: 'string' } }
        : entry,
    ),
    /"hot" keeps state as .*top: long.*, it would become .*top: double/,
  ],
  [
    'a window itself',
    changed((entry) => (entry['id'] === 'hot' ? { ...entry, window: { tumble: '1s' } } : entry)),
    /"hot": window changed/,
  ],
])(
  'when an edit changes %s, it is refused before the job stops, which goes on and gives what it would have given',
  async (_, spec, message) => {
    const { finished, report, output } = await simulate(
      {
        seed: 7,
        spec: windowJob(2),
        files: inputFiles(),
        faults: [],
        storeFaultRate: 0,
        rescales: [{ at: 900, spec }],
      },
      120_000,
    )
    expect(finished).toBe(true)
    expect(report?.attempt).toBe(1)
    expect(report?.error?.code).toBe('STATE_WOULD_BE_LOST')
    expect(report?.refused?.error).toEqual(report?.error)
    expect(report?.error?.message).toMatch(message)
    expect([...output].sort()).toEqual(expectedOutput())
  },
)
