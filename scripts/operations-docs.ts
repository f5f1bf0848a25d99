import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { operationsPage } from './operations-page.ts'

/**
 * Writes docs/operations.md:
 *   node cli/node.js scripts/operations-docs.ts
 */
writeFileSync(join(import.meta.dirname, '..', 'docs', 'operations.md'), await operationsPage())
