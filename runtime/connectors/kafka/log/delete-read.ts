import type { KafkaClient, TopicPartition } from '../client.ts'
import { KafkaBrokerError } from '../client.ts'
import { kafkaErrorName } from '../error-codes.ts'

/** Deletes the records before these offsets, at the leaders of their partitions. Rejects when one of them refuses. */
export async function deleteRead(
  client: KafkaClient,
  read: readonly (TopicPartition & { offset: number })[],
): Promise<void> {
  const { topics } = await client.metadata([...new Set(read.map(({ topic }) => topic))])
  const byLeader = Map.groupBy(read, ({ topic, partition }) => {
    const found = topics.find(({ name }) => name === topic)?.partitions.find((one) => one.partition === partition)
    return found?.leader ?? -1
  })
  for (const [leader, partitions] of byLeader) {
    if (leader < 0) continue
    for (const { topic, partition, errorCode } of await client.deleteRecords(leader, partitions))
      if (errorCode !== 0)
        throw new KafkaBrokerError(`DeleteRecords of ${topic}/${partition}`, errorCode, kafkaErrorName(errorCode))
  }
}
