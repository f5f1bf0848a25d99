import type { LogView } from '../checkpoint/job-log.ts'
import type { PlannedJob } from '../front/planned-job.ts'
import type { MillraceError } from '../model/errors.ts'
import type { JobTarget, Order } from '../model/job.ts'
import { isOlder, newerOf, outdated } from '../model/order.ts'

/** Reads a spec and plans the job. Throws SPEC_INVALID. */
export type JobPlanner = (spec: unknown) => PlannedJob

export interface Wanted extends PlannedJob {
  target: JobTarget
}

/** The job as it is wanted, and the newest order that was obeyed, by this coordinator or by one before it. */
export class WantedJob {
  readonly #planJob: JobPlanner
  #current: Wanted | undefined
  #order: Order | undefined
  #refused: { revision: string; error: MillraceError } | undefined

  constructor(planJob: JobPlanner) {
    this.#planJob = planJob
  }

  /** Undefined until somebody has asked for something. */
  get current(): Wanted | undefined {
    return this.#current
  }

  /** A target that the state of the running attempt does not fit. */
  get refused(): { readonly revision: string; readonly error: MillraceError } | undefined {
    return this.#refused
  }

  get order(): Order | undefined {
    return this.#order
  }

  /**
   * Notes the order that something was asked with. Throws ORDER_OUTDATED: a leader that was frozen may ask when it
   * wakes, long after another one has gone on.
   */
  obey(what: string, order: Order | undefined): void {
    if (order !== undefined && this.#order !== undefined && isOlder(order, this.#order))
      throw outdated(what, order, this.#order)
    this.#order = order ?? this.#order
  }

  isAskedFor({ revision, desiredState, restore }: JobTarget): boolean {
    const target = this.#current?.target
    return target?.revision === revision && target.desiredState === desiredState && target.restore === restore
  }

  /** Throws SPEC_INVALID, and what was wanted before stays. */
  accept(target: JobTarget): void {
    this.#current = { target, ...this.#planJob(target.spec) }
  }

  /** Wants what runs again, and remembers why. */
  refuse(wanted: Wanted, error: MillraceError, running: Wanted): void {
    this.#refused = { revision: wanted.target.revision, error }
    this.#current = running
  }

  forgetRefusal(): void {
    this.#refused = undefined
  }

  /** The target of the log, unless a newer one was set meanwhile. */
  takeUp({ target, order, ended }: LogView): void {
    if (target === undefined || (this.#current !== undefined && !isOlder(this.#current.target.order, order))) return
    this.accept(ended === 'suspended' ? { ...target, desiredState: 'suspended' } : target)
  }

  takeUpOrder({ order }: LogView): void {
    this.#order = newerOf(this.#order, order)
  }

  /** The target as it is claimed: a coordinator that starts again must refuse what this one refuses. */
  ordered(target: JobTarget): JobTarget {
    return this.#order === undefined ? target : { ...target, order: this.#order }
  }
}
