import type { CheckpointReport, JobTarget } from '../model/job.ts'
import { MillraceError } from '../model/errors.ts'
import type { Attempt } from '../model/ids.ts'
import type { Store } from '../ports/store.ts'

/**
 * The job's history as numbered entries, each written once by create-if-absent. It is the fence between
 * coordinators: a coordinator knows the number of the last entry, and whoever claims an attempt takes the next
 * one. An older coordinator's next append then meets the claim and learns that it is over. So a manifest that is
 * in the log before a claim is complete for ever, and none of an older attempt can come after it: no gap between
 * reading and fencing is left (reliability note 2.2, `readBeforeFence`, `newestById`).
 *
 * Claims are never deleted: the entry behind an old coordinator's last one must stay taken.
 */
export type LogEntry =
  | { kind: 'claim'; attempt: Attempt; target: JobTarget }
  | { kind: 'checkpoint'; checkpoint: CheckpointReport; savepoint: string | null; final: boolean }
  | { kind: 'suspended'; attempt: Attempt }
  | { kind: 'finished'; attempt: Attempt }

/** The newest facts of a log, folded from its entries. */
export interface LogView {
  attempt: Attempt
  target: JobTarget | undefined
  /** The checkpoint that a restore starts from. */
  newest: CheckpointReport | undefined
  checkpoints: readonly { sequence: number; checkpoint: CheckpointReport; savepoint: string | null }[]
  /** Set when nothing has been claimed since. */
  ended: 'finished' | 'suspended' | undefined
}

const FOLDER = 'log'

export class JobLog {
  readonly #store: Store
  readonly #entries: { sequence: number; entry: LogEntry }[] = []
  #last = 0

  private constructor(store: Store) {
    this.#store = store
  }

  static async open(store: Store): Promise<JobLog> {
    const log = new JobLog(store)
    await log.#catchUp()
    return log
  }

  async #catchUp(): Promise<void> {
    for (const path of await this.#store.list(`${FOLDER}/`)) {
      const sequence = Number(path.slice(FOLDER.length + 1))
      if (!Number.isSafeInteger(sequence) || sequence <= this.#last) continue
      const bytes = await this.#store.get(path)
      // Deleted between list and get: retention has deleted the checkpoint.
      if (bytes) this.#entries.push({ sequence, entry: parseEntry(path, bytes) })
      this.#last = sequence
    }
  }

  view(): LogView {
    return foldLog(this.#entries)
  }

  /**
   * Claims the next attempt. From the moment it resolves, no older coordinator can complete a checkpoint, and
   * `view` holds everything that any of them has.
   */
  async claim(target: JobTarget): Promise<Attempt> {
    for (;;) {
      await this.#catchUp()
      const attempt = this.view().attempt + 1
      const entry: LogEntry = { kind: 'claim', attempt, target }
      if ((await this.#create(entry)) === 'created') return attempt
    }
  }

  /**
   * Appends in the name of `attempt`. Throws ATTEMPT_SUPERSEDED when a newer one has been claimed. May be
   * repeated after a store error: an append that had landed is recognised as its own.
   */
  async append(attempt: Attempt, entry: LogEntry): Promise<void> {
    if ((await this.#create(entry)) === 'created') return
    const own = JSON.stringify(entry)
    const path = pathOf(this.#last + 1)
    const found = await this.#store.get(path)
    if (found && Buffer.from(found).toString('utf8') === own) {
      this.#last += 1
      this.#entries.push({ sequence: this.#last, entry })
      return
    }
    await this.#catchUp()
    throw new MillraceError(
      'ATTEMPT_SUPERSEDED',
      `attempt ${attempt} is over: attempt ${this.view().attempt} has been claimed`,
      { domain: 'platform' },
    )
  }

  async #create(entry: LogEntry): Promise<'created' | 'exists'> {
    const sequence = this.#last + 1
    const result = await this.#store.createIfAbsent(pathOf(sequence), Buffer.from(JSON.stringify(entry), 'utf8'))
    if (result === 'created') {
      this.#last = sequence
      this.#entries.push({ sequence, entry })
    }
    return result
  }

  /** Forgets a checkpoint's entry; its files must be deleted by the caller, before. */
  async forget(sequence: number): Promise<void> {
    const index = this.#entries.findIndex((item) => item.sequence === sequence)
    if (this.#entries[index]?.entry.kind !== 'checkpoint') return
    await this.#store.delete(pathOf(sequence))
    this.#entries.splice(index, 1)
  }
}

function pathOf(sequence: number): string {
  return `${FOLDER}/${String(sequence).padStart(12, '0')}`
}

function parseEntry(path: string, bytes: Uint8Array): LogEntry {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString('utf8')) as LogEntry
    if (['claim', 'checkpoint', 'suspended', 'finished'].includes(value.kind)) return value
  } catch (cause) {
    throw new MillraceError('LOG_CORRUPT', `log entry ${path} is not JSON`, { domain: 'platform', cause })
  }
  throw new MillraceError('LOG_CORRUPT', `log entry ${path} has an unknown kind`, { domain: 'platform' })
}

function foldLog(entries: readonly { sequence: number; entry: LogEntry }[]): LogView {
  const view: { -readonly [K in keyof LogView]: LogView[K] } & {
    checkpoints: { sequence: number; checkpoint: CheckpointReport; savepoint: string | null }[]
  } = { attempt: 0, target: undefined, newest: undefined, checkpoints: [], ended: undefined }
  for (const { sequence, entry } of entries) {
    switch (entry.kind) {
      case 'claim':
        view.attempt = entry.attempt
        view.target = entry.target
        view.ended = undefined
        break
      case 'checkpoint':
        view.newest = entry.checkpoint
        view.checkpoints.push({ sequence, checkpoint: entry.checkpoint, savepoint: entry.savepoint })
        break
      case 'suspended':
      case 'finished':
        view.ended = entry.kind
        break
    }
  }
  return view
}
