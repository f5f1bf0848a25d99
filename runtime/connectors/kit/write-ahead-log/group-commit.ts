import { entryBytes, FRAME_HEAD_BYTES, type LogEntry } from './log-frame.ts'

/** Larger groups are committed in several steps. */
const MAX_GROUP_BYTES = 4 * 1024 * 1024

interface Waiting {
  readonly entries: readonly LogEntry[]
  readonly bytes: number
  kept(): void
  lost(error: unknown): void
}

/** The bytes that entries take in a log at most. */
export function bytesOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, entry) => sum + entryBytes(entry), FRAME_HEAD_BYTES)
}

/** Entries that come while others are being committed are committed together, in the order in which they came. */
export class GroupCommit {
  readonly #commit: (entries: readonly LogEntry[]) => Promise<void>
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #committing: Promise<void> | undefined

  /** `commit` is called with one group after the other; all of a group share its end. */
  constructor(commit: (entries: readonly LogEntry[]) => Promise<void>) {
    this.#commit = commit
  }

  /** The bytes of entries whose commit has not begun. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** Resolves once `commit` of the group has, and rejects as it does. */
  add(entries: readonly LogEntry[]): Promise<'kept'> {
    const bytes = bytesOf(entries)
    return new Promise((resolve, reject) => {
      this.#waitingBytes += bytes
      this.#waiting.push({ entries, bytes, kept: () => resolve('kept'), lost: reject })
      this.#committing ??= this.#commitAll()
    })
  }

  /** Resolves when nothing waits. Never rejects. */
  async settled(): Promise<void> {
    await this.#committing
  }

  async #commitAll(): Promise<void> {
    // entries of the same turn of the event loop share the first commit
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup()
      try {
        await this.#commit(group.flatMap(({ entries }) => entries))
        for (const { kept } of group) kept()
      } catch (error) {
        for (const { lost } of group) lost(error)
      }
    }
    // in the same turn as the last look: what comes from now on begins a new commit
    this.#committing = undefined
  }

  #nextGroup(): Waiting[] {
    let bytes = 0
    const most = this.#waiting.findIndex((one) => (bytes += one.bytes) > MAX_GROUP_BYTES)
    const group = this.#waiting.splice(0, most < 0 ? this.#waiting.length : Math.max(1, most))
    for (const one of group) this.#waitingBytes -= one.bytes
    return group
  }
}
