import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildKube } from '../../test/harness/beds/kube-bed.ts'
import { Agent, request } from 'undici'
import { freePorts } from '../../test/harness/beds/free-port.ts'
import { spawnTied } from '../../test/harness/beds/tied-process.ts'
import { waitFor } from '../../test/harness/beds/wait-for.ts'

export type User = 'operator' | 'bench'

export interface ApiServer {
  kubeconfig(user: User): string
  /** The requests of the operator that are in the audit log from that byte on. */
  requestsSince(offset: number): AuditedRequest[]
  logSize(): number
  stop(): Promise<void>
}

/** The members of an audit event (audit.k8s.io/v1) that are used. */
export interface AuditedRequest {
  verb: string
  objectRef?: { resource?: string; namespace?: string; name?: string; subresource?: string }
  requestURI: string
  /** ISO 8601, with microseconds. */
  requestReceivedTimestamp: string
}

/** A real etcd and API server without nodes or controllers; each request of the operator is in the audit log. */
export async function startApiServer(folder: string): Promise<ApiServer> {
  const bin = await buildKube()
  const [etcdPort, peerPort, port] = await freePorts(3)
  mkdirSync(folder, { recursive: true })
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const signing = file('sa.key', privateKey.export({ type: 'pkcs1', format: 'pem' }).toString())
  const verifying = file('sa.pub', publicKey.export({ type: 'spki', format: 'pem' }).toString())
  const audit = join(folder, 'audit.log')
  const etcd = await spawnTied(
    join(bin, 'etcd'),
    [
      `--data-dir=${join(folder, 'etcd')}`,
      '--unsafe-no-fsync',
      '--log-level=error',
      '--quota-backend-bytes=4294967296',
      `--listen-client-urls=http://127.0.0.1:${etcdPort}`,
      `--advertise-client-urls=http://127.0.0.1:${etcdPort}`,
      `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
    ],
    { log: join(folder, 'etcd.log') },
  )
  const server = await spawnTied(
    join(bin, 'kube-apiserver'),
    [
      `--etcd-servers=http://127.0.0.1:${etcdPort}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--cert-dir=${join(folder, 'certs')}`,
      `--token-auth-file=${file('tokens.csv', 'operator,operator,operator,system:masters\nbench,bench,bench,system:masters\n')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${verifying}`,
      `--service-account-signing-key-file=${signing}`,
      '--disable-admission-plugins=ServiceAccount',
      '--service-cluster-ip-range=10.96.0.0/16',
      `--audit-log-path=${audit}`,
      `--audit-policy-file=${file('audit.yaml', POLICY)}`,
      '--profiling=false',
    ],
    { log: join(folder, 'kube-apiserver.log') },
  )
  const url = `https://127.0.0.1:${port}`
  const kubeconfig = (user: User): string => file(`${user}.kubeconfig`, kubeconfigOf(url, user))
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
  await waitFor('the API server is ready', 60_000, async () => {
    if (server.hasExited()) throw new Error(`the API server has ended: ${server.logTail()}`)
    try {
      const answer = await request(`${url}/readyz`, { headers: { authorization: 'Bearer bench' }, dispatcher })
      return (await answer.body.text()) === 'ok'
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return false
      throw error
    }
  })
  return {
    kubeconfig,
    logSize: () => statSync(audit, { throwIfNoEntry: false })?.size ?? 0,
    requestsSince: (offset) =>
      readFileSync(audit)
        .subarray(offset)
        .toString()
        .split('\n')
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line) as AuditedRequest),
    async stop() {
      await dispatcher.destroy()
      await server.stop(5_000)
      await etcd.stop(5_000)
    },
  }
}

/** A watch is one request when it begins; leases are renewed however many jobs there are. */
const POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: None
    verbs: [watch]
  - level: None
    resources: [{ group: coordination.k8s.io }]
  - level: Metadata
    users: [operator]
`

function kubeconfigOf(server: string, user: User): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    clusters: [{ name: 'bench', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: user, user: { token: user } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user } }],
  })
}
