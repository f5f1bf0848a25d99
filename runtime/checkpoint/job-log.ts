import type { CheckpointReport, JobTarget, Order } from '../model/job.ts'
import { MillraceError } from '../model/errors.ts'
import type { Attempt } from '../model/ids.ts'
import type { Store } from '../ports/store.ts'
import { isSealed, seal, type SealDemand, sealMissing, unseal } from './sealed-file.ts'

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
  /** `template`: of the pods that claim it; absent where the operator made none. */
  | { kind: 'claim'; attempt: Attempt; target: JobTarget; template?: string }
  | { kind: 'checkpoint'; checkpoint: CheckpointReport; savepoint: string | null; final: boolean }
  /** `order`: the newest that was obeyed, as in the target of a claim. */
  | { kind: 'suspended'; attempt: Attempt; order?: Order }
  | { kind: 'finished'; attempt: Attempt }

/** The newest facts of a log, folded from its entries. */
export interface LogView {
  attempt: Attempt
  target: JobTarget | undefined
  /** The newest order in it. */
  order: Order | undefined
  /** The pods that made the newest claim. */
  template: string | undefined
  /** The checkpoint that a restore starts from. */
  newest: CheckpointReport | undefined
  checkpoints: readonly { sequence: number; checkpoint: CheckpointReport; savepoint: string | null }[]
  /** The newest checkpoint after which the job ended: it ended only when all output was committed. */
  committed: CheckpointReport | undefined
  /** Set when nothing has been claimed since. */
  ended: 'finished' | 'suspended' | undefined
}

const FOLDER = 'log'

interface ReadEntry {
  sequence: number
  entry: LogEntry
  /** Undefined for entries from before there were seals. */
  seal: 'sealed' | undefined
}

export class JobLog {
  readonly #store: Store
  readonly #job: string | undefined
  readonly #entries: ReadEntry[] = []
  #last = 0
  #lastWrite: Promise<void> = Promise.resolve()

  private constructor(store: Store, job: string | undefined) {
    this.#store = store
    this.#job = job
  }

  /** The log of the job with that UID. Throws LOG_CORRUPT, FILE_CORRUPT, FILE_MISPLACED or SEAL_MISSING naming the entry. */
  static async open(store: Store, job: string): Promise<JobLog> {
    const log = new JobLog(store, job)
    await log.#catchUp()
    return log
  }

  /** What the log of any job says, for those who only read. */
  static async read(store: Store): Promise<LogView> {
    const log = new JobLog(store, undefined)
    await log.#catchUp()
    return log.view()
  }

  async #catchUp(): Promise<void> {
    for (const path of await this.#store.list(`${FOLDER}/`)) {
      const sequence = Number(path.slice(FOLDER.length + 1))
      if (!Number.isSafeInteger(sequence) || sequence <= this.#last) continue
      const bytes = await this.#store.get(path)
      // Deleted between list and get: retention has deleted the checkpoint.
      if (bytes)
        this.#entries.push({
          sequence,
          entry: this.#parse(path, bytes),
          seal: isSealed(bytes) ? 'sealed' : undefined,
        })
      this.#last = sequence
    }
    const bare = withoutItsSeal(this.#entries)
    if (bare !== undefined) throw sealMissing(pathOf(bare.sequence))
  }

  view(): LogView {
    return foldLog(this.#entries)
  }

  /** Whether the manifest of a checkpoint must have a seal: its entry was written by the same coordinator. */
  sealOf({ path }: Pick<CheckpointReport, 'path'>): SealDemand {
    const item = this.#entries.findLast(({ entry }) => entry.kind === 'checkpoint' && entry.checkpoint.path === path)
    return item !== undefined && item.seal === undefined ? 'optional' : 'required'
  }

  /**
   * Whether the store still has the newest claim. It is not there for good when somebody has deleted the folder of the
   * job at any time since, also while an entry behind it was written.
   */
  async isThere(): Promise<boolean> {
    const claim = this.#newestClaim()
    return claim === undefined || (await this.#store.get(pathOf(claim.sequence))) !== undefined
  }

  #newestClaim(): ReadEntry | undefined {
    return this.#entries.findLast(({ entry }) => entry.kind === 'claim')
  }

  /**
   * Claims the next attempt. From the moment it resolves, no older coordinator can complete a checkpoint, and
   * `view` holds everything that any of them has.
   */
  claim(target: JobTarget, template?: string): Promise<Attempt> {
    return this.#inTurn(async () => {
      for (;;) {
        await this.#catchUp()
        const attempt = this.view().attempt + 1
        const entry: LogEntry = { kind: 'claim', attempt, target, ...(template === undefined ? {} : { template }) }
        if ((await this.#create(entry)) === 'created') return attempt
      }
    })
  }

  /**
   * Appends in the name of `attempt`. Throws ATTEMPT_SUPERSEDED when a newer one has been claimed. May be
   * repeated after a store error: an append that had landed is recognised as its own.
   */
  append(attempt: Attempt, entry: LogEntry): Promise<void> {
    return this.#inTurn(async () => {
      while ((await this.#create(entry)) === 'exists') {
        const path = pathOf(this.#last + 1)
        const found = await this.#store.get(path)
        const isOwn = found !== undefined && unseal({ path, job: this.#job }, found) === JSON.stringify(entry)
        await this.#catchUp()
        if (isOwn) return
        if (this.view().attempt !== attempt)
          throw new MillraceError(
            'ATTEMPT_SUPERSEDED',
            `attempt ${attempt} is over: attempt ${this.view().attempt} has been claimed`,
            { domain: 'platform' },
          )
      }
    })
  }

  /** Writes the newest claim again, behind the last entry, when somebody has deleted the log. Throws as append. */
  async restateClaim(attempt: Attempt): Promise<void> {
    const claim = this.#newestClaim()
    if (claim !== undefined) await this.append(attempt, claim.entry)
  }

  /** One write after the other: two at once would take the same number, and the loser would take itself for fenced. */
  #inTurn<T>(write: () => Promise<T>): Promise<T> {
    const turn = this.#lastWrite.then(write)
    this.#lastWrite = turn.then(
      () => undefined,
      () => undefined,
    )
    return turn
  }

  async #create(entry: LogEntry): Promise<'created' | 'exists'> {
    const sequence = this.#last + 1
    const path = pathOf(sequence)
    const bytes = seal({ path, job: this.#job ?? '' }, JSON.stringify(entry))
    const result = await this.#store.createIfAbsent(path, bytes)
    if (result === 'created') {
      this.#last = sequence
      this.#entries.push({ sequence, entry, seal: 'sealed' })
    }
    return result
  }

  #parse(path: string, bytes: Uint8Array): LogEntry {
    const text = unseal({ path, job: this.#job }, bytes)
    try {
      const value = JSON.parse(text) as LogEntry
      if (['claim', 'checkpoint', 'suspended', 'finished'].includes(value.kind)) return value
    } catch (cause) {
      throw new MillraceError('LOG_CORRUPT', `log entry ${path} is not JSON`, { domain: 'platform', cause })
    }
    throw new MillraceError('LOG_CORRUPT', `log entry ${path} has an unknown kind`, { domain: 'platform' })
  }

  /** Forgets a checkpoint's entry; its files must be deleted by the caller, before. */
  async forget(sequence: number): Promise<void> {
    const index = this.#entries.findIndex((item) => item.sequence === sequence)
    if (this.#entries[index]?.entry.kind !== 'checkpoint') return
    await this.#store.delete(pathOf(sequence))
    this.#entries.splice(index, 1)
  }
}

/**
 * The first entry that has lost its seal. A coordinator that seals begins with a claim, and none that does not comes
 * after it: an entry without seal is old only when nothing before it has one, and what follows has none up to a claim.
 */
function withoutItsSeal(entries: readonly ReadEntry[]): ReadEntry | undefined {
  const first = entries.findIndex(({ seal }) => seal === 'sealed')
  if (first < 0) return undefined
  if (first > 0 && entries[first]?.entry.kind !== 'claim') return entries[first - 1]
  return entries.slice(first).find(({ seal }) => seal === undefined)
}

function pathOf(sequence: number): string {
  return `${FOLDER}/${String(sequence).padStart(12, '0')}`
}

function foldLog(entries: readonly { sequence: number; entry: LogEntry }[]): LogView {
  const view: { -readonly [K in keyof LogView]: LogView[K] } & {
    checkpoints: { sequence: number; checkpoint: CheckpointReport; savepoint: string | null }[]
  } = {
    attempt: 0,
    target: undefined,
    order: undefined,
    template: undefined,
    newest: undefined,
    committed: undefined,
    checkpoints: [],
    ended: undefined,
  }
  for (const { sequence, entry } of entries) {
    switch (entry.kind) {
      case 'claim':
        view.attempt = entry.attempt
        view.target = entry.target
        view.order = entry.target.order ?? view.order
        view.template = entry.template
        view.ended = undefined
        break
      case 'checkpoint':
        view.newest = entry.checkpoint
        view.checkpoints.push({ sequence, checkpoint: entry.checkpoint, savepoint: entry.savepoint })
        break
      case 'suspended':
      case 'finished':
        if (entry.kind === 'suspended') view.order = entry.order ?? view.order
        view.ended = entry.kind
        view.committed = view.newest
        break
    }
  }
  return view
}
