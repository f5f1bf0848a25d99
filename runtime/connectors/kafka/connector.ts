import type { Connector } from '../registry.ts'
import type { KafkaConnect } from './client.ts'
import { kafkaDeadLetters } from './dead-letters.ts'
import { readDeadLetterOptions, readSinkOptions, readSourceOptions } from './declaration.ts'
import { kafkaSink } from './sink.ts'
import { kafkaSource } from './source.ts'

/** The Kafka connector over any client: sockets (`real/`), or a cluster in memory (`virtual/`). */
export function kafkaConnector(connect: KafkaConnect): Pick<Required<Connector>, 'source' | 'sink' | 'deadLetters'> {
  return {
    source: (options) => kafkaSource(connect, readSourceOptions(options)),
    sink: (options) => kafkaSink(connect, readSinkOptions(options)),
    deadLetters: (options) => kafkaDeadLetters(connect, readDeadLetterOptions(options)),
  }
}
