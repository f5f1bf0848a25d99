import { simulatedConnectors } from './simulated-connectors.ts'
import { scopedStore } from '../runtime/checkpoint/scoped-store.ts'
import { Coordinator } from '../runtime/coordinator/coordinator.ts'
import type { JobReport } from '../runtime/control/job-report.ts'
import { planJob } from '../runtime/front/planned-job.ts'
import { type SubtaskPlace, subtasksOf } from '../runtime/plan/chaining.ts'
import type { StoreFault } from '../runtime/ports/virtual/store.ts'
import { ChainWorker } from '../runtime/worker/worker.ts'
import { type OutsideOfJobs, SimulatedMachines } from './simulated-machines.ts'
import { loadAllOperators } from '../runtime/operators/load-operators.ts'

const JOB_UID = 'simulated'
/** Short, so that many silences fit into a run. */
const HEARTBEAT_TIMEOUT_MS = 10_000
const CONTROL = { host: 'coordinator', port: 6121 }
const RESTART_MS = 40
/** How much longer a slow store may take for a call. */
const SLOW_STORE_MS = 1_500

/**
 * What happens, and when: `at` counts events of the simulation. A process is killed, stops and wakes when it has been
 * replaced (`zombie`), loses one connection (`cut`) or for a while all of them (`partition`); the store fails or is
 * slow for a while, the disk of store and files is full, or those of the machines, to which state goes.
 */
export type Fault = { at: number } & (
  | { kind: 'kill' | 'zombie' | 'cut'; who: Victim }
  | { kind: 'partition'; who: Victim; forMs: number }
  | { kind: Trouble; forMs: number }
)

type Trouble = 'storeDown' | 'storeSlow' | 'diskFull' | 'localDiskFull'

/** `coordinator` or the index of a worker. */
export type Victim = 'coordinator' | number

export interface Simulation extends OutsideOfJobs {
  seed: number
  spec: unknown
  /** Other specs, each handed over after so many events. */
  rescales?: readonly { at: number; spec: unknown }[]
  files: ReadonlyMap<string, string | Uint8Array>
  faults: readonly Fault[]
  /** Share of store calls that fail. */
  storeFaultRate: number
  /** Paths in the store that nothing may be written to or read from, ever. */
  storeRefuses?: (path: string) => boolean
  /** Bytes of each machine's local disk, for state that does not fit into memory; absent: no end. */
  scratchBytes?: number
  /** From which the job's paths count. */
  baseDir?: string
  /** Where its sinks write; of several, each line of the output begins with its folder. */
  outputFolders?: readonly string[]
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
  readonly #machines: SimulatedMachines
  readonly #simulation: Simulation
  readonly #names = new Map<string, string>()
  readonly #starts = new Map<string, number>()
  coordinator: Coordinator | undefined
  #spec: unknown
  #settled = false
  readonly #cutOff = new Set<string>()
  /** Until when, in virtual time. */
  readonly #trouble = { storeDown: 0, storeSlow: 0, diskFull: 0, localDiskFull: 0 }

  constructor(simulation: Simulation) {
    this.#simulation = simulation
    this.#spec = simulation.spec
    this.#machines = new SimulatedMachines({ ...simulation, storeFault: (path) => this.#storeFault(path) })
    const { world, network, store, files } = this.#machines
    network.reaches = (from, to) => !this.#cutOff.has(from) && !this.#cutOff.has(to)
    store.delayMs = () => (this.#lasts('storeSlow') ? world.random() * SLOW_STORE_MS : 0)
    files.refusal = () => (this.#lasts('diskFull') ? noSpace() : undefined)
    this.#machines.scratchRefusal = () =>
      this.#lasts('localDiskFull') || this.#lasts('diskFull') ? noSpace() : undefined
  }

  #lasts(trouble: Trouble): boolean {
    return this.#machines.world.now < this.#trouble[trouble]
  }

  #storeFault(path: string): StoreFault {
    if (this.#simulation.storeRefuses?.(path)) return 'refused'
    if (this.#lasts('storeDown') || this.#lasts('diskFull')) return 'before'
    if (this.#settled || this.#machines.world.random() >= this.#simulation.storeFaultRate) return undefined
    return this.#machines.world.random() < 0.5 ? 'before' : 'after'
  }

  async run(untilMs: number): Promise<SimulationResult> {
    const { world } = this.#machines
    const start = world.now
    this.#startCoordinator()
    for (const place of this.#places()) this.#startWorker(place)
    const pending = [...this.#simulation.faults].sort((a, b) => a.at - b.at)
    const rescales = [...(this.#simulation.rescales ?? [])].sort((a, b) => a.at - b.at)
    await world.run(() => {
      while (pending[0] && pending[0].at <= world.steps) this.#strike(pending.shift() as Fault)
      while (rescales[0] && rescales[0].at <= world.steps) this.#rescale(rescales.shift()?.spec)
      this.#settled = pending.length === 0 && rescales.length === 0
      const phase = this.coordinator?.report().phase
      return this.#settled && (phase === 'finished' || phase === 'failed')
    }, untilMs)
    const report = this.coordinator?.report()
    return {
      finished: this.#settled && report?.phase === 'finished',
      report,
      steps: world.steps,
      virtualMs: world.now - start,
      output: this.#output(),
      log: this.#machines.log,
    }
  }

  #output(): string[] {
    const folders = this.#simulation.outputFolders ?? ['/data/out']
    return folders.flatMap((folder) =>
      this.#machines.committedLines(folder).map((line) => (folders.length === 1 ? line : `${folder} ${line}`)),
    )
  }

  #places(): SubtaskPlace[] {
    return subtasksOf(planJob(this.#spec, simulatedConnectors).plan)
  }

  #rescale(spec: unknown): void {
    this.#spec = spec
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

  #startCoordinator(): void {
    const owner = this.#owner('coordinator')
    const ports = this.#machines.portsOf(owner)
    const coordinator = new Coordinator(
      {
        job: 'job',
        jobUid: JOB_UID,
        token: 'token',
        control: CONTROL,
        baseDir: this.#simulation.baseDir ?? '/data',
        storeUrl: '/store',
        heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
        // state is so small here that there would be no files else
        inlineStateBytes: this.#simulation.seed % 2 === 0 ? 0 : undefined,
      },
      ports,
      simulatedConnectors,
      scopedStore(ports.openStore('/store'), 'job'),
      (spec) => planJob(spec, simulatedConnectors),
    )
    this.coordinator = coordinator
    const again = (reason: string): void => {
      this.#machines.note(`ended ${owner} ${reason}`)
      this.#machines.end(owner)
      this.#replace('coordinator', owner)
    }
    coordinator.ended().catch((error: unknown) => {
      again(String(error))
    })
    coordinator.start().then(
      () => {
        this.#handOver()
      },
      (error: unknown) => {
        again(String(error))
      },
    )
  }

  #startWorker({ id, chain, slot }: SubtaskPlace): void {
    const owner = this.#owner(id)
    const worker = new ChainWorker(
      {
        job: 'job',
        name: owner,
        chain: chain.id,
        slot,
        token: 'token',
        coordinator: CONTROL,
        data: { host: owner, port: 6122 },
        storeFolder: 'job',
        heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
      },
      this.#machines.portsOf(owner),
      simulatedConnectors,
    )
    const again = (reason: string): void => {
      this.#machines.note(`ended ${owner} ${reason}`)
      this.#machines.end(owner)
      this.#replace(id, owner)
    }
    worker.run().then(
      () => {
        again('by itself')
      },
      (error: unknown) => {
        again(String(error))
      },
    )
  }

  /** After a moment another process takes its place, unless one has it already. */
  #replace(name: string, owner: string): void {
    this.#later(() => {
      if (this.#names.get(name) !== owner) return
      if (name === 'coordinator') {
        this.#startCoordinator()
        return
      }
      const place = this.#places().find(({ id }) => id === name)
      if (place) this.#startWorker(place)
      else this.#names.delete(name)
    })
  }

  #later(act: () => void): void {
    this.#machines.world.schedule('supervisor', RESTART_MS, act)
  }

  /**
   * `zombie`: the process stops for a while, is replaced, wakes up, and is ended only some time later unless it
   * ends itself.
   */
  #strike(fault: Fault): void {
    const { world, network } = this.#machines
    if (!('who' in fault)) {
      this.#machines.note(`FAULT ${fault.kind} for ${fault.forMs} ms`)
      this.#trouble[fault.kind] = Math.max(this.#trouble[fault.kind], world.now + fault.forMs)
      return
    }
    const workers = [...this.#names.keys()].filter((name) => name !== 'coordinator').sort()
    const name = fault.who === 'coordinator' ? 'coordinator' : workers[fault.who % workers.length]
    const owner = name === undefined ? undefined : this.#names.get(name)
    if (name === undefined || owner === undefined) return
    this.#machines.note(`FAULT ${fault.kind} ${owner}${fault.kind === 'partition' ? ` for ${fault.forMs} ms` : ''}`)
    if (fault.kind === 'cut') {
      network.cutOne(owner)
      return
    }
    if (fault.kind === 'partition') {
      this.#cutOff.add(owner)
      world.schedule('supervisor', fault.forMs, () => {
        this.#cutOff.delete(owner)
        network.retry()
      })
      return
    }
    if (fault.kind === 'kill') this.#machines.end(owner)
    else {
      const pauseMs = 100 + world.random() * 3_000
      world.pause(owner, pauseMs)
      world.schedule('supervisor', pauseMs + 300 + world.random() * 500, () => {
        this.#machines.end(owner)
      })
    }
    this.#replace(name, owner)
  }
}

/** One run to its end, or until so much virtual time has passed. Equal simulations run equally. */
export async function simulate(simulation: Simulation, untilMs = 600_000): Promise<SimulationResult> {
  await loadAllOperators()
  return new SimulatedJob(simulation).run(untilMs)
}

function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
}
