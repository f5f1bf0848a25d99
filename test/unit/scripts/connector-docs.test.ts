import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { builtinConnectors } from '../../../runtime/builtin-connectors.ts'
import type { OptionDescriptions } from '../../../runtime/graph/connector-declaration.ts'
import { connectorPage } from '../../../cli/connector-page.ts'
import { ROOT } from '../../harness/source-files.ts'

const FOLDER = join(ROOT, 'docs', 'connectors')
const declarations = builtinConnectors.entries.map(({ declaration }) => declaration)

describe('the documentation of connectors', () => {
  test.each(declarations)('when the declaration of $name is printed, the page in docs/ is the same', (declaration) => {
    const page = readFileSync(join(FOLDER, `${declaration.name}.md`), 'utf8')
    expect(page, 'run: node cli/node.js scripts/connector-docs.ts').toBe(connectorPage(declaration))
  })

  test('every page belongs to a connector, and the overview links to each', () => {
    const pages = readdirSync(FOLDER).filter((file) => file !== 'README.md')
    expect(pages.sort()).toEqual(declarations.map(({ name }) => `${name}.md`).sort())
    const overview = readFileSync(join(FOLDER, 'README.md'), 'utf8')
    expect(declarations.filter(({ name }) => !overview.includes(`${name}.md`))).toEqual([])
  })

  test('every option is explained in one sentence', () => {
    const unexplained = (table: OptionDescriptions): string[] =>
      Object.entries(table).flatMap(([name, { doc, type }]) => [
        ...(/^[A-Z].*\.$/.test(doc) ? [] : [name]),
        ...unexplained(type.fields ?? {}),
      ])
    const tables = declarations.flatMap(({ source, sink, deadLetters }) =>
      [source, sink, deadLetters].flatMap((role) => (role === undefined ? [] : [role.options.table])),
    )
    expect(tables.flatMap(unexplained)).toEqual([])
  })
})
