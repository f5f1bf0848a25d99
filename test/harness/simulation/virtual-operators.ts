import { simulatedConnectors } from '../../../sim/simulated-connectors.ts'
import type { VirtualHttp } from '../../../runtime/ports/virtual/http.ts'
import { startOperator, type OperatorSettings, type RunningOperator } from '../../../operator/operator.ts'
import { JobHttpClient } from '../../../operator/real/job-http-client.ts'
import type { SimulatedMachines } from '../../../sim/simulated-machines.ts'
import type { VirtualKube } from './virtual-kube.ts'

const SUPERVISOR = 'supervisor'

/** The real operator as one or two processes of the simulation, started again whenever they end. */
export class VirtualOperators {
  readonly #machines: SimulatedMachines
  readonly #kube: VirtualKube
  readonly #http: VirtualHttp
  readonly #pods: OperatorSettings['pods']
  readonly #aheadMs: number
  readonly #lease: { namespace: string; name: string } | undefined
  readonly #owners = new Map<string, string>()
  readonly #cut = new Set<string>()
  /** Those that have stood still: what they do when they wake may come from another time. */
  readonly #late = new Set<string>()
  #starts = 0

  constructor(
    parts: { machines: SimulatedMachines; kube: VirtualKube; http: VirtualHttp },
    settings: {
      pods: OperatorSettings['pods']
      count: 1 | 2
      namespace: string
      /** How far the clock of the first is ahead of the API server's; that of the second is as far behind. */
      aheadMs: number
    },
  ) {
    this.#machines = parts.machines
    this.#kube = parts.kube
    this.#http = parts.http
    this.#pods = settings.pods
    this.#aheadMs = settings.aheadMs
    this.#lease = settings.count === 1 ? undefined : { namespace: settings.namespace, name: 'operator' }
    for (let index = 0; index < settings.count; index++) this.#start(`operator-${index}`)
  }

  isOperator(owner: string): boolean {
    return owner.startsWith('operator-')
  }

  isLate(owner: string): boolean {
    return this.#late.has(owner)
  }

  isCut(owner: string): boolean {
    return this.#cut.has(owner)
  }

  #start(name: string): void {
    this.#starts += 1
    const owner = `${name}#${this.#starts}`
    this.#owners.set(name, owner)
    const { world } = this.#machines
    const aheadMs = name === 'operator-0' ? this.#aheadMs : -this.#aheadMs
    const operator: RunningOperator = startOperator({
      kube: this.#kube.kubeOf(owner),
      clock: { ...world.clockOf(owner), now: () => Math.floor(world.now) + aheadMs },
      rng: world.rngOf(),
      logger: this.#machines.loggerOf(owner),
      connectors: simulatedConnectors,
      druids: () => ({ find: () => undefined }),
      jobClient: new JobHttpClient({
        send: async ({ host, port, token }, { method, path, body = '', waitMs }) => {
          const answer = await this.#http.request(
            owner,
            { host, port },
            { method, path, token, body: () => Promise.resolve(body) },
            waitMs,
          )
          return { status: answer.status, text: answer.body }
        },
        close: () => Promise.resolve(),
      }),
      settings: {
        pods: this.#pods,
        tokenKeys: ['k'.repeat(32)],
        rolloutLimit: 1,
        ...(this.#lease === undefined
          ? {}
          : {
              leaderElection: {
                lease: this.#lease,
                identity: owner,
                onLost: () => {
                  this.kill(owner, 'lost its lease')
                },
              },
            }),
      },
    })
    this.#machines.note(`started ${owner}, ready: ${operator.isReady()}`)
  }

  /** As SIGKILL does; another process takes its place after a while. */
  kill(owner: string, why: string): void {
    const name = owner.slice(0, owner.indexOf('#'))
    if (this.#owners.get(name) !== owner || this.#machines.world.isDead(owner)) return
    this.#machines.note(`FAULT ${owner} ends: ${why}`)
    this.#machines.end(owner)
    this.#machines.world.schedule(SUPERVISOR, 100 + this.#machines.world.random() * 2_000, () => {
      this.#start(name)
    })
  }

  killOne(): void {
    const owner = this.#any()
    if (owner !== undefined) this.kill(owner, 'killed')
  }

  pauseOne(ms: number): void {
    const owner = this.#any()
    if (owner === undefined) return
    this.#machines.note(`FAULT pause ${owner} for ${ms} ms`)
    this.#late.add(owner)
    this.#machines.world.pause(owner, ms)
  }

  cutOne(ms: number): void {
    const owner = this.#any()
    if (owner === undefined) return
    this.#machines.note(`FAULT cut off ${owner} for ${ms} ms`)
    this.#cut.add(owner)
    this.#machines.world.schedule(SUPERVISOR, ms, () => {
      this.#cut.delete(owner)
    })
  }

  #any(): string | undefined {
    const living = [...this.#owners.values()].filter((owner) => !this.#machines.world.isDead(owner))
    return living[Math.floor(this.#machines.world.random() * living.length)]
  }
}
