import { MillraceError } from '../model/errors.ts'
import type { DeadLetterConnector } from './dead-letters.ts'
import type { SinkConnector } from './sink.ts'
import type { SourceConnector } from './source.ts'

/** The connectors a process knows, by their name in the graph. Made once in main; the simulation brings its own. */
export interface Connectors {
  sources: Readonly<Record<string, SourceConnector>>
  sinks: Readonly<Record<string, SinkConnector>>
}

export function sourceConnector(connectors: Connectors, name: string): SourceConnector {
  return connectors.sources[name] ?? unknownConnector('source', name, connectors.sources)
}

export function sinkConnector(connectors: Connectors, name: string): SinkConnector {
  return connectors.sinks[name] ?? unknownConnector('sink', name, connectors.sinks)
}

export function deadLetterConnector(connectors: Connectors, name: string): DeadLetterConnector {
  return connectors.sinks[name]?.deadLetters ?? unknownConnector('dead letter', name, connectors.sinks)
}

function unknownConnector(role: string, name: string, known: object): never {
  throw new MillraceError('CONNECTOR_UNKNOWN', `no ${role} connector is named ${JSON.stringify(name)}`, {
    domain: 'user',
    hint: `Known: ${Object.keys(known).sort().join(', ')}.`,
  })
}
