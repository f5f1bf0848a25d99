import type { Clock } from '../../../runtime/ports/clock.ts'
import type { Ports } from '../../../runtime/ports/ports.ts'

/**
 * A clock that jumps to the next timer whenever nothing else is going on: waits cost nothing. `isBusy` says that something
 * goes on that takes turns of its own.
 */
export function jumpingClock(isBusy: () => boolean = () => false): Clock {
  let now = 1_700_000_000_000
  let timers: { at: number; run: () => void }[] = []
  let isPumping = false
  const pump = (): void => {
    if (isBusy()) {
      setImmediate(pump)
      return
    }
    timers.sort((a, b) => a.at - b.at)
    const next = timers.shift()
    isPumping = timers.length > 0
    if (isPumping) setImmediate(pump)
    if (next === undefined) return
    // whole milliseconds, as the real clock has them
    now = Math.max(now, Math.ceil(next.at))
    next.run()
  }
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run }
      timers.push(timer)
      if (!isPumping) {
        isPumping = true
        setImmediate(pump)
      }
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    nextTurn: (run) => {
      setImmediate(run)
    },
  }
}

/** Ports with that clock; what the Kafka connector does not use fails aloud. */
export function jumpingPorts(): Ports {
  const silent: Ports['logger'] = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
    with: () => silent,
  }
  const unused = (name: string): never => {
    throw new Error(`the port ${name} is not part of this test`)
  }
  return {
    clock: jumpingClock(),
    rng: { next: () => 0.5, id: () => '0123456789abcdef' },
    logger: silent,
    printLine: () => undefined,
    openStore: () => unused('openStore'),
    openObjects: () => unused('openObjects'),
    openScratchFile: () => unused('openScratchFile'),
    get plainNet() {
      return unused('plainNet')
    },
    get httpClient() {
      return unused('httpClient')
    },
    get modules() {
      return unused('modules')
    },
    get net() {
      return unused('net')
    },
    get files() {
      return undefined as never
    },
    get secretFiles() {
      return undefined as never
    },
  }
}
