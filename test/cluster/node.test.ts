import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildImage } from '../harness/beds/image.ts'
import { startKubeNode } from '../harness/beds/kube-bed.ts'
import type { KubeNode } from '../harness/beds/kube-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'

const run = promisify(execFile)

/** The image and the node fit together, before any resource of Millrace is involved. */
describe('the image from the Dockerfile on a real node', () => {
  let node: KubeNode
  let image = ''

  const kubectl = async (args: readonly string[], input?: unknown): Promise<string> => {
    const child = run(node.bin.kubectl, ['--kubeconfig', node.kubeconfig, ...args])
    child.child.stdin?.end(input === undefined ? '' : JSON.stringify(input))
    return (await child).stdout
  }

  beforeAll(async () => {
    const built = await buildImage()
    image = built.name
    node = await startKubeNode()
    await node.importImage(built.tar)
    await kubectl(['create', 'namespace', 'strict'])
    await kubectl(['label', 'namespace', 'strict', 'pod-security.kubernetes.io/enforce=restricted'])
    await waitFor('the default service account', 30_000, async () =>
      (await kubectl(['get', 'serviceaccounts', '-n', 'strict'])).includes('default'),
    )
  })

  afterAll(() => node?.stop())

  /** Runs the image once with one argument and gives what it printed and its exit code. */
  const runRole = async (role: string): Promise<{ readonly log: string; readonly exitCode: number }> => {
    await kubectl(['apply', '-f', '-'], pod(role, image))
    const ended = async (): Promise<string> =>
      kubectl([
        'get',
        'pod',
        role,
        '-n',
        'strict',
        '-o',
        'jsonpath={.status.containerStatuses[0].state.terminated.exitCode}',
      ])
    await waitFor(
      `the pod of ${role} ends`,
      60_000,
      async () => (await ended()) !== '',
      () => role,
    )
    return { log: await kubectl(['logs', role, '-n', 'strict']), exitCode: Number(await ended()) }
  }

  test('a role that does not exist is refused with the three that do', async () => {
    const { log, exitCode } = await runRole('nobody')
    expect(exitCode).toBe(2)
    expect(log).toContain('must be coordinator, worker or operator')
  })

  test.each(['coordinator', 'worker'])(
    'a %s without settings starts as non-root on a read-only root and says which setting it misses',
    async (role) => {
      const { log, exitCode } = await runRole(role)
      expect(exitCode).not.toBe(0)
      expect(log).toMatch(/MILLRACE_[A-Z_]+/)
    },
  )
})

function pod(name: string, image: string): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'strict' },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'millrace',
          image,
          imagePullPolicy: 'IfNotPresent',
          args: [name],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            runAsNonRoot: true,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    },
  }
}
