import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { connectorPage } from '../cli/connector-page.ts'

/**
 * Writes a page of documentation for each connector:
 *   node cli/node.js scripts/connector-docs.ts
 */
const folder = join(import.meta.dirname, '..', 'docs', 'connectors')
mkdirSync(folder, { recursive: true })
for (const { declaration } of builtinConnectors.entries)
  writeFileSync(join(folder, `${declaration.name}.md`), connectorPage(declaration))
