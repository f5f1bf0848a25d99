import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildImage } from '../harness/beds/image.ts'
import { startKubeNode } from '../harness/beds/kube-bed.ts'
import type { KubeNode } from '../harness/beds/kube-bed.ts'
import { documentedCommand, documentedCommands } from '../harness/documented-commands.ts'
import { until } from '../harness/until.ts'

const ROOT = join(import.meta.dirname, '../..')
const NAMESPACE = 'streams'
const run = promisify(execFile)

/** The namespaced way of docs/operator.md, with its own commands. */
describe('a release without any object outside of namespaces', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-namespaced-'))
  const commands = documentedCommands('docs/operator.md', 'Installing')
  const kubeconfig = join(dir, 'kubeconfig')
  let node: KubeNode

  /** As it would be typed, by the administrator of the cluster or by the tenant. */
  const shell = async (command: string, input?: unknown): Promise<string> => {
    const PATH = `${dirname(node.bin.kubectl)}:${process.env['PATH'] ?? ''}`
    const child = run('bash', ['-c', command], { cwd: ROOT, env: { ...process.env, PATH, KUBECONFIG: kubeconfig } })
    child.child.stdin?.end(input === undefined ? '' : JSON.stringify(input))
    return (await child).stdout
  }

  beforeAll(async () => {
    const image = await buildImage({ name: 'docker.io/library/millrace:0.1.0' })
    node = await startKubeNode()
    copyFileSync(node.kubeconfig, kubeconfig)
    await node.importImage(image.tar)
    await shell(`kubectl create namespace ${NAMESPACE}`)
    await shell(`kubectl label namespace ${NAMESPACE} pod-security.kubernetes.io/enforce=restricted`)
    await shell(`kubectl create rolebinding tenant -n ${NAMESPACE} --clusterrole=admin --user=tenant`)
  })

  afterAll(async () => {
    await node?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  test('is installed by who administers a namespace, when the cluster has the CRDs, and runs a job there', async () => {
    await shell(documentedCommand(commands, 'helm template'))
    // where there is no storage, each pod has a folder of its own: enough for a job that is never restored
    const podTemplate = {
      spec: {
        volumes: [{ name: 'store', emptyDir: {} }],
        containers: [{ name: 'millrace', volumeMounts: [{ name: 'store', mountPath: '/checkpoints' }] }],
      },
    }
    const values = JSON.stringify({ jobs: { storeVolume: { enabled: false }, defaults: { podTemplate } } })
    const [install = ''] = commands.filter((command) => command.endsWith('--set namespaced=true'))
    await shell(`${install} --kube-as-user tenant --set-json '${values}' --wait --timeout 120s`)
    await shell(`kubectl apply -n ${NAMESPACE} --as=tenant -f -`, {
      apiVersion: 'millrace.dev/v1alpha1',
      kind: 'StreamJob',
      metadata: { name: 'bids' },
      spec: {
        graph: [
          { id: 'bids', source: { nexmark: { events: 1_000_000, rate: '1/s' } } },
          { id: 'out', from: 'bids', sink: 'console' },
        ],
      },
    })
    await until(
      'the job runs',
      async () =>
        (await shell(`kubectl get sj bids -n ${NAMESPACE} -o 'jsonpath={.status.phase}'`)) === 'Running'
          ? true
          : undefined,
      120_000,
      250,
    )
    await shell(`kubectl delete sj bids -n ${NAMESPACE} --as=tenant --timeout=90s`)
    await shell(`helm uninstall millrace -n ${NAMESPACE} --kube-as-user tenant --wait`)
  }, 300_000)

  test('leaves the CRDs to a later release for the cluster, which takes them when it is told to', async () => {
    const install = `helm install millrace charts/millrace -n ${NAMESPACE} --timeout 120s`
    await expect(shell(install)).rejects.toThrow(/invalid ownership metadata/)
    await shell(`${install} --take-ownership`)
    expect(await shell('kubectl get crds -o name')).toContain('streamjobs.millrace.dev')
  }, 300_000)
})
