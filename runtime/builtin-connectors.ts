import { consoleSink } from './connectors/console/connector.ts'
import { druidSink } from './connectors/druid/connector.ts'
import { fileSink, fileSource } from './connectors/file/connector.ts'
import { kafkaSink, kafkaSource } from './connectors/kafka/connector.ts'
import { nexmarkSource } from './connectors/nexmark/connector.ts'
import { connectKafka } from './connectors/kafka/real/client.ts'

const toKafka = kafkaSink(connectKafka)

/** Every connector of the runtime image, by its name in the graph. */
export const builtinConnectors = {
  sources: { file: fileSource, kafka: kafkaSource(connectKafka), nexmark: nexmarkSource },
  sinks: { console: consoleSink, druid: druidSink(toKafka), file: fileSink, kafka: toKafka },
}
