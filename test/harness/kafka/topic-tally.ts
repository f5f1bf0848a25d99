import type { Kafka } from 'kafkajs'

/** How often each `n` stands in a topic; records whose `n` is null do not count. */
export type Tally = ReadonlyMap<number, number>

/** No JSON: a job that reads the topic leaves it out. */
export const END = 'end'

/**
 * Reads a topic of `{ n }` records with kafkajs, read committed, from its beginning: first until `until` holds,
 * then, after
 * `settle`, up to end records that are written into every partition, so that nothing behind them can be missed.
 */
export async function tally(
  kafka: Kafka,
  topic: string,
  until: (seen: Tally) => boolean = () => true,
  settle: () => Promise<void> = () => Promise.resolve(),
): Promise<Tally> {
  const partitions = await partitionsOf(kafka, topic)
  const consumer = kafka.consumer({ groupId: `tally-${topic}-${Math.random()}`, readUncommitted: false })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const seen = new Map<number, number>()
  const ended = new Set<number>()
  const reached = Promise.withResolvers<undefined>()
  const finished = Promise.withResolvers<undefined>()
  const note = (): void => {
    if (until(seen)) reached.resolve(undefined)
    if (ended.size === partitions) finished.resolve(undefined)
  }
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (payload.restart) return
    reached.reject(payload.error)
    finished.reject(payload.error)
  })
  finished.promise.catch(() => undefined)
  await consumer.run({
    eachMessage: ({ partition, message }) => {
      if (String(message.value) === END) {
        ended.add(partition)
      } else {
        const { n } = JSON.parse(String(message.value)) as { n: number | null }
        if (n !== null) seen.set(n, (seen.get(n) ?? 0) + 1)
      }
      note()
      return Promise.resolve()
    },
  })
  note()
  await reached.promise
  await settle()
  await writeEnds(kafka, topic)
  await finished.promise
  await consumer.disconnect()
  return seen
}

async function partitionsOf(kafka: Kafka, topic: string): Promise<number> {
  const admin = kafka.admin()
  await admin.connect()
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  await admin.disconnect()
  return topics[0]?.partitions.length ?? 0
}

/** Writes an end record into every partition; how many. */
export async function writeEnds(kafka: Kafka, topic: string): Promise<number> {
  const partitions = await partitionsOf(kafka, topic)
  const producer = kafka.producer()
  await producer.connect()
  for (let partition = 0; partition < partitions; partition++)
    await producer.send({ topic, messages: [{ partition, value: END }] })
  await producer.disconnect()
  return partitions
}
