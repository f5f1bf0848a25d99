import { expect, onTestFinished, test } from 'vitest'
import { connector as console } from '../../../../runtime/connectors/console/connector.ts'
import { declaration } from '../../../../runtime/connectors/console/declaration.ts'
import { connector as nexmark } from '../../../../runtime/connectors/nexmark/connector.ts'
import { declaration as nexmarkDeclaration } from '../../../../runtime/connectors/nexmark/declaration.ts'
import { Connectors, type Connector } from '../../../../runtime/connectors/registry.ts'
import { MillraceError } from '../../../../runtime/model/errors.ts'
import { loadedEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'

const SPEC = {
  replicas: 2,
  graph: [
    { id: 'in', source: { nexmark: { events: 1_000_000, type: 'bid', rate: '2000/s' } } },
    { id: 'out', from: 'in', sink: { console: {} } },
  ],
}

test('when a system is away while the attempt after a lost worker is deployed, the report names it, not the lost worker', async () => {
  const away: Connector = {
    sink: (options) => {
      const sink = console.sink?.(options)
      if (sink === undefined) throw new Error('the console is a sink')
      return {
        ...sink,
        writer: (context) => {
          const writer = sink.writer(context)
          if (context.attempt > 1)
            writer.open = () => {
              context.reportTrouble(new MillraceError('SYSTEM_AWAY', 'nobody answers', { domain: 'dependency' }))
              return new Promise((_, reject) => {
                context.stopping.addEventListener('abort', () => {
                  reject(new Error('stopped'))
                })
              })
            }
          return writer
        },
      }
    },
  }
  const connectors = new Connectors([loadedEntry(nexmarkDeclaration, nexmark), loadedEntry(declaration, away)])
  const job = new InProcessJob(SPEC, connectors)
  onTestFinished(() => job.close())
  await job.start()
  await job.reportWith('running', ({ phase }) => phase === 'running')
  await job.replaceWorker('in-1')
  const report = await job.reportWith('held up', ({ error }) => error?.code === 'SYSTEM_AWAY')
  expect(report.phase).toBe('deploying')
})
