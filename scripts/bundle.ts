import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { IMAGE_FLAGS } from '../runtime/node-flags.ts'
import { imageSbom, packageFolder } from './image-sbom.ts'
import type { Sbom } from './image-sbom.ts'

/**
 * Fills dist/ with what the Dockerfile copies: app/ (the two bundles, the entry that picks one, V8's cache), the Node
 * binary of the npm platform package and the one library it needs that slim base images lack. app/sbom.cdx.json says what
 * is in all that.
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
const app = join(out, 'app')
for (const folder of [app, join(out, 'lib')]) mkdirSync(folder, { recursive: true })

const bundled = [...(await bundle(options.runtime, 'runtime')), ...(await bundle(options.operator, 'operator'))]
writeSbom(bundled)
copyFileSync(join(import.meta.dirname, 'image-entry.js'), join(app, 'main.mjs'))
fillCompileCache()
copyFileSync(process.execPath, join(out, 'node'))
copyLibatomic()
process.stdout.write(
  `${out}: ${['app/runtime.mjs', 'app/operator.mjs', 'node'].map((name) => `${name} ${megabytes(join(out, name))}`).join(', ')}\n`,
)

/** What is imported dynamically becomes files of its own beside `<name>.mjs`, which are loaded when they are needed. */
async function bundle(entry: string, name: string): Promise<string[]> {
  if (!existsSync(entry)) throw new Error(`can not bundle ${entry}: there is no such file`)
  const { metafile } = await build({
    metafile: true,
    entryPoints: { [name]: entry },
    outdir: app,
    outExtension: { '.js': '.mjs' },
    chunkNames: `${name}-[name]-[hash]`,
    splitting: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160, // Node prints the whole line of an uncaught error
    sourcemap: false,
    legalComments: 'none',
    logLevel: 'warning',
    // this package reads its WebAssembly from a path beside its source; its other build holds it inside
    alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' },
    // native addons (the checksum of the Kafka client) lie beside the bundle
    loader: { '.node': 'copy' },
    assetNames: '[name]',
    // CommonJS packages inside of an ES module still call require for Node's own modules
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);",
    },
  })
  return Object.keys(metafile.inputs)
}

/** `files` are what esbuild has put into the bundles. */
function writeSbom(files: readonly string[]): void {
  const folders = new Set(files.flatMap((file) => packageFolder(file) ?? []))
  const contained = [...folders].map((folder) => {
    const { name, version } = JSON.parse(readFileSync(resolve(folder, 'package.json'), 'utf8')) as PackageJson
    return `${name}@${version}`
  })
  const args = ['sbom', '--sbom-format=cyclonedx']
  const installed = JSON.parse(execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1e8 })) as Sbom
  const sbom = imageSbom(installed, new Set(contained), process.versions.node)
  writeFileSync(join(app, 'sbom.cdx.json'), `${JSON.stringify(sbom, undefined, 2)}\n`)
}

interface PackageJson {
  name: string
  version: string
}

/**
 * Loads the bundle of the runtime once, with the flags of the image, and keeps what V8 compiled: a worker starts 30 ms
 * earlier. The bundle ends at once, since it has neither role nor job. The files that a job loads on demand, such as
 * its connectors, are loaded after that.
 */
function fillCompileCache(): void {
  const cache = join(app, 'cache')
  spawnSync(process.execPath, [...IMAGE_FLAGS, join(app, 'main.mjs'), 'worker'], { env: {}, stdio: 'ignore' })
  const onDemand = readdirSync(app).filter((name) => /^runtime-.*\.mjs$/.test(name))
  const loadAll = `
    import { enableCompileCache } from 'node:module'
    enableCompileCache({ directory: ${JSON.stringify(cache)}, portable: true })
    for (const name of ${JSON.stringify(onDemand)}) await import(${JSON.stringify(`${app}/`)} + name)`
  execFileSync(process.execPath, [...IMAGE_FLAGS, '--input-type=module', '--eval', loadAll], { env: {} })
  const files = readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(cache, name)).isFile(),
  )
  if (files.length === 0) throw new Error(`${join(app, 'main.mjs')} left nothing in ${cache}`)
  // the image runs as another user
  for (const name of files) chmodSync(join(cache, name), 0o644)
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
