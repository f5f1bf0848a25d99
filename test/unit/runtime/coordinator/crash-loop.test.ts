import { expect, onTestFinished, test } from 'vitest'
import { connector as nexmark } from '../../../../runtime/connectors/nexmark/connector.ts'
import { declaration } from '../../../../runtime/connectors/nexmark/declaration.ts'
import { Connectors, type Connector } from '../../../../runtime/connectors/registry.ts'
import { MillraceError } from '../../../../runtime/model/errors.ts'
import { fileEntry, loadedEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'

const NO_MEMORY = new MillraceError('OUT_OF_MEMORY', 'no memory', { domain: 'platform', retriable: true })

/** Reads that break while `isBroken` says so. */
function breaking(isBroken: () => boolean, why = NO_MEMORY): Connector {
  return {
    source: (options) => {
      const source = nexmark.source(options)
      return {
        ...source,
        reader: (context, rows) => {
          const reader = source.reader(context, rows)
          const poll = reader.poll.bind(reader)
          reader.poll = (most) => {
            if (isBroken()) throw why
            return poll(most)
          }
          return reader
        },
      }
    },
  }
}

function slowJob(connector: Connector): InProcessJob {
  const job = new InProcessJob(
    {
      checkpoints: { interval: '1h' },
      graph: [
        { id: 'in', source: { nexmark: { events: 10_000_000, type: 'bid', rate: '2000/s' } } },
        { id: 'out', from: 'in', sink: { file: { path: 'out' } } },
      ],
    },
    new Connectors([loadedEntry(declaration, connector), fileEntry]),
  )
  onTestFinished(() => job.close())
  return job
}

test('when attempts crash in a row, the job says so, takes its next checkpoint early, and is itself again behind it', async () => {
  let broken = true
  const job = slowJob(breaking(() => broken))
  await job.start()
  await job.reportWith('started for the fourth time', ({ attempt }) => attempt >= 4)
  broken = false
  const slow = await job.reportWith('running slowly', ({ phase, error }) => phase === 'running' && error !== null)
  expect(slow.error).toMatchObject({
    code: 'CRASH_LOOP',
    message: expect.stringMatching(/^\d+ attempts in a row .* 1\/\d+ of the time .* no memory \[OUT_OF_MEMORY\]$/),
  })
  const healthy = await job.reportWith('past a checkpoint', ({ checkpoint }) => checkpoint !== null)
  expect(healthy.error).toBeNull()
})

test('a crash loop is reported between attempts too, which may be too short to be seen', async () => {
  const job = slowJob(breaking(() => true))
  await job.start()
  const between = await job.reportWith(
    'down for the fourth time',
    ({ phase, restarts }) => phase === 'recovering' && restarts >= 4,
  )
  expect(between.error).toMatchObject({ code: 'CRASH_LOOP', message: expect.stringContaining('no memory') })
  job.want('running', undefined, '2')
  expect(job.report().error).toBeNull()
})

test('another target is not charged with the failure of the one before it', async () => {
  const why = new MillraceError('USER_CODE_THREW', 'x is not a function', { domain: 'user' })
  const job = slowJob(breaking(() => true, why))
  await job.start()
  const failed = await job.reportWith('given up', ({ phase }) => phase === 'failed')
  expect(failed.error?.code).toBe('USER_CODE_THREW')
  job.want('running', undefined, '2')
  const { targetRevision, phase, error } = job.report()
  expect({ targetRevision, error }).toEqual({ targetRevision: '2', error: null })
  expect(phase).not.toBe('failed')
})
