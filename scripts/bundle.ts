import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

/**
 * Fills dist/ with what the Dockerfile copies: the two bundles, the entry that picks one, the Node binary of the npm
 * platform package and the one library it needs that slim base images lack.
 *   node cli/node.js scripts/bundle.ts [--out dist] [--runtime runtime/main.ts] [--operator operator/main.ts]
 */
const ROOT = join(import.meta.dirname, '..')
const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: join(ROOT, 'dist') },
    runtime: { type: 'string', default: join(ROOT, 'runtime', 'main.ts') },
    operator: { type: 'string', default: join(ROOT, 'operator', 'main.ts') },
  },
})
const out = resolve(options.out)
rmSync(out, { recursive: true, force: true })
mkdirSync(join(out, 'lib'), { recursive: true })

await bundle(options.runtime, join(out, 'runtime.mjs'))
await bundle(options.operator, join(out, 'operator.mjs'))
copyFileSync(join(import.meta.dirname, 'image-entry.js'), join(out, 'main.mjs'))
copyFileSync(process.execPath, join(out, 'node'))
copyLibatomic()
process.stdout.write(`${out}: ${['runtime.mjs', 'operator.mjs', 'node'].map((name) => `${name} ${megabytes(join(out, name))}`).join(', ')}\n`)

async function bundle(entry: string, target: string): Promise<void> {
  if (!existsSync(entry)) throw new Error(`can not bundle ${entry}: there is no such file`)
  await build({
    entryPoints: [entry],
    outfile: target,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    minifyWhitespace: true,
    minifySyntax: true,
    sourcemap: false,
    legalComments: 'none',
    logLevel: 'warning',
    // CommonJS packages inside of an ES module still call require for Node's own modules
    banner: { js: "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);" },
  })
}

/** Node's binary links libatomic, which neither distroless/cc nor most slim images hold. */
function copyLibatomic(): void {
  const line = execFileSync('ldd', [process.execPath], { encoding: 'utf8' })
    .split('\n')
    .find((text) => text.includes('libatomic.so'))
  const path = line === undefined ? undefined : /=> (\S+)/.exec(line)?.[1]
  if (path !== undefined) copyFileSync(path, join(out, 'lib', basename(path)))
}

function megabytes(file: string): string {
  return `${(statSync(file).size / 1e6).toFixed(1)} MB`
}
