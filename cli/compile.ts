import { ownModule } from '../runtime/ports/real/own-module.ts'
import { createHash } from 'node:crypto'
import { basename, dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { Job } from '../runtime/front/typescript/job.ts'
import { describeWithCauses, MillraceError } from '../runtime/model/errors.ts'
import type { ModuleSource } from '../runtime/model/user-module.ts'
import type { ConnectorDeclarations } from '../runtime/graph/connector-declaration.ts'
import { standardConsole, writeDocument } from './console.ts'
import { isJobModule, readJobModule } from './job-module.ts'
import { findingsText } from './read-job.ts'
import type { TypeCheck } from './type-check.ts'

const API = fileURLToPath(ownModule('../runtime/front/typescript/millrace.ts', import.meta.url))
/** The StreamJob with a ConfigMap that holds its code, or one whose code is in its image; or the code alone. */
export type CompiledForm = { kind: 'configMap' } | { kind: 'image'; path: string } | { kind: 'code' }

/** What the API server takes in one object, less what surrounds the text. */
const LARGEST_TEXT = 1_000_000
const KEY = 'job.mjs'

/**
 * `millrace compile job.ts`: the StreamJob, and before it the ConfigMap with everything its functions need in one
 * text, as YAML for kubectl. The ConfigMap is named after its text and never changes: new code is a new ConfigMap,
 * and so an upgrade of the job like any other. Exit code 1 when the job is wrong.
 */
export async function compile(
  file: string,
  connectors: ConnectorDeclarations,
  form: CompiledForm = { kind: 'configMap' },
  typeCheck: TypeCheck = 'ifConfigured',
): Promise<number> {
  const text = await compiledText(file, connectors, form, typeCheck)
  if (text === undefined) return 1
  writeDocument(text)
  return 0
}

/** The YAML; undefined when the job is wrong, which has then been said. */
export async function compiledText(
  file: string,
  connectors: ConnectorDeclarations,
  form: CompiledForm = { kind: 'configMap' },
  typeCheck: TypeCheck = 'ifConfigured',
): Promise<string | undefined> {
  if (!isJobModule(file))
    throw new MillraceError('USAGE', `${file} is not a job in TypeScript`, {
      domain: 'user',
      hint: `a job in YAML is applied as it is: kubectl apply -f ${file}`,
    })
  const { job, findings } = await readJobModule(file, connectors, typeCheck)
  standardConsole.err(findingsText(findings))
  if (job === undefined || findings.some((finding) => finding.severity === 'error')) return undefined
  switch (form.kind) {
    case 'code':
      return bundleOf(file)
    case 'image':
      return stringify(streamJobOf(job, form), YAML)
    case 'configMap':
      return compiledYaml(job, Object.keys(job.functions).length === 0 ? undefined : await bundleOf(file))
  }
}

/** `text` is that of the module; undefined when the job has no functions. */
export function compiledYaml(job: Job, text: string | undefined): string {
  if (text === undefined) return stringify(streamJobOf(job, { kind: 'path', path: KEY }), YAML)
  const name = `${job.name}-functions-${createHash('sha256').update(text).digest('hex').slice(0, 10)}`
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels: { 'millrace.dev/job': job.name } },
    immutable: true,
    data: { [KEY]: text },
  }
  return `${stringify(configMap, YAML)}---\n${stringify(streamJobOf(job, { kind: 'configMap', name, key: KEY }), YAML)}`
}

function streamJobOf(job: Job, module: ModuleSource): object {
  return {
    apiVersion: 'millrace.dev/v1alpha1',
    kind: 'StreamJob',
    metadata: { name: job.name },
    spec: job.spec(module),
  }
}

/** kubectl reads YAML 1.1: what is a truth value there (n, y, on) is put in quotes. */
const YAML = { lineWidth: 0, version: '1.1' } as const

/**
 * The file and all it imports as one module, the same on every machine. Throws BUNDLER_MISSING, BUNDLE_FAILED,
 * TOO_LARGE.
 */
async function bundleOf(file: string): Promise<string> {
  const { build } = await import('esbuild').catch((cause: unknown) => {
    throw new MillraceError('BUNDLER_MISSING', 'esbuild is not installed', {
      domain: 'user',
      cause,
      hint: 'npm install esbuild, or bring the module in an image: modules: { NAME: { image: /app/functions.mjs } }',
    })
  })
  const result = await build({
    entryPoints: [resolve(file)],
    absWorkingDir: dirname(resolve(file)),
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    alias: { millrace: API },
    minifyWhitespace: true,
    lineLimit: 160,
    legalComments: 'none',
    charset: 'utf8',
    logLevel: 'silent',
    // CommonJS packages inside of an ES module still call require for Node's own modules
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);",
    },
  }).catch((cause: unknown) => {
    throw new MillraceError('BUNDLE_FAILED', `${basename(file)} cannot be bundled: ${describeWithCauses(cause)}`, {
      domain: 'user',
    })
  })
  const text = result.outputFiles[0]?.text ?? ''
  if (Buffer.byteLength(text) <= LARGEST_TEXT) return text
  throw new MillraceError(
    'TOO_LARGE',
    `the code of ${basename(file)} has ${Buffer.byteLength(text)} bytes, a ConfigMap takes ${LARGEST_TEXT}`,
    { domain: 'user', hint: 'bring the module in an image: modules: { NAME: { image: /app/functions.mjs } }' },
  )
}
