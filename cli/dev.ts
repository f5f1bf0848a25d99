import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { EmbeddedApiServer } from '../embedded/api-server.ts'
import type { LocalCluster } from '../embedded/local-cluster.ts'
import type { JsonObject } from '../embedded/objects.ts'
import { stringAt, valueAt } from '../embedded/objects.ts'
import { druidsOf } from '../operator/config.ts'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import { createLogger } from '../runtime/ports/real/logger.ts'
import { partPrefix } from '../runtime/connectors/file/part-names.ts'
import { applyObject } from './apply-file.ts'
import { compiledText } from './compile.ts'
import { standardConsole } from './console.ts'
import { lockFolder } from './folder-lock.ts'
import { isJobModule } from './job-module.ts'
import { forgetCluster, startLocalCluster } from './local-cluster.ts'
import { newestRows, partFiles, table } from './results-view.ts'

const SHOW_EVERY_MS = 2_000
const SHOWN_ROWS = 8

export interface DevOptions {
  /** Applied at the start. */
  files: readonly string[]
  /** `anew` forgets the jobs of the time before. */
  begin: 'anew' | 'as-it-was'
}

/**
 * `millrace dev`: the embedded API server and node with the unchanged operator, until Ctrl-C. Everything it keeps
 * lies in `.millrace/` of the current folder, the jobs too: the next `millrace dev` there continues them. The Druids it
 * knows are in MILLRACE_DRUIDS, as for the operator. Exit code 0.
 */
export async function dev(options: DevOptions): Promise<number> {
  const dir = resolve('.millrace')
  const objects = (await Promise.all(options.files.map((file) => readResources(file)))).flat()
  const unlock = await lockFolder(dir)
  try {
    if (options.begin === 'anew') forgetCluster(dir)
    return await serve(dir, options, objects)
  } finally {
    unlock()
  }
}

async function serve(dir: string, options: DevOptions, objects: readonly Resource[]): Promise<number> {
  const startedAt = performance.now()
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
    const local = cluster.server.local('millrace-dev')
    for (const line of keptText(local)) print(line)
    for (const { resource, namespace, object } of objects) applyObject(local, resource, namespace, object)
    const results = objects.flatMap((object) => resultsOf(local, object))
    for (const line of earlierResultsText(results)) print(line)
    const stop = showWhatHappens(local, results)
    await ended
    stop()
    print('\nending every process …')
  } finally {
    await cluster.close()
  }
  return 0
}

function print(text: string): void {
  standardConsole.out(`${text}\n`)
}

function welcome(server: EmbeddedApiServer, job: string | undefined, tookMs: number): string {
  const kubeconfig = relative(process.cwd(), server.kubeconfigPath)
  const name = job ?? 'JOB'
  return [
    `Millrace is up after ${(tookMs / 1000).toFixed(1)} s: a small Kubernetes API at ${server.url}, for development only. Ctrl-C ends it and keeps the jobs.`,
    '',
    'Try in another terminal:',
    `  export KUBECONFIG=${kubeconfig}`,
    '  kubectl get streamjobs,pods',
    `  kubectl scale sj/${name} --replicas=3`,
    `  kubectl describe sj ${name}`,
    '',
  ].join('\n')
}

/** Which jobs were kept from the time before, and how to be rid of them. */
function keptText(cluster: LocalCluster): string[] {
  const jobs = cluster.list(JOBS).map((job) => {
    const phase = stringAt(job, 'status', 'phase') ?? 'Pending'
    return `${job.metadata.name} (${phase === 'Finished' ? 'Finished: it does not run again' : `was ${phase}: it continues`})`
  })
  return jobs.length === 0 ? [] : [`Kept from before: ${jobs.join(', ')}. --fresh begins anew.`, '']
}

/** Where a job puts results, and the beginning of its files' names there: other jobs may use the folder. */
interface Results {
  folder: string
  prefix: string
}

function resultsOf(cluster: LocalCluster, { resource, namespace, name, resultFolders }: Resource): Results[] {
  const uid = cluster.get(resource, namespace, name)?.metadata.uid ?? ''
  return resultFolders.map((folder) => ({ folder, prefix: partPrefix(uid) }))
}

function earlierResultsText(results: readonly Results[]): string[] {
  return results.flatMap(({ folder, prefix }) => {
    const others = partFiles(folder, '').length - partFiles(folder, prefix).length
    return others === 0
      ? []
      : [`${relative(process.cwd(), folder)} has ${others} files of other runs; this one writes beside them.`, '']
  })
}

interface Resource {
  resource: string
  namespace: string
  name: string
  object: JsonObject
  resultFolders: string[]
}

const JOBS = 'streamjobs.millrace.dev'

const RESOURCES: Readonly<Record<string, string>> = {
  StreamJob: JOBS,
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
function showWhatHappens(local: LocalCluster, results: readonly Results[]): () => void {
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
  const stopJobs = local.watch(JOBS, ({ type, object }) => {
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
  const timer = setInterval(() => {
    for (const { folder, prefix } of results) {
      const rows = newestRows(folder, prefix, SHOWN_ROWS)
      const text = rows.length === 0 ? '' : table(rows)
      if (text !== '' && text !== last) print(`\n${relative(process.cwd(), folder)}, newest rows\n${text}\n`)
      last = text
    }
  }, SHOW_EVERY_MS)
  return () => {
    clearInterval(timer)
    stopPods()
    stopJobs()
  }
}
