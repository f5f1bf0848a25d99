import { sleep } from '../../runtime/ports/clock.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Logger } from '../../runtime/ports/logger.ts'
import type { Order } from '../../runtime/control/job-report.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts'
import type { Kube, ObjectRef } from '../kube/kube.ts'
import type { Lease } from '../kube/objects.ts'
import { leases } from '../kube/resource-type.ts'
import type { Leadership } from './leadership.ts'

export interface LeaderElectionOptions {
  kube: Kube
  clock: Clock
  logger: Logger
  lease: ObjectRef
  /** Unique per process. */
  identity: string
  /** Others may take over when the lease was not renewed for so long; default 15 s. */
  leaseMs?: number
  /** Without a renewal for so long we stop acting, before others may begin; default 10 s. */
  renewDeadlineMs?: number
  /** Default 2 s. */
  retryMs?: number
  onLead: () => void
  /** Leadership is lost for this process: act no more. Called at most once. */
  onLost: () => void
}

/**
 * Holds a coordination.k8s.io Lease. As in client-go, the age of somebody else's lease is measured by a timer of our own
 * from when we saw it change, so clocks of different nodes need not agree, and ours may be set while we wait.
 */
export class LeaderElection implements Leadership {
  readonly #options: LeaderElectionOptions
  readonly #leaseMs: number
  readonly #renewDeadlineMs: number
  readonly #retryMs: number
  #observed: { record: string; hasExpired: boolean; forget: () => void } | undefined
  #leading = false
  #stopped = false
  #cancelDeadline: (() => void) | undefined
  /** By own time. A clock that was set back is outside of it, and so holds nothing. */
  #held = { from: Infinity, until: -Infinity }
  #turn: Order['lease']

  constructor(options: LeaderElectionOptions) {
    this.#options = options
    this.#leaseMs = options.leaseMs ?? 15_000
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000
    this.#retryMs = options.retryMs ?? 2_000
  }

  isHeld(): boolean {
    const now = this.#options.clock.now()
    return this.#leading && this.#held.from <= now && now < this.#held.until
  }

  turn(): Order['lease'] {
    return this.#turn
  }

  start(): void {
    void this.#run()
  }

  /** Gives the lease back, so that the next one need not wait for it to expire. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelDeadline?.()
    this.#observed?.forget()
    if (!this.#leading) return
    this.#leading = false
    try {
      const lease = await this.#options.kube.get(leases, this.#options.lease)
      if (lease.spec.holderIdentity !== this.#options.identity) return
      await this.#write(lease, { holderIdentity: null, leaseDurationSeconds: 1 })
    } catch (error) {
      this.#options.logger.warn('lease not released, the next leader waits for it to expire', { error })
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const askedAt = this.#options.clock.now()
      try {
        const lease = await this.#tryHold()
        if (lease !== undefined) this.#hold(lease, askedAt)
      } catch (error) {
        if (!isConflict(error) && !isAlreadyExists(error)) {
          this.#options.logger.warn('lease not reached', { lease: this.#options.lease.name, error })
        }
      }
      await sleep(this.#options.clock, this.#retryMs)
    }
  }

  /** The deadline counts from before the request was sent: the server may have stamped it at once. */
  #hold({ metadata, spec }: Lease, askedAt: number): void {
    const { clock } = this.#options
    if (this.#stopped) return
    const left = askedAt + this.#renewDeadlineMs - clock.now()
    if (left <= 0 || left > this.#renewDeadlineMs) return
    this.#held = { from: askedAt, until: askedAt + this.#renewDeadlineMs }
    this.#turn = { id: metadata.uid ?? '', transitions: spec.leaseTransitions ?? 0 }
    this.#cancelDeadline?.()
    this.#cancelDeadline = clock.after(left, () => {
      this.#lose()
    })
    if (this.#leading) return
    this.#leading = true
    this.#options.logger.info('leading', { identity: this.#options.identity })
    this.#options.onLead()
  }

  #lose(): void {
    if (!this.#leading) return
    this.#leading = false
    this.#stopped = true
    this.#options.logger.error('leadership lost: the lease was not renewed in time', {
      identity: this.#options.identity,
    })
    this.#options.onLost()
  }

  /** Resolves with the lease when it is ours. */
  async #tryHold(): Promise<Lease | undefined> {
    const { kube, lease: ref, identity, clock } = this.#options
    let lease: Lease
    try {
      lease = await kube.get(leases, ref)
    } catch (error) {
      if (!isNotFound(error)) throw error
      return kube.create<Lease>(leases, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { ...ref },
        spec: this.#spec(clock.now(), 0),
      })
    }
    const holder = lease.spec.holderIdentity ?? ''
    if (holder !== '' && holder !== identity && !this.#hasExpired(lease)) return undefined
    const transitions = (lease.spec.leaseTransitions ?? 0) + (holder === identity ? 0 : 1)
    return this.#write(
      lease,
      this.#spec(clock.now(), transitions, holder === identity ? lease.spec.acquireTime : undefined),
    )
  }

  #hasExpired(lease: Lease): boolean {
    const record = JSON.stringify(lease.spec)
    if (this.#observed?.record === record) return this.#observed.hasExpired
    this.#observed?.forget()
    const waitMs = (lease.spec.leaseDurationSeconds ?? this.#leaseMs / 1000) * 1000
    const observed = { record, hasExpired: false, forget: (): void => undefined }
    observed.forget = this.#options.clock.after(waitMs, () => {
      observed.hasExpired = true
    })
    this.#observed = observed
    return false
  }

  #write(lease: Lease, spec: Record<string, unknown>): Promise<Lease> {
    const { resourceVersion } = lease.metadata
    return this.#options.kube.patch(leases, this.#options.lease, { metadata: { resourceVersion }, spec })
  }

  #spec(
    now: number,
    transitions: number,
    acquireTime?: string,
  ): Record<string, string | number> & { holderIdentity: string } {
    const time = `${new Date(now).toISOString().slice(0, 23)}000Z` // metav1.MicroTime
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.round(this.#leaseMs / 1000),
      acquireTime: acquireTime ?? time,
      renewTime: time,
      leaseTransitions: transitions,
    }
  }
}
