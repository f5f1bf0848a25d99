import type { RequestOptions } from 'node:https'
import { KubeConfig } from '@kubernetes/client-node'
import { Agent } from 'undici'
import { MillraceError } from '../../runtime/model/errors.ts'

/** Where the API server is and how to prove who we are; certificates are bound to the agent. */
export interface KubeConnection {
  server: string
  agent: Agent
  /** That of the current context; `default` when it names none. */
  namespace: string
  /** Asked for at every request: tokens in files are rotated. */
  headers(): Promise<Record<string, string>>
}

/** From a kubeconfig file, or else as kubectl finds it: $KUBECONFIG, the pod's service account, ~/.kube/config. */
export async function kubeConnection(kubeconfig: string | undefined): Promise<KubeConnection> {
  const config = new KubeConfig()
  if (kubeconfig === undefined) config.loadFromDefault()
  else loadFile(config, kubeconfig)
  return connectionOf(config)
}

function loadFile(config: KubeConfig, file: string): void {
  try {
    config.loadFromFile(file)
  } catch (cause) {
    throw new MillraceError('KUBE_CONFIG_UNREADABLE', `the kubeconfig ${file} cannot be read`, {
      domain: 'user',
      cause,
    })
  }
}

/** What the library takes when it finds no configuration. */
const NO_CLUSTER = 'http://localhost:8080'

async function connectionOf(config: KubeConfig): Promise<KubeConnection> {
  const cluster = config.getCurrentCluster()
  if (cluster === null || cluster.server === NO_CLUSTER) {
    throw new MillraceError('KUBE_CONFIG_MISSING', 'no cluster is configured', {
      domain: 'user',
      hint: 'Name a kubeconfig with --kubeconfig or KUBECONFIG.',
    })
  }
  const options: RequestOptions = {}
  await config.applyToHTTPSOptions(options)
  const { ca, cert, key, rejectUnauthorized } = options
  const agent = new Agent({
    connections: 32,
    keepAliveTimeout: 30_000,
    connect: {
      timeout: 10_000,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
      ...(cluster.tlsServerName === undefined ? {} : { servername: cluster.tlsServerName }),
    },
  })
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? 'default'
  return { server: cluster.server.replace(/\/$/, ''), agent, namespace, headers: () => headersOf(config) }
}

async function headersOf(config: KubeConfig): Promise<Record<string, string>> {
  const options: RequestOptions = {}
  await config.applyToHTTPSOptions(options)
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (typeof value === 'string') headers[name] = value
  }
  if (typeof options.auth === 'string')
    headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`
  return headers
}
