import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import { VirtualKafka } from '../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { fileEntry, kafkaEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

/** 100 lines: every tenth is not JSON, and every tenth makes the expression of the second chain throw. */
function startJob(kafka: VirtualKafka, deadLetter: object): InProcessJob {
  const job = new InProcessJob(
    {
      checkpoints: { interval: '50ms' },
      graph: [
        {
          id: 'in',
          source: { file: { path: 'in.jsonl', format: 'json' } },
          schema: { n: 'long', text: 'string' },
          onError: { deadLetter },
        },
        { id: 'by-n', from: 'in', keyBy: 'n' },
        { id: 'parsed', from: 'by-n', map: { n: 'n', value: 'JSON.parse(text)' } },
        { id: 'out', from: 'parsed', sink: { file: { path: 'out' } } },
      ],
    },
    new Connectors([fileEntry, kafkaEntry((options) => kafka.connect(options))]),
  )
  cleanups.push(() => job.close())
  const lines = Array.from({ length: 100 }, (_, n) =>
    n % 10 === 3 ? `bad ${n}` : JSON.stringify({ n, text: n % 10 === 7 ? '{' : '{}' }),
  )
  writeFileSync(join(job.folder, 'in.jsonl'), `${lines.join('\n')}\n`)
  return job
}

const count = (kafka: VirtualKafka): number =>
  kafka.listOffsets(1, 'read_committed', [{ topic: 'letters', partition: 0, timestamp: -1 }])[0]?.offset ?? -1

function lettersKafka(): VirtualKafka {
  const kafka = new VirtualKafka()
  kafka.createTopic('letters', 1)
  return kafka
}

describe('onError: deadLetter', () => {
  test('when it names a Kafka topic, bad records of every chain are there once the job has finished', async () => {
    const kafka = lettersKafka()
    const job = startJob(kafka, { kafka: { brokers: 'k:9092', topic: 'letters' } })
    await job.start()
    const { badRecords } = await job.reportWith('finished', ({ phase }) => phase === 'finished')
    expect({ badRecords, letters: count(kafka) }).toEqual({ badRecords: 20, letters: 20 })
  })

  test('when letters cannot be written, no checkpoint completes, and the records come again once they can', async () => {
    const kafka = lettersKafka()
    let refusals = 0
    kafka.fault = (call) => (call === 'produce' && ++refusals <= 3 ? 'before' : undefined)
    const job = startJob(kafka, { kafka: { brokers: 'k:9092', topic: 'letters' } })
    await job.start()
    await job.reportWith('finished', ({ phase }) => phase === 'finished')
    expect(refusals).toBeGreaterThan(3)
    expect(count(kafka)).toBe(20)
  })

  test('when it names a file, each line has the place, the reason and the record', async () => {
    const job = startJob(lettersKafka(), { file: { path: 'bad/letters.jsonl' } })
    await job.start()
    await job.reportWith('finished', ({ phase }) => phase === 'finished')
    const letters = readFileSync(join(job.folder, 'bad/letters.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { where: string; reason: string; record: string })
    expect(letters.length).toBe(20)
    expect(letters.find(({ record }) => record === 'bad 3')).toMatchObject({
      where: expect.stringContaining('in.jsonl') as unknown,
      reason: expect.any(String) as unknown,
    })
    expect(letters.filter(({ where }) => where === 'operator parsed').length).toBe(10)
  })
})
