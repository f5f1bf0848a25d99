import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApiServerOptions, EmbeddedApiServer } from '../../embedded/api-server.ts'
import { startApiServer } from '../../embedded/api-server.ts'
import type { EmbeddedNode, NodeOptions } from '../../embedded/node/node.ts'
import { startNode } from '../../embedded/node/node.ts'
import type { JsonObject, KubeObject } from '../../embedded/objects.ts'
import { sampleCrd } from './sample-crd.ts'

export interface TestCluster {
  server: EmbeddedApiServer
  node: EmbeddedNode | undefined
  dir: string
  close(): Promise<void>
}

/** A server with the sample CRD, and with a node when `commandFor` is given. */
export async function startTestCluster(
  options: Partial<ApiServerOptions> & { node?: Partial<NodeOptions> } = {},
): Promise<TestCluster> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-embedded-'))
  const { node: nodeOptions, ...serverOptions } = options
  const server = await startApiServer({ dir, crds: [sampleCrd], ...serverOptions })
  const node =
    nodeOptions === undefined
      ? undefined
      : await startNode({
          server,
          dir: join(dir, 'node'),
          backoff: { initialMs: 50, maxMs: 200, resetAfterMs: 60_000 },
          commandFor: runSampleContainer,
          ...nodeOptions,
        })
  return {
    server,
    node,
    dir,
    close: async () => {
      await node?.close()
      await server.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Runs sample-container.mjs with the container's args. */
export const runSampleContainer: NodeOptions['commandFor'] = ({ args }) => ({
  command: process.execPath,
  args: [new URL('./sample-container.mjs', import.meta.url).pathname, ...args],
})

export function samplePod(name: string, args: string[], spec: JsonObject = {}, container: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: {
      containers: [
        {
          name: 'main',
          image: 'millrace:test',
          args,
          env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
          ...container,
        },
      ],
      ...spec,
    },
  }
}

/** Waits until the object (undefined when it is gone) satisfies the condition; driven by the watch, not by time. */
export function untilObject(
  server: EmbeddedApiServer,
  resource: string,
  name: string,
  condition: (object: KubeObject | undefined) => boolean,
): Promise<KubeObject | undefined> {
  const cluster = server.local('test')
  return new Promise((resolve) => {
    let stop: (() => void) | undefined
    let isDone = false
    const check = (): void => {
      const object = cluster.get(resource, 'default', name)
      if (isDone || !condition(object)) return
      isDone = true
      stop?.()
      resolve(object)
    }
    check()
    if (!isDone) stop = cluster.watch(resource, () => setImmediate(check))
  })
}
