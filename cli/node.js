// Runs a TypeScript file of this project with the Node that `npm ci` put into node_modules (Node 26 runs .ts directly).
// Plain JavaScript, and nothing newer than Node 20, so that whatever `node` is on the PATH can start it:
//   node cli/node.js path/to/script.ts args...
import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const NEEDED = 26
const root = dirname(dirname(fileURLToPath(import.meta.url)))
// Keeps types stripped and code compiled, for this process and all it starts: a worker from source then starts in a quarter of the CPU.
const compileCache = join(root, 'node_modules', '.cache', 'compile')

/** The path of a Node that is new enough, or undefined when neither node_modules nor this process has one. */
export function findNode26() {
  const installed = packageNode()
  if (installed !== undefined) return installed
  return Number(process.versions.node.split('.')[0]) >= NEEDED ? process.execPath : undefined
}

/** The binary of the platform package: beside this project's packages, or beside this package in a project of others. */
function packageNode() {
  const { platform, arch } = process
  const binary = platform === 'win32' ? 'node.exe' : 'node'
  for (let folder = root; ; folder = dirname(folder)) {
    for (const name of [`node-${platform}-${arch}`, `node-bin-${platform}-${arch}`]) {
      const found = join(folder, 'node_modules', name, 'bin', binary)
      if (existsSync(found)) return realpathSync(found)
    }
    if (dirname(folder) === folder) return undefined
  }
}

/**
 * Runs `script` with `args` and ends this process as the script ended: with its exit code, or with 128 + signal.
 * SIGTERM and SIGHUP are passed on; SIGINT too, unless a terminal has already sent it to both processes.
 */
export function execNode26(script, args) {
  const node = findNode26()
  if (node === undefined) {
    const why = existsSync(join(root, 'node_modules'))
      ? `npm has no Node ${NEEDED} package for ${process.platform}-${process.arch} here, and this is Node ${process.versions.node}: install Node ${NEEDED} and run the same command with it`
      : `the packages are not installed: run \`npm ci\` in ${root} first`
    process.stderr.write(`millrace: can not run ${script}: ${why}\n`)
    process.exit(1)
  }
  // Nothing is written to descriptor 3: it ends with this process, SIGKILL included, and whoever watches it ends too.
  const env = { NODE_COMPILE_CACHE: compileCache, ...process.env, MILLRACE_STARTER_FD: '3' }
  const child = spawn(node, [script, ...args], { stdio: ['inherit', 'inherit', 'inherit', 'pipe'], env })
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT')
  })
  child.on('error', (error) => {
    process.stderr.write(`millrace: can not start ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]))
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  const [script, ...args] = process.argv.slice(2)
  if (script === undefined) {
    process.stderr.write('usage: node cli/node.js path/to/script.ts args...\n')
    process.exit(2)
  }
  execNode26(script, args)
}
