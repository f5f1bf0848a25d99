import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { EmbeddedApiServer } from '../embedded/api-server.ts'
import type { JsonObject } from '../embedded/objects.ts'
import { stringAt, valueAt } from '../embedded/objects.ts'
import { druidsOf } from '../operator/config.ts'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import { createLogger } from '../runtime/ports/real/logger.ts'
import { compiledText } from './compile.ts'
import { isJobModule } from './job-module.ts'
import { startLocalCluster } from './local-cluster.ts'
import { newestRows, table } from './results-view.ts'

const SHOW_EVERY_MS = 2_000
const SHOWN_ROWS = 8

export interface DevOptions {
  /** Applied at the start. */
  files: readonly string[]
}

/**
 * `millrace dev`: the embedded API server and node with the unchanged operator, until Ctrl-C. Everything it keeps
 * lies in `.millrace/` of the current folder; the Druids it knows are in MILLRACE_DRUIDS, as for the operator. Exit
 * code 0.
 */
export async function dev(options: DevOptions): Promise<number> {
  const startedAt = performance.now()
  const dir = resolve('.millrace')
  const objects = (await Promise.all(options.files.map((file) => readResources(file)))).flat()
  const cluster = await startLocalCluster({
    dir,
    baseDir: options.files[0] === undefined ? process.cwd() : dirname(resolve(options.files[0])),
    logger: createLogger({ to: 'stderr', level: 'error' }),
    druids: druidsOf(process.env['MILLRACE_DRUIDS']),
  })
  const ended = new Promise<void>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        done()
      })
  })
  try {
    print(
      welcome(
        cluster.server,
        objects.find(({ resource }) => resource === RESOURCES['StreamJob'])?.name,
        performance.now() - startedAt,
      ),
    )
    for (const { resource, namespace, object } of objects)
      cluster.server.local('millrace-dev').create(resource, namespace, object)
    const stop = showWhatHappens(
      cluster.server,
      objects.flatMap((object) => object.resultFolders),
    )
    await ended
    stop()
    print('\nending every process …')
  } finally {
    await cluster.close()
  }
  return 0
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function welcome(server: EmbeddedApiServer, job: string | undefined, tookMs: number): string {
  const kubeconfig = relative(process.cwd(), server.kubeconfigPath)
  const name = job ?? 'JOB'
  return [
    `Millrace is up after ${(tookMs / 1000).toFixed(1)} s: a small Kubernetes API at ${server.url}, for development only. Ctrl-C ends it.`,
    '',
    'Try in another terminal:',
    `  export KUBECONFIG=${kubeconfig}`,
    '  kubectl get streamjobs,pods',
    `  kubectl scale sj/${name} --replicas=3`,
    `  kubectl describe sj ${name}`,
    '',
  ].join('\n')
}

interface Resource {
  resource: string
  namespace: string
  name: string
  object: JsonObject
  resultFolders: string[]
}

const RESOURCES: Readonly<Record<string, string>> = {
  StreamJob: 'streamjobs.millrace.dev',
  StreamSavepoint: 'streamsavepoints.millrace.dev',
  DruidDatasource: 'druiddatasources.millrace.dev',
  ConfigMap: 'configmaps',
}

async function readResources(file: string): Promise<Resource[]> {
  const text = isJobModule(file) ? await compiledText(file, builtinConnectors) : readFileSync(file, 'utf8')
  if (text === undefined) throw new MillraceError('SPEC_INVALID', `${file} was not applied`, { domain: 'user' })
  const documents = parseAllDocuments(text)
  return (Array.isArray(documents) ? documents : []).map((document) => {
    const [mistake] = document.errors
    if (mistake) throw new MillraceError('YAML_SYNTAX', `${file}: ${mistake.message}`, { domain: 'user' })
    const object = document.toJS() as JsonObject
    const resource = RESOURCES[stringAt(object, 'kind') ?? '']
    if (resource === undefined)
      throw new MillraceError(
        'KIND_UNKNOWN',
        `${file}: kind ${String(object['kind'])} is none of ${Object.keys(RESOURCES).join(', ')}`,
        { domain: 'user' },
      )
    return {
      resource,
      namespace: stringAt(object, 'metadata', 'namespace') ?? 'default',
      name: stringAt(object, 'metadata', 'name') ?? '',
      object,
      resultFolders: resultFolders(object, dirname(resolve(file))),
    }
  })
}

function resultFolders(job: JsonObject, baseDir: string): string[] {
  const graph = valueAt(job, 'spec', 'graph')
  return (Array.isArray(graph) ? graph : [])
    .map((entry) => stringAt(entry, 'sink', 'file', 'path'))
    .filter((path) => path !== undefined)
    .map((path) => resolve(baseDir, path))
}

/** Prints pods and jobs when they change, and the newest results every two seconds. */
function showWhatHappens(server: EmbeddedApiServer, folders: readonly string[]): () => void {
  const local = server.local('millrace-dev')
  const shown = new Map<string, string>()
  const show = (kind: string, name: string, facts: string): void => {
    if (shown.get(`${kind}/${name}`) === facts) return
    shown.set(`${kind}/${name}`, facts)
    print(`${kind.padEnd(4)} ${name.padEnd(32)} ${facts}`)
  }
  const stopPods = local.watch('pods', ({ type, object }) => {
    show(
      'pod',
      stringAt(object, 'metadata', 'name') ?? '',
      type === 'DELETED'
        ? 'gone'
        : `${stringAt(object, 'status', 'phase') ?? 'Pending'} ${stringAt(object, 'status', 'podIP') ?? ''}`,
    )
  })
  const stopJobs = local.watch('streamjobs.millrace.dev', ({ type, object }) => {
    const attempt = valueAt(object, 'status', 'attempt')
    show(
      'job',
      stringAt(object, 'metadata', 'name') ?? '',
      type === 'DELETED'
        ? 'gone'
        : `${stringAt(object, 'status', 'phase') ?? 'Pending'}${attempt === undefined ? '' : `, attempt ${String(attempt)}`}`,
    )
  })
  let last = ''
  const results = setInterval(() => {
    for (const folder of folders) {
      const rows = newestRows(folder, SHOWN_ROWS)
      const text = rows.length === 0 ? '' : table(rows)
      if (text !== '' && text !== last) print(`\n${relative(process.cwd(), folder)}, newest rows\n${text}\n`)
      last = text
    }
  }, SHOW_EVERY_MS)
  return () => {
    clearInterval(results)
    stopPods()
    stopJobs()
  }
}
