import type { Row } from '../../../runtime/model/schema.ts'
import type { WindowExtent } from '../../../runtime/graph/verbs/window.ts'

export interface PlainResult {
  key: string
  start: number
  end: number
  rows: readonly Row[]
}

interface Window {
  key: string
  start: number
  end: number
  rows: Row[]
  hasFired: boolean
}

/**
 * Windows by time as Flink's documentation tells them, one row after the other: the slow twin of the window
 * operator.
 */
export class PlainTimeWindow {
  #windows: Window[] = []
  #passed = -Infinity
  readonly #extent: WindowExtent & { kind: 'hop' | 'session' }
  readonly #latenessMs: number
  #changed = new Set<Window>()

  constructor(extent: WindowExtent & { kind: 'hop' | 'session' }, latenessMs: number) {
    this.#extent = extent
    this.#latenessMs = latenessMs
  }

  /** False when the row came too late. */
  add(key: string, time: number, row: Row): boolean {
    const windows =
      this.#extent.kind === 'hop' ? this.#hops(key, time, this.#extent) : this.#session(key, time, this.#extent.gapMs)
    for (const window of windows) {
      window.rows.push(row)
      if (!this.#windows.includes(window)) this.#windows.push(window)
      window.hasFired = window.end <= this.#passed
      if (window.hasFired) this.#changed.add(window)
    }
    return windows.length > 0
  }

  #isGone(end: number): boolean {
    return end + this.#latenessMs <= this.#passed
  }

  #hops(key: string, time: number, { sizeMs, slideMs }: { sizeMs: number; slideMs: number }): Window[] {
    const found: Window[] = []
    for (let start = Math.floor(time / slideMs) * slideMs; start > time - sizeMs; start -= slideMs) {
      if (this.#isGone(start + sizeMs)) continue
      found.push(
        this.#windows.find((window) => window.key === key && window.start === start) ?? {
          key,
          start,
          end: start + sizeMs,
          rows: [],
          hasFired: false,
        },
      )
    }
    return found
  }

  #session(key: string, time: number, gapMs: number): Window[] {
    const joined = this.#windows
      .filter((window) => window.key === key && time <= window.end && time + gapMs >= window.start)
      .sort((a, b) => a.start - b.start)
    const end = Math.max(time + gapMs, ...joined.map((window) => window.end))
    if (this.#isGone(end)) return []
    const merged: Window = {
      key,
      start: Math.min(time, ...joined.map((window) => window.start)),
      end,
      rows: joined.flatMap((window) => window.rows),
      hasFired: true,
    }
    this.#windows = this.#windows.filter((window) => !joined.includes(window))
    for (const window of joined) this.#changed.delete(window)
    return [merged]
  }

  /** After a batch: what windows that had fired hold now, if rows of the batch changed them. */
  takeChanged(): PlainResult[] {
    const changed = [...this.#changed]
    this.#changed = new Set()
    return changed.map((window) => ({ ...window }))
  }

  fire(passed: number): PlainResult[] {
    this.#passed = Math.max(this.#passed, passed)
    const due = this.#windows.filter((window) => !window.hasFired && window.end <= this.#passed)
    for (const window of due) window.hasFired = true
    this.#windows = this.#windows.filter((window) => !this.#isGone(window.end))
    return due
  }
}
