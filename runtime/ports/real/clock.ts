import type { Clock } from '../clock.ts'

/** The machine's time and timers. */
export const realClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => {
      clearTimeout(timer)
    }
  },
  nextTurn(run) {
    setImmediate(run)
  },
}
