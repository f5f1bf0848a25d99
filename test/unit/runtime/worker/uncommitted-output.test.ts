import { expect, onTestFinished, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import type { SinkWriter } from '../../../../runtime/connectors/sink.ts'
import { declaration as consoleDeclaration } from '../../../../runtime/connectors/console/declaration.ts'
import { connector as values } from '../../../../runtime/connectors/values/connector.ts'
import { declaration as valuesDeclaration } from '../../../../runtime/connectors/values/declaration.ts'
import { loadedEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'

const done = (): Promise<void> => Promise.resolve()

/** Its output waits for a commit, which fails. */
const waits: SinkWriter = {
  open: done,
  write: done,
  prepareCommit: () => Promise.resolve([{ waits: 'for its commit' }]),
  commit: () => Promise.reject(new Error('the outside is away')),
  close: done,
}
/** Its rows are outside when they have been written. */
const sends: SinkWriter = { open: done, write: done, prepareCommit: () => Promise.resolve([]), close: done }

test('output that waits for its commit is not dropped in silence by a sink that commits nothing', async () => {
  let attempts = 0
  const sink = (): { writer: () => SinkWriter } => ({ writer: () => (attempts++ === 0 ? waits : sends) })
  const job = new InProcessJob(
    {
      checkpoints: { interval: '50ms' },
      graph: [
        { id: 'in', source: { values: { rows: [{ n: 1 }] } }, schema: { n: 'long' } },
        { id: 'out', from: 'in', sink: 'console' },
      ],
    },
    new Connectors([loadedEntry(valuesDeclaration, values), loadedEntry(consoleDeclaration, { sink })]),
  )
  onTestFinished(() => job.close())
  await job.start()
  const { phase, error } = await job.reportWith('over', (one) => one.phase === 'finished' || one.phase === 'failed')
  expect({ phase, code: error?.code }).toEqual({ phase: 'failed', code: 'SINK_CHANGED' })
})
