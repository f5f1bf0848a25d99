import { compileJsonWriter } from '../../codegen/json-writer.ts'
import { compileJsonScanner } from '../../codegen/json-scanner.ts'
import type { KafkaConnect } from '../../ports/kafka.ts'
import type { SinkConnector } from '../sink.ts'
import type { SourceConnector } from '../source.ts'
import { kafkaDeadLetters } from './dead-letters.ts'
import { createKafkaSink } from './sink.ts'
import { createKafkaSource } from './source.ts'

/** The Kafka connector over any client: sockets (ports/real), or a cluster in memory (ports/virtual). */
export function kafkaSource(connect: KafkaConnect): SourceConnector { return createKafkaSource(connect, compileJsonScanner) }
export function kafkaSink(connect: KafkaConnect): SinkConnector { return { ...createKafkaSink(connect, compileJsonWriter), deadLetters: kafkaDeadLetters(connect) } }
