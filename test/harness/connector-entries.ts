import { connector as file } from '../../runtime/connectors/file/connector.ts'
import { declaration as fileDeclaration } from '../../runtime/connectors/file/declaration.ts'
import type { KafkaConnect } from '../../runtime/connectors/kafka/client.ts'
import { kafkaConnector } from '../../runtime/connectors/kafka/connector.ts'
import { declaration as kafkaDeclaration } from '../../runtime/connectors/kafka/declaration.ts'
import { connector as nexmark } from '../../runtime/connectors/nexmark/connector.ts'
import { declaration as nexmarkDeclaration } from '../../runtime/connectors/nexmark/declaration.ts'
import type { Connector, ConnectorEntry } from '../../runtime/connectors/registry.ts'
import type { ConnectorDeclaration } from '../../runtime/graph/connector-declaration.ts'

export function loadedEntry(declaration: ConnectorDeclaration, connector: Connector): ConnectorEntry {
  return { declaration, load: () => Promise.resolve({ connector }) }
}

export const fileEntry = loadedEntry(fileDeclaration, file)
export const nexmarkEntry = loadedEntry(nexmarkDeclaration, nexmark)

export function kafkaEntry(connect: KafkaConnect): ConnectorEntry {
  return loadedEntry(kafkaDeclaration, kafkaConnector(connect))
}
