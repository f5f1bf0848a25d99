import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { endWithStarter } from '../cli/end-with-starter.ts'
import { foldersOf, importEdges, namedEdges, reachedFrom } from './harness/reach.ts'
import { ROOT, sourceFile } from './harness/source-files.ts'

/**
 * `npm run test:changed`: the tests that a change can reach, by what they import, by the programs that they start and
 * by the files that they read. `vitest --changed` sees the imports only.
 */

const usage = `usage: npm run test:changed -- [--since COMMIT] [--ring NAME,...] [--list]

  --since  the change is all that differs from this commit, default HEAD; files that git does not know count too
  --ring   the rings to take tests from, default unit,simulation,embedded
  --list   prints the tests and runs none
`

/** A change of these can reach everything. */
const OF_ALL_TESTS = ['package.json', 'package-lock.json', 'tsconfig.json', 'vitest.config.ts']

endWithStarter()
const wish = parseArgs({
  options: {
    since: { type: 'string', default: 'HEAD' },
    ring: { type: 'string', default: 'unit,simulation,embedded' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
}).values

if (wish.help) {
  process.stdout.write(usage)
} else {
  const changed = changedPaths(wish.since)
  const tests = testsThatReach(changed, wish.ring.split(','))
  process.stdout.write(`${changed.length} changed files reach ${tests.length} test files\n`)
  if (wish.list) process.stdout.write(tests.map((path) => `${path}\n`).join(''))
  else if (tests.length > 0) runVitest(tests)
}

/** Deleted files are among them. */
function changedPaths(since: string): string[] {
  return [...git('diff', '--name-only', since), ...git('ls-files', '--others', '--exclude-standard')]
}

function testsThatReach(changed: readonly string[], rings: readonly string[]): string[] {
  const paths = [...git('ls-files', '--cached', '--others', '--exclude-standard'), ...changed]
  const files = [...new Set(paths)]
    .filter((path) => /\.(?:ts|js|mjs)$/.test(path) && existsSync(join(ROOT, path)))
    .map(sourceFile)
  const tests = files
    .map(({ path }) => path)
    .filter((path) => path.endsWith('.test.ts') && rings.some((ring) => path.startsWith(`test/${ring}/`)))
  if (changed.some((path) => OF_ALL_TESTS.includes(path))) return tests
  const edges = [...importEdges(files), ...namedEdges(files, paths)]
  // against the edges: from what changed, and the folders it is in, to all that depends on it
  const backwards = edges.map(({ from, to }) => ({ from: to, to: from }))
  const dependents = reachedFrom(
    changed.flatMap((path) => [path, ...foldersOf(path)]),
    backwards,
  )
  return tests.filter((path) => dependents.has(path))
}

function git(...args: readonly string[]): string[] {
  return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1e8 })
    .split('\n')
    .filter((line) => line !== '')
}

function runVitest(tests: readonly string[]): void {
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')
  const child = spawn(process.execPath, [vitest, 'run', ...tests], { cwd: ROOT, stdio: 'inherit' })
  child.on('close', (code) => {
    process.exitCode = code ?? 1
  })
}
