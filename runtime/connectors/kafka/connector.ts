import type { KafkaConnect } from './client.ts'
import type { SinkConnector } from '../sink.ts'
import type { SourceConnector } from '../source.ts'
import { kafkaDeadLetters } from './dead-letters.ts'
import { createKafkaSink } from './sink.ts'
import { createKafkaSource } from './source.ts'

/** The Kafka connector over any client: sockets (ports/real), or a cluster in memory (ports/virtual). */
export function kafkaSource(connect: KafkaConnect): SourceConnector {
  return createKafkaSource(connect)
}
export function kafkaSink(connect: KafkaConnect): SinkConnector {
  return { ...createKafkaSink(connect), deadLetters: kafkaDeadLetters(connect) }
}
