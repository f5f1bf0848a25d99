/** Time as the engine sees it. Real: the machine's; virtual: advanced by the simulation. */
export interface Clock {
  /** Wall time, ms since the epoch. */
  now(): number
  /** Calls `run` once after `ms`; the returned function cancels it and may be called at any time. */
  after(ms: number, run: () => void): () => void
  /** Calls `run` on the next turn of the loop, after pending I/O: for slicing long work. */
  nextTurn(run: () => void): void
}

/** Resolves after `ms`. The caller must check afterwards whether the world has changed. */
export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve)
  })
}
