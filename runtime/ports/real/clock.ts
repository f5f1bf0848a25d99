import type { Clock } from '../clock.ts'

/** About 24.8 days. Node runs a timer that is longer after one millisecond. */
const LONGEST_TIMER_MS = 0x7fffffff

/** The machine's time and timers. */
export const realClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    let left = ms
    const next = (): NodeJS.Timeout => {
      const part = Math.min(left, LONGEST_TIMER_MS)
      left -= part
      return setTimeout(() => {
        if (left > 0) timer = next()
        else run()
      }, part)
    }
    let timer = next()
    return () => {
      clearTimeout(timer)
    }
  },
  nextTurn(run) {
    setImmediate(run)
  },
}
