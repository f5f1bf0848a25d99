import type { Clock } from '../clock.ts'
import type { Rng } from '../rng.ts'

interface Scheduled {
  at: number
  sequence: number
  run: () => void
  owner: string
}

/**
 * Virtual time: one queue of events ordered by (time, sequence). `run` pops the next one, runs it, and lets every
 * promise job drain before the one after (recipe R1). Nothing waits for real, so an hour takes as long as its events.
 * Each event has an owner, a process of the simulation; those of a dead process are dropped.
 */
export class VirtualWorld {
  #now = 1_700_000_000_000
  #sequence = 0
  #heap: Scheduled[] = []
  #state: number
  readonly #dead = new Set<string>()
  readonly #pausedUntil = new Map<string, number>()
  /** Events run so far: crash points are numbered by it. */
  steps = 0

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0
  }

  get now(): number {
    return this.#now
  }

  /** Uniform in [0, 1): mulberry32. */
  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  schedule(owner: string, delayMs: number, run: () => void): () => void {
    const item: Scheduled = { at: this.#now + Math.max(0, delayMs), sequence: this.#sequence++, run, owner }
    push(this.#heap, item)
    return () => {
      item.run = () => undefined
    }
  }

  /** From now on nothing of this owner runs any more. */
  kill(owner: string): void {
    this.#dead.add(owner)
  }

  /** Nothing of this owner runs for so long; what is due then runs behind it, in order. */
  pause(owner: string, ms: number): void {
    this.#pausedUntil.set(owner, this.#now + ms)
  }

  isPaused(owner: string): boolean {
    return (this.#pausedUntil.get(owner) ?? 0) > this.#now
  }

  isDead(owner: string): boolean {
    return this.#dead.has(owner)
  }

  clockOf(owner: string): Clock {
    return {
      now: () => Math.floor(this.#now),
      after: (ms, run) => this.schedule(owner, ms, run),
      nextTurn: (run) => {
        this.schedule(owner, 0, run)
      },
    }
  }

  rngOf(): Rng {
    return {
      next: () => this.random(),
      id: () => Array.from({ length: 16 }, () => Math.floor(this.random() * 16).toString(16)).join(''),
    }
  }

  /** Runs events until `done` holds (returns true), the queue is empty or `untilMs` of virtual time have passed. */
  async run(done: () => boolean, untilMs: number): Promise<boolean> {
    const end = this.#now + untilMs
    await drained()
    while (!done()) {
      const next = pop(this.#heap)
      if (!next || next.at > end) return false
      this.#now = Math.max(this.#now, next.at)
      if (this.#dead.has(next.owner)) continue
      if (this.isPaused(next.owner)) {
        next.at = this.#pausedUntil.get(next.owner) ?? next.at
        push(this.#heap, next)
        continue
      }
      this.steps += 1
      next.run()
      await drained()
    }
    return true
  }
}

/** Promise jobs all run before a macrotask does. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

function before(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence)
}

function push(heap: Scheduled[], item: Scheduled): void {
  heap.push(item)
  let index = heap.length - 1
  while (index > 0) {
    const parent = (index - 1) >> 1
    if (!before(item, heap[parent] as Scheduled)) break
    heap[index] = heap[parent] as Scheduled
    index = parent
  }
  heap[index] = item
}

function pop(heap: Scheduled[]): Scheduled | undefined {
  const top = heap[0]
  const last = heap.pop()
  if (!last || heap.length === 0) return top
  let index = 0
  for (;;) {
    let child = index * 2 + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1] as Scheduled, heap[child] as Scheduled)) child += 1
    if (!before(heap[child] as Scheduled, last)) break
    heap[index] = heap[child] as Scheduled
    index = child
  }
  heap[index] = last
  return top
}
