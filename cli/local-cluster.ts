import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { areFree, freePort } from './free-port.ts'
import { startApiServer, type EmbeddedApiServer } from '../embedded/api-server.ts'
import type { RestartBackoff } from '../embedded/node/container-runner.ts'
import { startNode, type EmbeddedNode } from '../embedded/node/node.ts'
import type { JsonObject } from '../embedded/objects.ts'
import { configuredDruids } from '../operator/druid/configured-druids.ts'
import type { DruidEndpoint } from '../operator/druid/druid-endpoint.ts'
import type { JobPorts } from '../operator/resources/job-pod.ts'
import { startOperator, type RunningOperator } from '../operator/operator.ts'
import { JobHttpClient } from '../operator/real/job-http-client.ts'
import { kubeConnection } from '../operator/real/kube-config.ts'
import { KubeHttpClient } from '../operator/real/kube-http-client.ts'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { ownModule } from '../runtime/ports/real/own-module.ts'
import { NODE_FLAGS } from '../runtime/node-flags.ts'
import type { Logger } from '../runtime/ports/logger.ts'
import { realClock } from '../runtime/ports/real/clock.ts'
import { realRng } from '../runtime/ports/real/rng.ts'

const RUNTIME_MAIN = fileURLToPath(ownModule('../runtime/main.ts', import.meta.url))
const PORTS_FILE = 'job-ports.json'
const KEPT_OBJECTS = 'objects.json'
/** Beside the checkpoints of jobs, those of `millrace run`, which are not of this cluster. */
const RUNS = 'local'
const CRD_FOLDER = fileURLToPath(new URL('../crds', import.meta.url))

export interface LocalClusterOptions {
  /** Everything it keeps: objects, kubeconfig, pod logs, checkpoints. */
  dir: string
  /** What relative paths in jobs refer to. */
  baseDir: string
  logger: Logger
  druids?: Readonly<Record<string, DruidEndpoint>>
  /** How soon processes that ended start again; the node's default when left out. */
  backoff?: RestartBackoff
}

/**
 * API server and node in this process, and the unchanged operator talking to them over HTTPS. Another one in the same
 * folder, later, has the same jobs and continues them from their checkpoints.
 */
export interface LocalCluster {
  server: EmbeddedApiServer
  node: EmbeddedNode
  operator: RunningOperator
  /** Ends the operator and every pod; jobs keep their checkpoints. */
  close(): Promise<void>
}

export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { dir } = options
  mkdirSync(join(dir, 'checkpoints'), { recursive: true })
  await chooseJobPorts(dir)
  const server = await startApiServer({ dir, crds: readCrds(), keepIn: join(dir, KEPT_OBJECTS) })
  const node = await startNode({
    server,
    dir,
    ...(options.backoff === undefined ? {} : { backoff: options.backoff }),
    commandFor: ({ args }) => ({
      command: process.execPath,
      args: [...NODE_FLAGS, RUNTIME_MAIN, ...args],
      env: { MILLRACE_BASE_DIR: options.baseDir },
    }),
  })
  const operator = await startLocalOperator(server, options)
  return {
    server,
    node,
    operator,
    close: async () => {
      await operator.stop()
      await node.close()
      await server.close()
    },
  }
}

/** The operator alone, so that tests can end it and start another. */
export async function startLocalOperator(
  server: EmbeddedApiServer,
  options: LocalClusterOptions,
): Promise<RunningOperator> {
  const kube = new KubeHttpClient(await kubeConnection(server.kubeconfigPath))
  return startOperator({
    kube,
    clock: realClock,
    rng: realRng,
    logger: options.logger,
    jobClient: new JobHttpClient(),
    connectors: builtinConnectors,
    druids: (leadership) => configuredDruids(options.druids ?? {}, leadership),
    settings: {
      pods: {
        image: 'local',
        imagePullPolicy: 'Never',
        store: `file://${join(options.dir, 'checkpoints')}`,
        addressing: 'podIP',
        encryption: 'on',
        maxSubtasks: 1000,
        // Each pod has an address of its own; a program that listens at all addresses has the usual ports everywhere.
        ports: keptPorts(options.dir),
      },
      tokenKeys: [tokenKey(options.dir)],
      rolloutLimit: 1,
    },
  })
}

/** Removes the jobs of a cluster in that folder, with their checkpoints; its files of results stay. */
export function forgetCluster(dir: string): void {
  const checkpoints = join(dir, 'checkpoints')
  const ofJobs = existsSync(checkpoints) ? readdirSync(checkpoints).filter((name) => name !== RUNS) : []
  for (const path of [KEPT_OBJECTS, 'pods', 'claims', 'logs', ...ofJobs.map((name) => join('checkpoints', name))])
    rmSync(join(dir, path), { recursive: true, force: true })
}

/** Kept beside the token key: another operator over the same pods must render them as they are. */
function keptPorts(dir: string): JobPorts {
  return JSON.parse(readFileSync(join(dir, PORTS_FILE), 'utf8')) as JobPorts
}

/** Those of the time before, if they are still free: with others, the operator would upgrade every job that it finds. */
async function chooseJobPorts(dir: string): Promise<void> {
  if (existsSync(join(dir, PORTS_FILE)) && (await areFree('0.0.0.0', Object.values(keptPorts(dir))))) return
  const [control, data, http] = [await freePort('0.0.0.0'), await freePort('0.0.0.0'), await freePort('0.0.0.0')]
  writeFileSync(join(dir, PORTS_FILE), JSON.stringify({ control, data, http } satisfies JobPorts))
}

function readCrds(): JsonObject[] {
  return readdirSync(CRD_FOLDER)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => parse(readFileSync(join(CRD_FOLDER, name), 'utf8')) as JsonObject)
}

/** Job tokens are derived from it, so it outlives a restart. */
function tokenKey(dir: string): string {
  const path = join(dir, 'token-key')
  if (!existsSync(path)) writeFileSync(path, randomBytes(32).toString('hex'), { mode: 0o600 })
  return readFileSync(path, 'utf8')
}
