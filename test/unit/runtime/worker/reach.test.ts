import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { connector as flume } from '../../../../runtime/connectors/flume/real/connector.ts'
import { declaration as flumeDeclaration } from '../../../../runtime/connectors/flume/declaration.ts'
import { VirtualKafka } from '../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import { connector as tcp } from '../../../../runtime/connectors/tcp/real/connector.ts'
import { declaration as tcpDeclaration } from '../../../../runtime/connectors/tcp/declaration.ts'
import type { JobReport } from '../../../../runtime/control/job-report.ts'
import { AddressGuard } from '../../../../runtime/ports/real/guarded-lookup.ts'
import { guardedNet } from '../../../../runtime/ports/real/guarded-net.ts'
import { RealHttpClient } from '../../../../runtime/ports/real/http-client.ts'
import { filesWithin, secretFiles } from '../../../../runtime/ports/reached-files.ts'
import { fileEntry, kafkaEntry, loadedEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { quietPorts } from '../../../harness/source-context.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

interface Written {
  from?: string
  to?: string
  letters?: string
  sink?: object
  /** Asked for each row before the sink. */
  url?: string
}

/** A job that reads, writes and keeps letters in its folder, and reads secrets in no folder. */
function boundedJob({ from = 'in.jsonl', to = 'out', letters = 'letters', sink, url }: Written): InProcessJob {
  const kafka = new VirtualKafka()
  kafka.createTopic('t', 1)
  const ports = quietPorts()
  const { files } = ports
  const job = new InProcessJob(
    {
      checkpoints: { interval: '20ms' },
      graph: [
        {
          id: 'in',
          source: { file: { path: from, format: 'json' } },
          schema: { n: 'long' },
          onError: { deadLetter: { file: { path: letters } } },
        },
        ...(url === undefined
          ? []
          : [{ id: 'asked', from: 'in', asyncMap: { http: { url }, output: { answer: 'json' } } }]),
        { id: 'out', from: url === undefined ? 'in' : 'asked', sink: sink ?? { file: { path: to } } },
      ],
    },
    new Connectors([
      fileEntry,
      kafkaEntry((options) => kafka.connect(options)),
      loadedEntry(tcpDeclaration, tcp),
      loadedEntry(flumeDeclaration, flume),
    ]),
    ports,
  )
  cleanups.push(() => job.close())
  const reach = { files: [job.folder], secrets: [], addresses: [] }
  const guard = new AddressGuard(reach.addresses)
  Object.assign(ports, {
    files: filesWithin(files, reach),
    secretFiles: secretFiles(files, reach),
    httpClient: new RealHttpClient({ guard }),
    plainNet: guardedNet(guard),
  })
  writeFileSync(join(job.folder, 'in.jsonl'), '{"n":1}\n{"n":\n')
  symlinkSync('/proc/self/environ', join(job.folder, 'linked'))
  symlinkSync('/proc', join(job.folder, 'elsewhere'))
  return job
}

async function ended(job: InProcessJob): Promise<JobReport> {
  await job.start()
  return job.reportWith('finished, or in trouble', ({ phase, error }) => phase === 'finished' || error !== null)
}

describe('a job whose reach is its own folder', () => {
  test('when it keeps to it, runs as without a bound', async () => {
    expect(await ended(boundedJob({}))).toMatchObject({ phase: 'finished', badRecords: 1, error: null })
  })

  test.each<[string, Written]>([
    ['its source is a link that leads out', { from: 'linked' }],
    ['its source is a file of the pod', { from: '/proc/self/environ' }],
    ['its source is a glob behind a link', { from: 'elsewhere/self/env*' }],
    ['its source climbs', { from: '../*/in.jsonl' }],
    ['its sink is a link that leads out', { to: 'elsewhere' }],
    ['its sink is a folder of the pod', { to: '/proc/self' }],
    ['its dead letters are behind a link', { letters: 'elsewhere/letters' }],
    [
      'its password is no Secret',
      { sink: { kafka: { brokers: 'k:1', topic: 't', sasl: { username: 'u', passwordFile: '/proc/self/environ' } } } },
    ],
    [
      'its certificate is no Secret',
      { sink: { kafka: { brokers: 'k:1', topic: 't', tls: { caFile: '/proc/self/environ' } } } },
    ],
  ])('when %s, ends with what it may open, and reads and writes nothing there', async (_what, written) => {
    const { phase, error, recordsOut } = await ended(boundedJob(written))
    expect(phase).not.toBe('finished')
    expect(error?.message).toMatch(/is outside of the (folders|Secrets) that this job/)
    expect(error).toMatchObject({ retriable: false })
    expect(recordsOut).toBeLessThan(2)
  })

  test.each(['169.254.169.254', '127.0.0.1', '2852039166', '[::ffff:a9fe:a9fe]', 'localhost'])(
    'when it calls http://%s, ends with what it may not call',
    async (host) => {
      const { phase, error } = await ended(boundedJob({ url: `http://${host}/latest/` }))
      expect(phase).not.toBe('finished')
      expect(error?.message).toMatch(/may not be called by a job/)
    },
  )

  test.each([
    ['tcp', '169.254.169.254:80'],
    ['tcp', '127.0.0.1:9'],
    ['tcp', 'localhost:9'],
    ['flume', '[::ffff:a9fe:a9fe]:80'],
    ['flume', 'localhost:9'],
  ])('when its %s sink sends to %s, ends with where it may not connect', async (connector, connect) => {
    const { phase, error } = await ended(boundedJob({ sink: { [connector]: { connect } } }))
    expect(phase).not.toBe('finished')
    expect(error).toMatchObject({ code: 'HTTP_FORBIDDEN', retriable: false })
  })
})
