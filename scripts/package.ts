import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Fills package/ with what `npm pack` ships: JavaScript and declarations of everything that runs, and the CRDs. Node
 * strips no types from files in node_modules, so that the sources themselves could not run there. Called by `npm pack`.
 */
const ROOT = join(import.meta.dirname, '..')
const OUT = join(ROOT, 'package')

rmSync(OUT, { recursive: true, force: true })
execFileSync(
  process.execPath,
  [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.package.json'],
  {
    cwd: ROOT,
    stdio: 'inherit',
  },
)
cpSync(join(ROOT, 'crds'), join(OUT, 'crds'), { recursive: true })
cpSync(join(ROOT, 'cli', 'node.js'), join(OUT, 'cli', 'node.js'))
const bin = readFileSync(join(ROOT, 'cli', 'bin.js'), 'utf8')
if (!bin.includes("'main.ts'")) throw new Error('cli/bin.js does not start main.ts')
writeFileSync(join(OUT, 'cli', 'bin.js'), bin.replace("'main.ts'", "'main.js'"))
chmodSync(join(OUT, 'cli', 'bin.js'), 0o755)
