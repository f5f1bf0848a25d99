import { expect, onTestFinished, test } from 'vitest'
import { connector as nexmark } from '../../../../runtime/connectors/nexmark/connector.ts'
import { declaration } from '../../../../runtime/connectors/nexmark/declaration.ts'
import { Connectors, type Connector } from '../../../../runtime/connectors/registry.ts'
import { fileEntry, loadedEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { until } from '../../../harness/until.ts'

const SPEC = {
  replicas: 2,
  checkpoints: { interval: '50ms' },
  graph: [
    { id: 'in', source: { nexmark: { events: 1_000_000, type: 'bid', rate: '2000/s' } } },
    { id: 'out', from: 'in', sink: { file: { path: 'out' } } },
  ],
}

test('while a job waits for a lost worker, the others read no further', async () => {
  let open = 0
  const counting: Connector = {
    source: (options) => {
      const source = nexmark.source(options)
      return {
        ...source,
        reader: (context, rows) => {
          const reader = source.reader(context, rows)
          const close = reader.close.bind(reader)
          open += 1
          reader.close = async () => {
            open -= 1
            await close()
          }
          return reader
        },
      }
    },
  }
  const job = new InProcessJob(SPEC, new Connectors([loadedEntry(declaration, counting), fileEntry]))
  onTestFinished(() => job.close())
  await job.start()
  await job.reportWith('running', ({ phase }) => phase === 'running')
  expect(open).toBe(2)
  await job.workers.get('in-1')?.close()
  await until('no reader is open', () => (open === 0 ? true : undefined))
  expect(job.report().phase).toBe('recovering')
})
