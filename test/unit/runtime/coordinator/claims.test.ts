import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import { VirtualKafka } from '../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { fileEntry, kafkaEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import type { Clock } from '../../../../runtime/ports/clock.ts'
import { realClock } from '../../../../runtime/ports/real/clock.ts'
import type { Logger } from '../../../../runtime/ports/logger.ts'
import { silentLogger } from '../../../harness/silent-logger.ts'
import { quietPorts } from '../../../harness/source-context.ts'
import { until } from '../../../harness/until.ts'

/** The real one, a hundred times as fast. */
const start = realClock.now()
const hurried: Clock = {
  ...realClock,
  now: () => start + (realClock.now() - start) * 100,
  after: (ms, run) => realClock.after(ms / 100, run),
}

test('while its source is away, a job asks again and again and claims one attempt', async () => {
  const kafka = new VirtualKafka()
  kafka.fault = () => 'before'
  let failures = 0
  const logger: Logger = {
    ...silentLogger,
    warn: (message) => {
      if (message === 'attempt failed') failures += 1
    },
    with: () => logger,
  }
  const job = new InProcessJob(
    {
      graph: [
        { id: 'in', source: { kafka: { brokers: 'k:9092', topic: 't', format: 'json' } }, schema: { n: 'long' } },
        { id: 'out', from: 'in', sink: { file: { path: 'out' } } },
      ],
    },
    new Connectors([fileEntry, kafkaEntry((options) => kafka.connect(options))]),
    { ...quietPorts(), clock: hurried, logger },
  )
  onTestFinished(() => job.close())
  await job.start()
  await until('several tries have failed', () => (failures >= 3 ? true : undefined))
  expect(readdirSync(join(job.folder, 'store', 'job', 'log'))).toEqual(['000000000001'])
  kafka.fault = () => undefined
  kafka.createTopic('t', 1)
  await job.reportWith('running', ({ phase }) => phase === 'running')
})
