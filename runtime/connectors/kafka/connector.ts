import { compileJsonPrinter } from '../../codegen/json-printer.ts'
import { compileJsonScanner } from '../../codegen/json-scanner.ts'
import { connectKafka } from '../../ports/real/kafka-client.ts'
import type { SinkConnector } from '../sink.ts'
import type { SourceConnector } from '../source.ts'
import { createKafkaSink } from './sink.ts'
import { createKafkaSource } from './source.ts'

/** Kafka over sockets. The simulation makes its own with createKafkaSource and createKafkaSink. */
export const kafkaSource: SourceConnector = createKafkaSource(connectKafka, compileJsonScanner)
export const kafkaSink: SinkConnector = createKafkaSink(connectKafka, compileJsonPrinter)
