import { builtinConnectors } from '../../../runtime/builtin-connectors.ts'
import { scopedStore } from '../../../runtime/checkpoint/scoped-store.ts'
import { Coordinator } from '../../../runtime/coordinator/coordinator.ts'
import type { JobReport } from '../../../runtime/control/job-report.ts'
import { planJob } from '../../../runtime/plan/planned-job.ts'
import { subtasksOf, type SubtaskPlace } from '../../../runtime/plan/chaining.ts'
import { MillraceError } from '../../../runtime/model/errors.ts'
import type { Clock } from '../../../runtime/ports/clock.ts'
import type { HttpClient } from '../../../runtime/ports/http-client.ts'
import type { Logger } from '../../../runtime/ports/logger.ts'
import type { ModuleExports, ModuleLoader } from '../../../runtime/ports/modules.ts'
import type { Ports } from '../../../runtime/ports/ports.ts'
import { VirtualFiles } from '../../../runtime/ports/virtual/files.ts'
import { VirtualNetwork } from '../../../runtime/ports/virtual/net.ts'
import { VirtualStore, type StoreFault } from '../../../runtime/ports/virtual/store.ts'
import { VirtualWorld } from '../../../runtime/ports/virtual/world.ts'
import { ChainWorker } from '../../../runtime/worker/worker.ts'

const JOB_UID = 'simulated'
const CONTROL = { host: 'coordinator', port: 6121 }
const RESTART_MS = 40
const NO_HTTP: HttpClient = { send: () => Promise.reject(new MillraceError('HTTP_FAILED', 'no service is part of the simulation')) }

/** What happens to the job's processes, when: `at` counts events of the simulation. */
export interface Fault {
  at: number
  kind: 'kill' | 'zombie' | 'cut'
  /** `coordinator` or the index of a worker. */
  who: 'coordinator' | number
}

export interface Simulation {
  seed: number
  spec: unknown
  /** Another spec (rescale) handed over after so many events. */
  rescale?: { at: number; spec: unknown }
  files: ReadonlyMap<string, string>
  faults: readonly Fault[]
  /** Share of store calls that fail. */
  storeFaultRate: number
  /** What the job's modules export, by name; each process gets what a call of this gives. */
  modules?: () => Readonly<Record<string, ModuleExports>>
  /** What services answer, as seen by a process with this clock; without it no call of a job gets an answer. */
  http?: (clock: Clock) => HttpClient
}

export interface SimulationResult {
  finished: boolean
  report: JobReport | undefined
  steps: number
  virtualMs: number
  /** Committed output lines. */
  output: string[]
  log: readonly string[]
}

/** The real coordinator and workers of one job under virtual time, started again whenever they end. */
class SimulatedJob {
  readonly world: VirtualWorld
  readonly #network: VirtualNetwork
  readonly #store: VirtualStore
  readonly #files: VirtualFiles
  readonly #simulation: Simulation
  readonly #names = new Map<string, string>()
  readonly #starts = new Map<string, number>()
  readonly log: string[] = []
  coordinator: Coordinator | undefined
  #spec: unknown
  #settled = false

  constructor(simulation: Simulation) {
    this.#simulation = simulation
    this.#spec = simulation.spec
    this.world = new VirtualWorld(simulation.seed)
    this.#network = new VirtualNetwork(this.world)
    this.#store = new VirtualStore(this.world, () => this.#storeFault())
    this.#files = new VirtualFiles(this.world)
    for (const [path, text] of simulation.files) this.#files.contents.set(path, Buffer.from(text, 'utf8'))
  }

  #storeFault(): StoreFault {
    if (this.#settled || this.world.random() >= this.#simulation.storeFaultRate) return undefined
    return this.world.random() < 0.5 ? 'before' : 'after'
  }

  async run(untilMs: number): Promise<SimulationResult> {
    const start = this.world.now
    this.#startCoordinator()
    for (const place of this.#places()) this.#startWorker(place)
    const pending = [...this.#simulation.faults].sort((a, b) => a.at - b.at)
    let rescaled = this.#simulation.rescale === undefined
    const finished = await this.world.run(() => {
      while (pending[0] && pending[0].at <= this.world.steps) this.#strike(pending.shift() as Fault)
      if (!rescaled && this.world.steps >= (this.#simulation.rescale?.at ?? 0)) {
        rescaled = true
        this.#rescale()
      }
      this.#settled = pending.length === 0 && rescaled
      return this.#settled && this.coordinator?.report().phase === 'finished'
    }, untilMs)
    return {
      finished, report: this.coordinator?.report(), steps: this.world.steps, virtualMs: this.world.now - start,
      output: this.#output(), log: this.log,
    }
  }

  #places(): SubtaskPlace[] { return subtasksOf(planJob(this.#spec, builtinConnectors).plan) }

  #rescale(): void {
    this.#spec = this.#simulation.rescale?.spec
    for (const place of this.#places()) if (!this.#names.has(place.id)) this.#startWorker(place)
    this.#handOver()
  }

  #handOver(): void {
    this.coordinator?.setTarget({ revision: JSON.stringify(this.#spec), spec: this.#spec, desiredState: 'running' })
  }

  #owner(name: string): string {
    const start = (this.#starts.get(name) ?? 0) + 1
    this.#starts.set(name, start)
    const owner = `${name}#${start}`
    this.#names.set(name, owner)
    return owner
  }

  #ports(owner: string): Ports {
    return {
      clock: this.world.clockOf(owner), rng: this.world.rngOf(), net: this.#network.netOf(owner), files: this.#files.filesOf(owner),
      httpClient: this.#simulation.http?.(this.world.clockOf(owner)) ?? NO_HTTP, modules: this.#modules(),
      logger: this.#logger(owner), openStore: () => this.#store.storeOf(owner), printLine: () => undefined,
    }
  }

  #modules(): ModuleLoader {
    const loaded = this.#simulation.modules?.() ?? {}
    return {
      load: (name) => {
        const exports = loaded[name]
        return exports === undefined ? Promise.reject(new MillraceError('MODULE_UNAVAILABLE', `module ${name} is not part of the simulation`)) : Promise.resolve(exports)
      },
    }
  }

  #logger(owner: string): Logger {
    const write = (level: string) => (message: string, fields: object = {}): void => {
      this.log.push(`${this.world.now} ${this.world.steps} ${level} ${owner} ${message} ${JSON.stringify(fields)}`)
    }
    const logger: Logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error'), with: () => logger }
    return logger
  }

  #startCoordinator(): void {
    const owner = this.#owner('coordinator')
    const ports = this.#ports(owner)
    const coordinator = new Coordinator(
      { job: 'job', jobUid: JOB_UID, token: 'token', control: CONTROL, baseDir: '/data', storeUrl: '/store' },
      ports, builtinConnectors, scopedStore(ports.openStore('/store'), 'job'), (spec) => planJob(spec, builtinConnectors))
    this.coordinator = coordinator
    const again = (reason: string): void => {
      this.log.push(`${this.world.now} ${this.world.steps} ended ${owner} ${reason}`)
      this.#end(owner)
      if (this.#names.get('coordinator') === owner) this.#later(() => { this.#startCoordinator() })
    }
    coordinator.ended().catch((error: unknown) => { again(String(error)) })
    coordinator.start().then(() => { this.#handOver() }, (error: unknown) => { again(String(error)) })
  }

  #startWorker({ id, chain, slot }: SubtaskPlace): void {
    const owner = this.#owner(id)
    const worker = new ChainWorker(
      { name: owner, chain: chain.id, slot, token: 'token', coordinator: CONTROL, data: { host: owner, port: 6122 }, storeFolder: 'job' },
      this.#ports(owner), builtinConnectors, (spec) => planJob(spec, builtinConnectors).plan)
    worker.run().catch((error: unknown) => { this.log.push(`${this.world.now} worker ${owner} ended: ${String(error)}`) })
  }

  #later(act: () => void): void { this.world.schedule('supervisor', RESTART_MS, act) }

  #end(owner: string): void {
    this.world.kill(owner)
    this.#network.kill(owner)
  }

  /** `zombie`: the process stops for a while, is replaced, wakes up, and is ended only some time later. */
  #strike(fault: Fault): void {
    const workers = [...this.#names.keys()].filter((name) => name !== 'coordinator').sort()
    const name = fault.who === 'coordinator' ? 'coordinator' : workers[fault.who % workers.length]
    const owner = name === undefined ? undefined : this.#names.get(name)
    if (name === undefined || owner === undefined) return
    this.log.push(`${this.world.now} ${this.world.steps} FAULT ${fault.kind} ${owner}`)
    if (fault.kind === 'cut') { this.#network.cutOne(owner); return }
    if (fault.kind === 'kill') this.#end(owner)
    else {
      const pauseMs = 100 + this.world.random() * 3_000
      this.world.pause(owner, pauseMs)
      this.world.schedule('supervisor', pauseMs + 300 + this.world.random() * 500, () => { this.#end(owner) })
    }
    this.#later(() => {
      if (this.#names.get(name) !== owner) return
      if (name === 'coordinator') { this.#startCoordinator(); return }
      const place = this.#places().find(({ id }) => id === name)
      if (place) this.#startWorker(place)
    })
  }

  #output(): string[] {
    return [...this.#files.contents].filter(([path]) => path.startsWith('/data/out/') && !path.slice('/data/out/'.length).startsWith('.'))
      .flatMap(([, bytes]) => Buffer.from(bytes).toString('utf8').split('\n').filter((line) => line !== '')).sort()
  }
}

/** One run to its end, or until so much virtual time has passed. Equal simulations run equally. */
export async function simulate(simulation: Simulation, untilMs = 600_000): Promise<SimulationResult> {
  return new SimulatedJob(simulation).run(untilMs)
}
