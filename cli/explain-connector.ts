import type { Connectors } from '../runtime/connectors/registry.ts'
import { suggestion } from '../runtime/expressions/suggest.ts'
import { connectorJson, connectorText } from './connector-page.ts'
import type { Console } from './console.ts'

/** `millrace explain connector NAME`: its roles and their options. Exit code 2 when there is none of that name. */
export function explainConnector(name: string, output: 'text' | 'json', { entries }: Connectors, io: Console): 0 | 2 {
  const declaration = entries.map((entry) => entry.declaration).find((known) => known.name === name)
  if (declaration === undefined) {
    const names = entries.map((entry) => entry.declaration.name)
    io.err(`millrace explain connector: there is no connector "${name}"; ${suggestion(name, names)}\n`)
    return 2
  }
  io.out(output === 'text' ? connectorText(declaration) : `${JSON.stringify(connectorJson(declaration), null, 2)}\n`)
  return 0
}
