import { expect, test } from 'vitest'
import { loadRecordCodecs } from '../../../../../runtime/connectors/kit/record-codecs.ts'
import { sleep } from '../../../../../runtime/ports/clock.ts'
import { entryOf, IN_A_TOPIC, LogWorld } from '../../../../harness/log-world.ts'

// not in virtual time
await loadRecordCodecs()

test.each([
  ['a folder', undefined, /^cannot write \/log\//],
  ['a topic of Kafka', IN_A_TOPIC, /^cannot write the log in topic log of the Kafka at kafka:9092$/],
])('a log in %s that cannot be written is reported until it can', async (_place, option, words) => {
  const job = new LogWorld(1, option)
  const seen: (string | undefined)[] = []
  const run = async (): Promise<void> => {
    await job.start(1)
    const [slot] = job.slots
    const append = async (id: string): Promise<void> => {
      await slot?.intake?.append([entryOf(id)]).catch(() => undefined)
      seen.push(slot?.trouble?.message)
    }
    await append('a')
    job.files.refusal = () => new Error('no space left on device')
    job.kafka.fault = (call) => (call === 'produce' ? 'before' : undefined)
    await sleep(job.clock, 5_000)
    await append('b')
    job.files.refusal = () => undefined
    job.kafka.fault = () => undefined
    await append('c')
  }
  let over: unknown = 'running'
  void run().then(
    () => (over = undefined),
    (error: unknown) => (over = error),
  )
  await job.world.run(() => over !== 'running', 3_600_000)
  expect(over).toBeUndefined()
  expect(seen).toEqual([undefined, expect.stringMatching(words), undefined])
})
