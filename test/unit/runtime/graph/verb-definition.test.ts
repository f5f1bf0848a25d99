import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { dedupeVerb } from '../../../../runtime/graph/verbs/dedupe.ts'

const ROOT = resolve(import.meta.dirname, '../../../..')
const VERBS = join(ROOT, 'runtime/graph/verbs')

/** The source of dedupe without one member of its definition, with imports that hold in any folder. */
function without(member: string): string {
  const source = readFileSync(join(VERBS, 'dedupe.ts'), 'utf8')
  const definition =
    /(?<=^export const dedupeVerb: VerbDefinition<DedupeVerb> = \{\n).*?(?=^\}$)/ms.exec(source)?.[0] ?? ''
  // A member begins with two spaces and its name, and goes on in lines that are indented deeper or close it.
  const cut = definition.replace(new RegExp(`^ {2}${member}[:(].*\\n(?: {3,}.*\\n| {2}[)}\\]].*\\n)*`, 'm'), '')
  expect(cut, member).not.toBe(definition)
  return source
    .replace(definition, () => cut)
    .replaceAll(/from '(\.[^']+)'/g, (_, path: string) => `from '${resolve(VERBS, path)}'`)
}

test('whichever member is left out of the definition of a verb, it does not compile', async () => {
  const members = Object.keys(dedupeVerb)
  expect(members.length).toBeGreaterThanOrEqual(12)
  const folder = mkdtempSync(join(ROOT, 'node_modules/.verb-definition-'))
  try {
    for (const member of members) writeFileSync(join(folder, `${member}.ts`), without(member))
    const options = { noUnusedLocals: false, noUnusedParameters: false }
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions: options, include: ['*.ts'] }),
    )
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    const run = promisify(execFile)(process.execPath, [tsc, '--pretty', 'false', '-p', folder], { cwd: folder })
    const { stdout } = await run.catch((error: unknown) => error as { stdout: string })
    const refused = members.filter((member) =>
      new RegExp(`${member}\\.ts\\(.*error TS2741: Property '${member}' is missing`).test(stdout),
    )
    expect(refused, stdout).toEqual(members)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
