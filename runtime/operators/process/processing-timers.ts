import type { StateKey } from '../../memory/state-key.ts'
import type { Timestamp } from '../../model/time.ts'
import type { TimerTable } from '../../state/state-store.ts'
import type { OperatorContext } from '../operator-context.ts'

/**
 * Timers of processing time: state like those of event time, and an alarm for the earliest. When a bounded input has
 * ended, what is set fires, and what that sets does not come: a timer that renews itself would keep the job for ever.
 */
export class ProcessingTimers implements TimerTable {
  readonly table: TimerTable
  readonly #context: Pick<OperatorContext, 'after' | 'clock'>
  readonly #fire: () => Promise<void>
  #alarm: { time: Timestamp; cancel: () => void } | undefined
  #isOver = false

  constructor(table: TimerTable, context: Pick<OperatorContext, 'after' | 'clock'>, fire: () => Promise<void>) {
    this.table = table
    this.#context = context
    this.#fire = fire
  }

  get size(): number {
    return this.table.size
  }

  next(): Timestamp | undefined {
    return this.table.next()
  }

  at(group: number, key: StateKey, time: Timestamp): void {
    if (!this.#isOver) this.table.at(group, key, time)
  }

  cancel(group: number, key: StateKey, time: Timestamp): void {
    this.table.cancel(group, key, time)
  }

  due(time: Timestamp, limit: number, fire: Parameters<TimerTable['due']>[2]): boolean {
    return this.table.due(time, limit, fire)
  }

  /** Sets the alarm for the earliest timer. */
  wait(): void {
    const time = this.table.next()
    if (time !== undefined && (this.#alarm === undefined || time < this.#alarm.time)) this.wake(time)
  }

  wake(time: Timestamp): void {
    if (this.#isOver) return
    this.#alarm?.cancel()
    const cancel = this.#context.after(Math.max(0, time - this.#context.clock.now()), async () => {
      this.#alarm = undefined
      await this.#fire()
      this.wait()
    })
    this.#alarm = { time, cancel }
  }

  /** The input has ended: from now on none is set. */
  end(): void {
    this.close()
    this.#isOver = true
  }

  close(): void {
    this.#alarm?.cancel()
    this.#alarm = undefined
  }
}
