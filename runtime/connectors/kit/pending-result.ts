import { sleep, type Clock } from '../../ports/clock.ts'

/** Half of what `poll` of a source may take, so that barriers are not held up. */
const WAIT_MS = 50

/** A call to an outside system that goes on between the polls of a source. One at a time. */
export class PendingResult<T> {
  readonly #clock: Clock
  #call: Promise<{ result: T } | { error: unknown }> | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isUnderWay(): boolean {
    return this.#call !== undefined
  }

  /** Called when none is under way. */
  start(call: Promise<T>): void {
    this.#call = call.then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    )
  }

  /** The result of the call once it has come; undefined when it is still under way after a moment. Rejects as the call did. */
  async take(): Promise<T | undefined> {
    const call = this.#call
    if (call === undefined) return undefined
    const ended = await Promise.race([call, sleep(this.#clock, WAIT_MS)])
    if (ended === undefined) return undefined
    this.#call = undefined
    if ('error' in ended) throw ended.error
    return ended.result
  }
}
