import { unseal } from '../../../runtime/checkpoint/sealed-file.ts'
import { type StreamSavepoint, streamSavepoints } from '../../../operator/api/stream-savepoint.ts'
import { API_VERSION, type StreamJob, streamJobs, type StreamJobSpec } from '../../../operator/api/stream-job.ts'
import { leases, pods, secrets } from '../../../operator/kube/resource-type.ts'
import type { LogEntry } from '../../../runtime/checkpoint/job-log.ts'
import { VirtualHttp } from '../../../runtime/ports/virtual/http.ts'
import { FakeKube } from '../fake-kube.ts'
import { type ClusterFault, type ClusterPlan, edited, finishingSpec, firstSpec, settledSpec } from './cluster-plan.ts'
import { ClusterRules } from './cluster-rules.ts'
import { SimulatedMachines } from '../../../sim/simulated-machines.ts'
import { type KubeCall, type KubeFault, VirtualKube, type WatchFault } from './virtual-kube.ts'
import { VirtualNodes } from './virtual-nodes.ts'
import { VirtualOperators } from './virtual-operators.ts'
import { inputFiles } from './window-job.ts'
import { loadAllOperators } from '../../../runtime/operators/load-operators.ts'

const REF = { namespace: 'shop', name: 'counts' }
const USER = 'user'
const SIGNING_SECRET = 'signing'
const WRITES: ReadonlySet<KubeCall['verb']> = new Set(['create', 'patch', 'patchStatus', 'apply', 'delete'])
const LIMIT_MS = 1_200_000
/** Once faults are over, so long to come right: longer than any one of the runtime's patience, shorter than two. */
const SETTLING_LIMIT_MS = 90_000
const DELETION_LIMIT_MS = 90_000

export interface ClusterResult {
  /** What did not come to be, and what must never have been. */
  wrong: string[]
  /** Committed output lines. */
  output: string[]
  steps: number
  virtualMs: number
  log: readonly string[]
}

type Stage = 'edits' | 'settling' | 'finishing' | 'deleting' | 'done'

/**
 * One StreamJob in a cluster under virtual time: the real operator, coordinator and workers; the API server and
 * nodes are virtual.
 */
class SimulatedCluster {
  readonly #plan: ClusterPlan
  readonly #machines: SimulatedMachines
  readonly #server: FakeKube
  readonly #kube: VirtualKube
  readonly #http: VirtualHttp
  readonly #nodes: VirtualNodes
  readonly #operators: VirtualOperators
  readonly #rules: ClusterRules
  #stage: Stage = 'edits'
  #writes = 0
  #deletedAt = 0
  #settlingAt = 0
  readonly #wrong: string[] = []

  constructor(plan: ClusterPlan) {
    this.#plan = plan
    this.#machines = new SimulatedMachines({
      seed: plan.seed,
      files: inputFiles(),
      storeFault: () => this.#fails(plan.rates.store),
    })
    const { world, network, store } = this.#machines
    this.#server = new FakeKube(() => world.now)
    this.#kube = new VirtualKube(this.#server, this.#machines)
    this.#http = new VirtualHttp(world)
    this.#nodes = new VirtualNodes(this.#server, this.#machines, this.#http)
    this.#rules = new ClusterRules(this.#server, {
      name: REF.name,
      isSpared: plan.isJobSpared,
      isRunning: () => this.#nodes.coordinators().some((one) => one.report().phase === 'running'),
    })
    const reaches = (from: string, to: string): boolean =>
      this.#nodes.reaches(from, to) && !this.#operators.isCut(from) && !this.#operators.isCut(to)
    network.reaches = reaches
    this.#http.reaches = reaches
    this.#kube.reaches = reaches
    this.#http.fault = () => this.#fails(plan.rates.jobApi)
    this.#kube.fault = (call) => this.#kubeFault(call)
    this.#kube.watchFault = () => this.#watchFault()
    this.#kube.onArrival = (call) => {
      this.#checkLeader(call)
      if (!this.#operators.isLate(call.owner)) this.#rules.onOperatorCall(call)
    }
    this.#kube.onEffect = (call) => {
      this.#crashAt(call, 'after')
    }
    store.onCreated = (path, bytes) => {
      if (!/\/log\/\d+$/.test(path)) return
      const entry = JSON.parse(unseal({ path: path.slice(path.indexOf('log/')) }, bytes)) as LogEntry
      this.#machines.note(`LOG ${path} ${JSON.stringify(entry).slice(0, 200)}`)
      this.#rules.onLogEntry(entry)
    }
    this.#server.watch(streamJobs, { resourceVersion: '0' }, (event) => {
      if (event.type === 'BOOKMARK') return
      const { phase, operation, observedGeneration, attempt, message } = event.object.status ?? {}
      this.#machines.note(
        `JOB ${event.type} g${event.object.metadata.generation ?? 0} ${JSON.stringify({ phase, observedGeneration, attempt, operation, message })}`,
      )
    })
    this.#operators = new VirtualOperators(
      { machines: this.#machines, kube: this.#kube, http: this.#http },
      {
        count: plan.operators,
        aheadMs: plan.operatorAheadMs,
        namespace: REF.namespace,
        pods: {
          image: 'millrace',
          imagePullPolicy: 'IfNotPresent',
          store: '/store',
          addressing: plan.addressing,
          encryption: 'on',
          maxSubtasks: 1000,
          ...(plan.checkpoints === 'signed' ? { signing: { secret: SIGNING_SECRET, unsigned: 'refuse' } } : {}),
        },
      },
    )
  }

  async run(): Promise<ClusterResult> {
    const { world } = this.#machines
    const startedAt = world.now
    void this.#server.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: SIGNING_SECRET, namespace: REF.namespace },
      stringData: { 'signing-keys': 'a key of a simulated platform team' },
    })
    void this.#server.create(streamJobs, {
      apiVersion: API_VERSION,
      kind: 'StreamJob',
      metadata: { ...REF, uid: 'job-uid' },
      spec: firstSpec(this.#plan),
    })
    for (const [index, { at, edit }] of this.#plan.edits.entries()) {
      world.schedule(USER, at, () => {
        this.#edit(`EDIT ${JSON.stringify(edit)}`, (spec) => edited(spec, edit, index + 1))
      })
    }
    for (const { at, fault } of this.#plan.faults)
      world.schedule(USER, at, () => {
        this.#strike(fault)
      })
    const last = Math.max(
      ...this.#plan.edits.map(({ at }) => at),
      ...this.#plan.faults.map(({ at, fault }) => at + ('ms' in fault ? fault.ms : 0)),
    )
    for (const [index, at] of this.#plan.savepoints.entries())
      world.schedule(USER, at, () => {
        this.#askForSavepoint(`by-hand-${index}`)
      })
    if (this.#plan.ending === 'finish')
      world.schedule(USER, last + 1, () => {
        this.#settle()
      })
    else
      world.schedule(USER, Math.max(...this.#plan.edits.map(({ at }) => at)), () => {
        this.#delete()
      })
    if (!(await world.run(() => this.#step(), LIMIT_MS)))
      this.#wrong.push(`still ${this.#stage} after ${world.now - startedAt} ms: ${this.#describe()}`)
    this.#rules.checkEvents()
    return {
      wrong: [...this.#rules.broken, ...this.#wrong],
      output: this.#machines.committedLines('/data/out'),
      steps: world.steps,
      virtualMs: world.now - startedAt,
      log: this.#machines.log,
    }
  }

  /** True when all is over. */
  #step(): boolean {
    if (this.#stage === 'settling' && this.#isSettled()) {
      this.#stage = 'finishing'
      this.#checkSettling()
      this.#edit('FINISH', finishingSpec)
    } else if (this.#stage === 'finishing' && this.#isObserved(this.#job(), 'Finished')) {
      this.#delete()
    } else if (this.#stage === 'deleting' && this.#job() === undefined) {
      this.#collectGarbage()
      if (this.#nodes.processes().length === 0 && !this.#hasPods()) this.#checkEnd()
    }
    return this.#stage === 'done' || this.#rules.broken.length > 0
  }

  #settle(): void {
    this.#stage = 'settling'
    this.#settlingAt = this.#machines.world.now
    this.#edit('SETTLE', settledSpec)
  }

  #delete(): void {
    this.#stage = 'deleting'
    this.#deletedAt = this.#machines.world.now
    this.#machines.note('DELETE')
    void this.#server.delete(streamJobs, REF)
  }

  #askForSavepoint(name: string): void {
    this.#machines.note(`SAVEPOINT ${name}`)
    void this.#server.create(streamSavepoints, {
      apiVersion: API_VERSION,
      kind: 'StreamSavepoint',
      metadata: { namespace: REF.namespace, name },
      spec: { job: REF.name },
    })
  }

  #job(): StreamJob | undefined {
    return this.#server.peek(streamJobs, REF)
  }

  /** Its pods are those that are wanted, and no others are left over. */
  #isSettled(): boolean {
    const job = this.#job()
    if (!this.#isObserved(job, 'Running') && !this.#isObserved(job, 'Finished')) return false
    if (job?.status?.phase === 'Finished') return true
    const names = [...this.#server.objects.values()]
      .filter(({ kind }) => kind === pods.kind)
      .map(({ metadata }) => metadata.name)
    return names.length === 1 + 2 * (job?.spec.replicas ?? 0) && this.#nodes.running().length === names.length
  }

  #checkSettling(): void {
    const tookMs = this.#machines.world.now - this.#settlingAt
    if (tookMs > SETTLING_LIMIT_MS) this.#wrong.push(`came right only ${Math.round(tookMs)} ms after the last fault`)
  }

  #isObserved(job: StreamJob | undefined, phase: string): boolean {
    const { status, metadata } = job ?? {}
    return (
      status?.phase === phase &&
      status.observedGeneration === metadata?.generation &&
      (status?.operation ?? null) === null
    )
  }

  #hasPods(): boolean {
    return [...this.#server.objects.values()].some(({ kind }) => kind === pods.kind)
  }

  /** What a late call has created for an owner that is gone. */
  #collectGarbage(): void {
    for (const [key, { kind, metadata }] of [...this.#server.objects]) {
      if ((metadata.ownerReferences?.length ?? 0) > 0 && kind !== pods.kind) this.#server.objects.delete(key)
      if (kind === pods.kind && metadata.deletionTimestamp === undefined)
        void this.#server.delete(pods, { namespace: REF.namespace, name: metadata.name })
    }
  }

  #checkEnd(): void {
    this.#stage = 'done'
    const kinds = [pods.kind, 'Secret', 'ControllerRevision', 'Service']
    const left = [...this.#server.objects.values()].filter(
      ({ kind, metadata }) => kinds.includes(kind) && metadata.name !== SIGNING_SECRET,
    )
    if (left.length > 0)
      this.#wrong.push(`left behind: ${left.map(({ kind, metadata }) => `${kind} ${metadata.name}`).join(', ')}`)
    this.#checkSavepoints()
    const tookMs = this.#machines.world.now - this.#deletedAt
    if (tookMs > DELETION_LIMIT_MS) this.#wrong.push(`the deletion took ${tookMs} ms`)
  }

  /** What is called completed has a name in the log, so that it is not retired. */
  #checkSavepoints(): void {
    for (const object of this.#server.objects.values()) {
      if (object.kind !== streamSavepoints.kind) continue
      const { phase, location = '' } = (object as StreamSavepoint).status ?? {}
      if (phase === 'Completed' && !this.#rules.keptPaths.some((kept) => `${location}/manifest.json`.endsWith(kept)))
        this.#wrong.push(`${object.metadata.name} is completed, and ${location} is not a savepoint that is kept`)
    }
  }

  #edit(what: string, change: (spec: StreamJobSpec) => StreamJobSpec): void {
    if (this.#stage === 'deleting') return
    this.#machines.note(what)
    this.#server.update(streamJobs, REF, (job) => {
      job.spec = change(job.spec)
    })
  }

  #strike(fault: ClusterFault): void {
    const names = this.#nodes.running()
    const nameOf = (pod: number): string => names[pod % Math.max(1, names.length)] ?? ''
    switch (fault.kind) {
      case 'killOperator':
        this.#operators.killOne()
        break
      case 'pauseOperator':
        this.#operators.pauseOne(fault.ms)
        break
      case 'cutOperator':
        this.#operators.cutOne(fault.ms)
        break
      case 'killProcess':
        this.#nodes.killProcess(nameOf(fault.pod))
        break
      case 'cutConnection':
        this.#nodes.cutOneConnection(nameOf(fault.pod))
        break
      case 'deletePod':
        this.#nodes.deletePod(nameOf(fault.pod))
        break
      case 'evict':
        this.#nodes.evict(nameOf(fault.pod))
        break
      case 'pauseProcess':
        this.#nodes.pauseProcess(nameOf(fault.pod), fault.ms)
        break
      case 'cutNode':
        this.#nodes.cutOff(fault.node, fault.ms)
        if (fault.then === 'forceDelete')
          this.#machines.world.schedule(USER, fault.ms / 2, () => {
            this.#nodes.forceDelete(fault.node)
          })
        break
    }
  }

  /** Faults end with the edits: from then on everything must come right. A deletion must end among them. */
  #areFaultsOn(): boolean {
    return this.#stage === 'edits' || (this.#stage === 'deleting' && this.#plan.ending === 'delete')
  }

  #happens(rate: number): boolean {
    return this.#areFaultsOn() && rate > 0 && this.#machines.world.random() < rate
  }

  #fails(rate: number): 'before' | 'after' | undefined {
    if (!this.#happens(rate)) return undefined
    return this.#machines.world.random() < 0.5 ? 'before' : 'after'
  }

  #kubeFault(call: KubeCall): KubeFault {
    if (this.#crashAt(call, 'before')) return 'before'
    if (!this.#happens(this.#plan.rates.kube)) return undefined
    const kinds =
      call.verb === 'patchStatus' ? (['late'] as const) : (['before', 'after', 'late', 'throttled'] as const)
    return kinds[Math.floor(this.#machines.world.random() * kinds.length)]
  }

  #crashAt(call: KubeCall, when: 'before' | 'after'): boolean {
    if (!WRITES.has(call.verb) || call.plural === 'leases') return false
    if (when === 'before') this.#writes += 1
    if (!this.#areFaultsOn() || !this.#plan.crashes.some((one) => one.write === this.#writes && one.when === when))
      return false
    this.#operators.kill(call.owner, `${when} ${call.verb} ${call.plural} ${call.name}`)
    return true
  }

  /** Whoever was frozen and has lost the lease meanwhile changes nothing with what it sends when it wakes. */
  #checkLeader({ owner, verb, plural, name, isLate }: KubeCall): void {
    if (this.#plan.operators === 1 || isLate || plural === leases.plural || !WRITES.has(verb)) return
    const lease = this.#server.peek(leases, { namespace: REF.namespace, name: 'operator' })
    const holder = lease?.spec.holderIdentity ?? ''
    if (holder !== '' && holder !== owner)
      this.#wrong.push(`${owner} sends ${verb} ${plural} ${name}, and ${holder} leads`)
  }

  #watchFault(): WatchFault {
    if (!this.#happens(this.#plan.rates.watch)) return undefined
    const kinds = ['twice', 'late', 'closed', 'gone', 'failed'] as const
    return kinds[Math.floor(this.#machines.world.random() * kinds.length)]
  }

  #describe(): string {
    return JSON.stringify({
      pods: this.#nodes.running(),
      processes: this.#nodes.processes(),
      status: this.#job()?.status,
      reports: this.#nodes.coordinators().map((one) => one.report()),
    })
  }
}

/** One life of a StreamJob from its creation to its deletion. Equal plans run equally. */
export async function simulateCluster(plan: ClusterPlan): Promise<ClusterResult> {
  await loadAllOperators()
  return new SimulatedCluster(plan).run()
}
