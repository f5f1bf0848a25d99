import { join } from 'node:path'
import type { EmbeddedApiServer } from '../api-server.ts'
import type { LocalCluster } from '../local-cluster.ts'
import { timestamp } from '../object-writer.ts'
import type { KubeObject } from '../objects.ts'
import { stringAt } from '../objects.ts'
import type { LogOptions, LogSource } from '../pod-logs.ts'
import { ApiStatusError, badRequest } from '../status-error.ts'
import type { StorageEvent } from '../storage.ts'
import type { RestartBackoff } from './container-runner.ts'
import { EventRecorder } from './event-recorder.ts'
import { LoopbackAddresses } from './loopback-addresses.ts'
import { graceSecondsOf } from './pod-model.ts'
import type { CommandFor } from './pod-runner.ts'
import { PodRunner } from './pod-runner.ts'
import { podStatusOf } from './pod-status.ts'

export interface NodeOptions {
  server: EmbeddedApiServer
  /** Which process stands for an image. */
  commandFor: CommandFor
  /** Folder for volumes and logs. */
  dir: string
  /** Default `DIR/logs`; one folder per pod in it. */
  logDir?: string
  /** A container's log is cut at about twice this. Default 10 MiB. */
  logMaxBytes?: number
  /** `with-pod` (default) removes logs when the pod is gone; `keep` leaves them, for tests to look at. */
  logRetention?: 'with-pod' | 'keep'
  /** Default 1 s doubling to 30 s (a kubelet: 10 s to 5 min), over after 10 min of running. */
  backoff?: RestartBackoff
  name?: string
  /** How long `close` waits for processes after SIGTERM. Default 5 s. */
  closeGraceMs?: number
}

export interface EmbeddedNode {
  readonly name: string
  /** The process of a running container, for tests that kill it. The first container when none is named. */
  pidOf(namespace: string, pod: string, container?: string): number | undefined
  /** Stops every process it started; resolves when all are gone. */
  close(): Promise<void>
}

/**
 * Starts a node that binds every pod to itself and runs its containers as processes of this machine. Each pod has a
 * loopback address of its own as its IP. There is no DNS, no isolation and no image: for development and tests only.
 */
export async function startNode(options: NodeOptions): Promise<EmbeddedNode> {
  const addresses = await LoopbackAddresses.reserve()
  const node = new Node(options, addresses)
  const killAll = (): void => node.killNow()
  process.on('exit', killAll)
  options.server.setLogSource(node)
  node.start()
  return {
    name: node.name,
    pidOf: (namespace, pod, container) => node.pidOf(namespace, pod, container),
    close: async () => {
      await node.close()
      options.server.setLogSource(undefined)
      process.off('exit', killAll)
      await addresses.close()
    },
  }
}

class Node implements LogSource {
  readonly name: string
  readonly #options: NodeOptions
  readonly #addresses: LoopbackAddresses
  readonly #cluster: LocalCluster
  readonly #events: EventRecorder
  readonly #runners = new Map<string, PodRunner>()
  readonly #endings = new Map<string, Promise<void>>()
  #stopWatching = (): void => undefined
  #isClosing = false

  constructor(options: NodeOptions, addresses: LoopbackAddresses) {
    this.name = options.name ?? 'millrace-local'
    this.#options = options
    this.#addresses = addresses
    this.#cluster = options.server.local(`system:node:${this.name}`)
    this.#events = new EventRecorder(this.#cluster, 'millrace-node')
  }

  start(): void {
    this.#register()
    // Writing inside a watch callback would nest writes in writes; each event is handled in a turn of its own.
    this.#stopWatching = this.#cluster.watch('pods', (event) => setImmediate(() => this.#onPod(event)))
  }

  pidOf(namespace: string, pod: string, container?: string): number | undefined {
    const runner = this.#find(namespace, pod)
    return (container === undefined ? runner?.facts.containers[0] : runner?.container(container))?.pid
  }

  async close(): Promise<void> {
    this.#isClosing = true
    this.#stopWatching()
    const graceMs = this.#options.closeGraceMs ?? 5000
    for (const uid of [...this.#runners.keys()]) this.#end(uid, graceMs)
    await Promise.all(this.#endings.values())
  }

  killNow(): void {
    for (const runner of this.#runners.values()) runner.killNow()
  }

  read(pod: KubeObject, options: LogOptions, onLine: (line: string) => void, onEnd: () => void): () => void {
    const container = this.#runners.get(pod.metadata.uid ?? '')?.container(options.container)
    const log = options.isPrevious ? container?.previousLog : container?.log
    if (log === undefined) {
      throw badRequest(
        options.isPrevious
          ? `previous terminated container "${options.container}" in pod "${pod.metadata.name}" not found`
          : `container "${options.container}" in pod "${pod.metadata.name}" is waiting to start: ${container === undefined ? 'PodInitializing' : 'ContainerCreating'}`,
      )
    }
    const show = (line: string): void => {
      const blank = line.indexOf(' ')
      if (options.sinceMs !== undefined && Date.parse(line.slice(0, blank)) < options.sinceMs) return
      onLine(options.hasTimestamps ? line : line.slice(blank + 1))
    }
    const lines = log.lines()
    const { tailLines } = options
    for (const line of tailLines === undefined ? lines : tailLines === 0 ? [] : lines.slice(-tailLines)) show(line)
    if (options.isFollowing && log.isOpen) return log.follow(show, onEnd)
    onEnd()
    return () => undefined
  }

  #register(): void {
    if (this.#cluster.get('nodes', '', this.name) === undefined) {
      this.#cluster.create('nodes', '', {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: this.name, labels: { 'kubernetes.io/hostname': this.name } },
      })
    }
    const now = timestamp(new Date())
    this.#cluster.update('nodes', '', this.name, 'status', (node) => ({
      ...node,
      status: {
        addresses: [
          { type: 'InternalIP', address: '127.0.0.1' },
          { type: 'Hostname', address: this.name },
        ],
        conditions: [
          {
            type: 'Ready',
            status: 'True',
            reason: 'EmbeddedNodeReady',
            message: 'runs pods as local processes',
            lastHeartbeatTime: now,
            lastTransitionTime: now,
          },
        ],
        nodeInfo: {
          architecture: process.arch,
          operatingSystem: process.platform,
          kubeletVersion: 'embedded',
          containerRuntimeVersion: 'process://node',
          osImage: '',
          kernelVersion: '',
          kubeProxyVersion: '',
          machineID: '',
          systemUUID: '',
          bootID: '',
        },
      },
    }))
  }

  #find(namespace: string, name: string): PodRunner | undefined {
    return [...this.#runners.values()].find(
      ({ pod }) => pod.metadata.namespace === namespace && pod.metadata.name === name,
    )
  }

  #onPod(event: StorageEvent): void {
    const pod = event.object
    const uid = pod.metadata.uid ?? ''
    const runner = this.#runners.get(uid)
    if (runner !== undefined) runner.pod = pod
    if (event.type === 'DELETED') {
      this.#end(uid, 0)
      void this.#endings.get(uid)?.then(() => this.#endings.delete(uid))
    } else if (this.#isClosing) return
    else if (pod.metadata.deletionTimestamp !== undefined) this.#delete(pod)
    else if (runner === undefined && !this.#endings.has(uid)) this.#admit(pod)
  }

  #admit(pod: KubeObject): void {
    // The event may be older than the pod that is there now.
    const { name, namespace = '' } = pod.metadata
    if (this.#cluster.get('pods', namespace, name)?.metadata.uid !== pod.metadata.uid) return
    const bound = stringAt(pod, 'spec', 'nodeName')
    if (bound !== undefined && bound !== this.name) return
    const phase = stringAt(pod, 'status', 'phase')
    if (phase === 'Succeeded' || phase === 'Failed') return
    const runner = this.#makeRunner(pod)
    this.#runners.set(pod.metadata.uid ?? '', runner)
    if (bound === undefined) {
      this.#cluster.update('pods', namespace, name, 'main', (current) => ({
        ...current,
        spec: { ...(current['spec'] as object), nodeName: this.name },
      }))
      this.#events.record(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${this.name}`)
    }
    runner.start()
  }

  #makeRunner(pod: KubeObject): PodRunner {
    const { name, namespace = '', uid = '' } = pod.metadata
    const { dir, logDir, logMaxBytes, backoff, commandFor } = this.#options
    const runner: PodRunner = new PodRunner(pod, {
      podIp: this.#addresses.take(),
      commandFor,
      logMaxBytes: logMaxBytes ?? 10 * 1024 * 1024,
      backoff: backoff ?? { initialMs: 1000, maxMs: 30_000, resetAfterMs: 600_000 },
      folders: { pod: join(dir, 'pods', uid), claims: join(dir, 'claims', namespace) },
      logDir: join(logDir ?? join(dir, 'logs'), `${namespace}_${name}_${uid}`),
      references: {
        configMap: (wanted) => this.#cluster.get('configmaps', namespace, wanted),
        secret: (wanted) => this.#cluster.get('secrets', namespace, wanted),
      },
      onChange: () => this.#writeStatus(runner),
      onEvent: (type, reason, message) => this.#events.record(runner.pod, type, reason, message),
    })
    return runner
  }

  #writeStatus(runner: PodRunner): void {
    const { name, namespace = '', uid } = runner.pod.metadata
    if (this.#cluster.get('pods', namespace, name)?.metadata.uid !== uid) return
    try {
      this.#cluster.update('pods', namespace, name, 'status', (current) => ({
        ...current,
        status: podStatusOf(runner.facts, current, new Date()),
      }))
    } catch (error) {
      if (!(error instanceof ApiStatusError)) throw error
      console.error(`embedded node: status of pod ${namespace}/${name} was refused: ${error.message}`)
    }
  }

  #delete(pod: KubeObject): void {
    const uid = pod.metadata.uid ?? ''
    if (this.#runners.has(uid)) this.#events.record(pod, 'Normal', 'Killing', 'Stopping containers')
    this.#end(uid, graceSecondsOf(pod) * 1000)
    void (this.#endings.get(uid) ?? Promise.resolve()).then(() => {
      if (!this.#isClosing) this.#confirmDeletion(pod)
    })
  }

  /** The last step of a graceful deletion: the object goes when the processes are gone. */
  #confirmDeletion(pod: KubeObject): void {
    const { name, namespace = '', uid = '' } = pod.metadata
    if (this.#cluster.get('pods', namespace, name)?.metadata.uid !== uid) return
    this.#cluster.remove('pods', namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } })
  }

  #end(uid: string, graceMs: number): void {
    const runner = this.#runners.get(uid)
    if (runner === undefined) return
    if (this.#endings.has(uid)) {
      if (graceMs === 0) runner.killNow()
      return
    }
    this.#endings.set(uid, this.#finish(uid, runner, graceMs))
  }

  async #finish(uid: string, runner: PodRunner, graceMs: number): Promise<void> {
    await runner.stop(graceMs)
    if (this.#options.logRetention !== 'keep') await runner.removeLogs()
    this.#runners.delete(uid)
    this.#addresses.release(runner.facts.podIp)
  }
}
