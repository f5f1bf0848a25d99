import {
  readCoordinatorSettings,
  readRuntimeConfig,
  readWorkerSettings,
  type Environment,
} from '../../../runtime/config.ts'
import { simulatedConnectors } from '../../../sim/simulated-connectors.ts'
import type { Coordinator } from '../../../runtime/coordinator/coordinator.ts'
import { describeWithCauses } from '../../../runtime/model/errors.ts'
import type { Ports } from '../../../runtime/ports/ports.ts'
import type { VirtualHttp } from '../../../runtime/ports/virtual/http.ts'
import { createWorker, startCoordinator } from '../../../runtime/processes.ts'
import type { Pod, PodStatus, Secret } from '../../../operator/kube/objects.ts'
import { pods, secrets } from '../../../operator/kube/resource-type.ts'
import type { FakeKube } from '../fake-kube.ts'
import { MISSING_IMAGE } from './cluster-plan.ts'
import type { SimulatedMachines } from '../../../sim/simulated-machines.ts'

const KUBELET = 'kubelet'
const GRACE_MS = 10_000
const FIRST_BACKOFF_MS = 100
const LAST_BACKOFF_MS = 5_000
const RETRY_MS = 500

export type NodeName = 'a' | 'b'

interface Run {
  pod: Pod
  uid: string
  node: NodeName
  ip: string
  restarts: number
  /** The process that runs now; absent before the start, between restarts and after the end. */
  process: { owner: string; close: () => Promise<void>; coordinator: Coordinator | undefined } | undefined
  state: 'living' | 'ending' | 'ended'
}

/**
 * Two nodes that run pods of jobs as processes of the simulation, the real coordinator and workers: addresses,
 * environments with secrets, restarts with back-off, SIGTERM and grace, eviction, and being cut off.
 */
export class VirtualNodes {
  readonly #kube: FakeKube
  readonly #machines: SimulatedMachines
  readonly #http: VirtualHttp
  readonly #runs = new Map<string, Run>()
  readonly #cut = new Set<NodeName>()
  readonly #nodeOf = new Map<string, NodeName>()
  #addresses = 0

  constructor(kube: FakeKube, machines: SimulatedMachines, http: VirtualHttp) {
    this.#kube = kube
    this.#machines = machines
    this.#http = http
    kube.watch(pods, { resourceVersion: '0' }, (event) => {
      if (event.type === 'BOOKMARK') return
      machines.world.schedule(KUBELET, machines.world.random() * 50, () => {
        this.#see(event.object.metadata.uid ?? '', event.type === 'DELETED' ? undefined : event.object)
      })
    })
  }

  /** Processes of one node reach each other always; others and whatever is on no node only while it is not cut off. */
  reaches(from: string, to: string): boolean {
    const [here, there] = [this.#nodeOf.get(from), this.#nodeOf.get(to)]
    if (here === there) return true
    return !(here !== undefined && this.#cut.has(here)) && !(there !== undefined && this.#cut.has(there))
  }

  /** Names of the pods that run, by name. */
  running(): string[] {
    return this.#living()
      .map(({ pod }) => pod.metadata.name)
      .sort()
  }

  coordinators(): Coordinator[] {
    return this.#living().flatMap(({ process }) => process?.coordinator ?? [])
  }

  /** Processes that have not ended, whatever their pods say. */
  processes(): string[] {
    return [...this.#runs.values()].flatMap(({ process }) =>
      process !== undefined && !this.#machines.world.isDead(process.owner) ? [process.owner] : [],
    )
  }

  /** The kernel ends the process of a pod; the kubelet starts it again. */
  killProcess(name: string): void {
    const run = this.#find(name)
    if (run?.process === undefined) return
    this.#machines.note(`FAULT kill ${run.process.owner}`)
    this.#exited(run, run.process.owner, 1)
  }

  pauseProcess(name: string, ms: number): void {
    const owner = this.#find(name)?.process?.owner
    if (owner === undefined) return
    this.#machines.note(`FAULT pause ${owner} for ${ms} ms`)
    this.#machines.world.pause(owner, ms)
  }

  cutOneConnection(name: string): void {
    const owner = this.#find(name)?.process?.owner
    if (owner === undefined) return
    this.#machines.note(`FAULT cut a connection of ${owner}`)
    this.#machines.network.cutOne(owner)
  }

  evict(name: string): void {
    const run = this.#find(name)
    if (run === undefined || this.#cut.has(run.node)) return
    this.#machines.note(`FAULT evict ${name}`)
    this.#stopNow(run)
    this.#status(run, { phase: 'Failed', reason: 'Evicted', message: 'The node was low on memory.' })
  }

  /** As `kubectl delete pod`. */
  deletePod(name: string): void {
    const run = this.#find(name)
    if (run === undefined || this.#current(run) === undefined) return
    this.#machines.note(`FAULT delete pod ${name}`)
    void this.#kube.delete(pods, refOf(run.pod))
  }

  /** Nothing passes to or from the node for so long, and its kubelet does nothing; what runs there runs on. */
  cutOff(node: NodeName, ms: number): void {
    if (this.#cut.has(node)) return
    this.#machines.note(`FAULT node ${node} cut off for ${ms} ms`)
    this.#cut.add(node)
    this.#machines.world.schedule(KUBELET, ms, () => {
      this.#machines.note(`node ${node} is back`)
      this.#cut.delete(node)
      this.#machines.network.retry()
      for (const run of [...this.#runs.values()]) if (run.node === node) this.#see(run.uid, this.#current(run))
    })
  }

  /** What an administrator does with a pod of a node that is gone: the object vanishes, the process may run on. */
  forceDelete(node: NodeName): void {
    if (!this.#cut.has(node)) return
    for (const run of this.#living()) {
      if (run.node !== node || this.#current(run) === undefined) continue
      this.#machines.note(`FAULT force delete ${run.pod.metadata.name}`)
      this.#kube.update(pods, refOf(run.pod), (pod) => {
        pod.metadata.deletionTimestamp = new Date(this.#machines.world.now).toISOString()
        delete pod.metadata.finalizers
      })
    }
  }

  #living(): Run[] {
    return [...this.#runs.values()].filter(({ state }) => state === 'living')
  }

  #find(name: string): Run | undefined {
    return this.#living().find(({ pod }) => pod.metadata.name === name)
  }

  /** The pod of this run as the API server has it; undefined when it is gone or another one by now. */
  #current(run: Run): Pod | undefined {
    const pod = this.#kube.peek(pods, refOf(run.pod))
    return pod?.metadata.uid === run.uid ? pod : undefined
  }

  #see(uid: string, pod: Pod | undefined): void {
    const known = this.#runs.get(uid)
    if (known === undefined) {
      if (pod !== undefined && this.#kube.peek(pods, refOf(pod))?.metadata.uid === uid) this.#begin(pod, uid)
      return
    }
    if (this.#cut.has(known.node)) return
    const current = this.#current(known)
    if (current === undefined) {
      this.#stopNow(known)
      return
    }
    if (current.metadata.deletionTimestamp !== undefined && known.state !== 'ending') this.#terminate(known)
  }

  #begin(pod: Pod, uid: string): void {
    const up = (['a', 'b'] as const).filter((node) => !this.#cut.has(node))
    const node = up[Math.floor(this.#machines.world.random() * up.length)]
    if (node === undefined) {
      this.#later(RETRY_MS, () => {
        this.#see(uid, pod)
      })
      return
    }
    this.#addresses += 1
    const run: Run = {
      pod,
      uid,
      node,
      ip: `10.0.0.${this.#addresses}`,
      restarts: 0,
      process: undefined,
      state: 'living',
    }
    this.#runs.set(uid, run)
    if (pod.metadata.deletionTimestamp !== undefined) {
      this.#terminate(run)
      return
    }
    this.#later(this.#machines.world.random() * 200, () => {
      this.#start(run)
    })
  }

  #start(run: Run): void {
    if (run.state !== 'living') return
    if (this.#cut.has(run.node)) {
      this.#later(RETRY_MS, () => {
        this.#start(run)
      })
      return
    }
    if (run.pod.metadata.annotations?.['millrace.dev/restart-nonce']?.startsWith(MISSING_IMAGE) === true) {
      const state = { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } }
      const containerStatuses = [{ name: 'millrace', ready: false, restartCount: 0, state }]
      this.#status(run, { phase: 'Pending', podIP: run.ip, containerStatuses })
      return
    }
    const env = this.#environment(run)
    if (env === undefined) {
      this.#later(RETRY_MS, () => {
        this.#start(run)
      })
      return
    }
    const owner = `${run.pod.metadata.name}/${run.ip}#${run.restarts}`
    this.#nodeOf.set(owner, run.node)
    this.#status(run, {
      phase: 'Running',
      podIP: run.ip,
      containerStatuses: [{ name: 'millrace', ready: false, restartCount: run.restarts, state: { running: {} } }],
    })
    const [role] = containerOf(run.pod).args
    const ports = this.#portsOf(owner)
    if (role === 'coordinator') this.#startCoordinator(run, owner, env, ports)
    else this.#startWorker(run, owner, env, ports)
  }

  #startCoordinator(run: Run, owner: string, env: Environment, ports: Ports): void {
    const config = readRuntimeConfig({ ...env, MILLRACE_HEARTBEAT_TIMEOUT_MS: '10000' })
    const process: Run['process'] = { owner, close: () => Promise.resolve(), coordinator: undefined }
    run.process = process
    startCoordinator(
      config,
      readCoordinatorSettings(env, config.host),
      ports,
      this.#http.httpOf(owner),
      simulatedConnectors,
    )
      .then((running) => {
        process.coordinator = running.coordinator
        process.close = () => running.close()
        this.#ready(run, owner)
        return running.ended
      })
      .then(
        () => {
          this.#exited(run, owner, 0)
        },
        (error: unknown) => {
          this.#failed(run, owner, error)
        },
      )
  }

  #startWorker(run: Run, owner: string, env: Environment, ports: Ports): void {
    const config = readRuntimeConfig({ ...env, MILLRACE_HEARTBEAT_TIMEOUT_MS: '10000' })
    const worker = createWorker(config, readWorkerSettings(env, config.host), ports, simulatedConnectors)
    run.process = { owner, close: () => worker.close(), coordinator: undefined }
    worker.run().then(
      () => {
        this.#exited(run, owner, 0)
      },
      (error: unknown) => {
        this.#failed(run, owner, error)
      },
    )
    this.#ready(run, owner)
  }

  #failed(run: Run, owner: string, error: unknown): void {
    this.#machines.note(`ended ${owner} ${describeWithCauses(error)}`)
    this.#exited(run, owner, 1)
  }

  #ready(run: Run, owner: string): void {
    this.#later(this.#machines.world.random() * 100, () => {
      if (run.process?.owner === owner && run.state === 'living' && !this.#cut.has(run.node))
        this.#status(run, { conditions: [{ type: 'Ready', status: 'True' }] })
    })
  }

  /** restartPolicy OnFailure. */
  #exited(run: Run, owner: string, code: 0 | 1): void {
    if (run.process?.owner !== owner) return
    this.#machines.end(owner)
    run.process = undefined
    if (run.state === 'ending') {
      this.#gone(run)
      return
    }
    if (run.state === 'ended') return
    if (code === 0) {
      run.state = 'ended'
      this.#status(run, { phase: 'Succeeded' })
      return
    }
    run.restarts += 1
    const waitMs = Math.min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(run.restarts - 1, 10))
    const waiting = run.restarts > 2 ? { waiting: { reason: 'CrashLoopBackOff' } } : { terminated: { exitCode: 137 } }
    this.#status(run, {
      conditions: [],
      containerStatuses: [{ name: 'millrace', ready: false, restartCount: run.restarts, state: waiting }],
    })
    this.#later(waitMs, () => {
      this.#start(run)
    })
  }

  /** SIGTERM, and SIGKILL after the grace period. */
  #terminate(run: Run): void {
    run.state = 'ending'
    const { process } = run
    if (process === undefined) {
      this.#gone(run)
      return
    }
    this.#machines.world.schedule(process.owner, 1, () => {
      void process.close().then(
        () => {
          this.#exited(run, process.owner, 0)
        },
        () => {
          this.#exited(run, process.owner, 1)
        },
      )
    })
    this.#later(GRACE_MS, () => {
      if (run.process === process) this.#exited(run, process.owner, 1)
    })
  }

  #stopNow(run: Run): void {
    run.state = 'ended'
    if (run.process !== undefined) this.#machines.end(run.process.owner)
    run.process = undefined
  }

  /** Its node says that nothing of the pod is left. */
  #gone(run: Run): void {
    if (this.#cut.has(run.node)) {
      this.#later(RETRY_MS, () => {
        this.#gone(run)
      })
      return
    }
    run.state = 'ended'
    if (this.#current(run) !== undefined)
      this.#kube.update(pods, refOf(run.pod), (pod) => {
        delete pod.metadata.finalizers
      })
  }

  #status(run: Run, status: PodStatus): void {
    if (this.#current(run) !== undefined)
      this.#kube.update(pods, refOf(run.pod), (pod) => {
        pod.status = { ...pod.status, ...status }
      })
  }

  /** As the kubelet puts it together; undefined while a Secret is not there. */
  #environment(run: Run): Environment | undefined {
    const env: Record<string, string> = {}
    for (const { name, value, valueFrom } of containerOf(run.pod).env) {
      const { fieldRef, secretKeyRef } = valueFrom ?? {}
      if (secretKeyRef !== undefined) {
        const secret: Secret | undefined = this.#kube.peek(secrets, {
          namespace: run.pod.metadata.namespace ?? '',
          name: secretKeyRef.name,
        })
        const text = secret?.stringData?.[secretKeyRef.key]
        if (text === undefined) return undefined
        env[name] = text
      } else if (fieldRef?.fieldPath === 'status.podIP') env[name] = run.ip
      else env[name] = value ?? ''
    }
    return env
  }

  /** With the cluster's DNS: a host name within a headless Service is the address of its pod. */
  #portsOf(owner: string): Ports {
    const ports = this.#machines.portsOf(owner)
    return {
      ...ports,
      net: {
        listen: (address, onConnection) => ports.net.listen(address, onConnection),
        connect: ({ host, port }) => ports.net.connect({ host: this.#resolve(host), port }),
      },
    }
  }

  #resolve(host: string): string {
    const [, hostname, subdomain, namespace] = /^([^.]+)\.([^.]+)\.([^.]+)\.svc$/.exec(host) ?? []
    const found = [...this.#kube.objects.values()].find(
      (object): object is Pod =>
        object.kind === pods.kind &&
        object.metadata.namespace === namespace &&
        (object as Pod).spec['hostname'] === hostname &&
        (object as Pod).spec['subdomain'] === subdomain,
    )
    return found?.status?.podIP ?? host
  }

  #later(ms: number, act: () => void): void {
    this.#machines.world.schedule(KUBELET, ms, act)
  }
}

interface Variable {
  name: string
  value?: string
  valueFrom?: { fieldRef?: { fieldPath: string }; secretKeyRef?: { name: string; key: string } }
}

function containerOf(pod: Pod): { args: string[]; env: Variable[] } {
  const [container] = (pod.spec as { containers: { args: string[]; env: Variable[] }[] }).containers
  if (container === undefined) throw new Error(`pod ${pod.metadata.name} has no container`)
  return container
}

function refOf(pod: Pod): { namespace: string; name: string } {
  return { namespace: pod.metadata.namespace ?? '', name: pod.metadata.name }
}
