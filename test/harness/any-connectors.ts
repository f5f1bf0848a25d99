import type { ConnectorDeclarations, DeclaredOptions } from '../../runtime/graph/connector-declaration.ts'

/** Any options are right. */
export const anyOptions: DeclaredOptions = { table: {}, check: () => [] }

/** Connectors that planning knows by name only. */
export function anyConnectors(source: string, sink: string): ConnectorDeclarations {
  return {
    sources: { [source]: { options: anyOptions } },
    sinks: { [sink]: { options: anyOptions } },
    tables: {},
    deadLetters: {},
  }
}
