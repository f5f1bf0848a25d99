import { RecordBatchWriter } from '../../../runtime/connectors/kafka/record-batch-writer.ts'
import type { VirtualKafka } from '../../../runtime/connectors/kafka/virtual/cluster.ts'

/** Appends records with these values to a partition of topic `t`, as a producer of its own. */
export function putLines(kafka: VirtualKafka, partition: number, lines: readonly string[]): void {
  const { producerId, epoch } = kafka.initProducerId(null)
  const writer = new RecordBatchWriter(64)
  for (const line of lines) writer.append(null, Buffer.from(line), 1_700_000_000_000)
  kafka.produce(1, null, [
    { topic: 't', partition, batch: writer.finish({ producerId, epoch, sequence: 0, transactional: false }, 'none') },
  ])
}
