import { expect, onTestFinished, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import type { SinkWriter } from '../../../../runtime/connectors/sink.ts'
import { declaration as consoleDeclaration } from '../../../../runtime/connectors/console/declaration.ts'
import { connector as values } from '../../../../runtime/connectors/values/connector.ts'
import { declaration as valuesDeclaration } from '../../../../runtime/connectors/values/declaration.ts'
import { loadedEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { quietPorts } from '../../../harness/source-context.ts'

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

/** A row into a sink of that id; `writer` is asked for one in each attempt. */
function jobInto(id: string, writer: () => SinkWriter, folder?: string): InProcessJob {
  const job = new InProcessJob(
    {
      checkpoints: { interval: '50ms' },
      graph: [
        { id: 'in', source: { values: { rows: [{ n: 1 }] } }, schema: { n: 'long' } },
        { id, from: 'in', sink: 'console' },
      ],
    },
    new Connectors([
      loadedEntry(valuesDeclaration, values),
      loadedEntry(consoleDeclaration, { sink: () => ({ writer }) }),
    ]),
    quietPorts(),
    folder === undefined ? {} : { folder },
  )
  onTestFinished(() => job.close())
  return job
}

async function endOf(job: InProcessJob): Promise<{ phase: string; code: string | undefined }> {
  const { phase, error } = await job.reportWith('over', (one) => one.phase === 'finished' || one.phase === 'failed')
  return { phase, code: error?.code }
}

test('output that waits for its commit is not dropped in silence by a sink that commits nothing', async () => {
  let attempts = 0
  const job = jobInto('out', () => (attempts++ === 0 ? waits : sends))
  await job.start()
  expect(await endOf(job)).toEqual({ phase: 'failed', code: 'SINK_CHANGED' })
})

test('output that waits for its commit is not dropped in silence when its sink is gone', async () => {
  let giveUp = (_: Error): void => undefined
  const commit = (): Promise<void> =>
    new Promise((_, reject) => {
      giveUp = reject
    })
  const before = jobInto('out', () => ({ ...waits, commit }))
  onTestFinished(() => {
    giveUp(new Error('the test is over'))
  })
  await before.start()
  await before.reportWith('behind a checkpoint', ({ checkpoint }) => checkpoint !== null)
  const after = jobInto('renamed', () => sends, before.folder)
  await after.startIdle()
  after.want('running', undefined, 'renamed')
  expect(await endOf(after)).toEqual({ phase: 'failed', code: 'SINK_CHANGED' })
})
