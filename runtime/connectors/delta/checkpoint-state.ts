import { memberOf, membersOf, type Fields } from '../../model/fields.ts'
import { actionsOf } from './log-actions.ts'
import { fileId } from './table-state.ts'

const DAY_MS = 86_400_000
const FEATURES_READER = 3
const FEATURES_WRITER = 7

/** All that a table consists of as of one version, each action as it was written ("Action Reconciliation"). */
export class CheckpointState {
  #protocol: Fields | undefined
  #metadata: Fields | undefined
  readonly #transactions = new Map<string, Fields>()
  readonly #files = new Map<string, Fields>()
  readonly #removed = new Map<string, Fields>()

  /** Takes the actions one by one, oldest first; each is an object with one member. Throws DELTA_LOG_INVALID. */
  apply(action: Fields, where: string): void {
    for (const parsed of actionsOf(action, where)) {
      const written = membersOf(memberOf(action, parsed.kind))
      switch (parsed.kind) {
        case 'protocol':
          this.#protocol = written
          break
        case 'metaData':
          this.#metadata = written
          break
        case 'txn':
          this.#transactions.set(parsed.appId, written)
          break
        case 'add':
          this.#files.set(fileId(parsed.file), written)
          this.#removed.delete(fileId(parsed.file))
          break
        case 'remove':
          this.#files.delete(fileId(parsed))
          this.#removed.set(fileId(parsed), written)
      }
    }
  }

  get files(): number {
    return this.#files.size
  }

  get actions(): number {
    return this.#files.size + this.#removed.size + this.#transactions.size + 2
  }

  /** The rows of a checkpoint, without what has expired. Undefined while the log said nothing of protocol or metadata. */
  rows(now: number): Fields[] | undefined {
    const [protocol, metadata] = [this.#protocol, this.#metadata]
    if (protocol === undefined || metadata === undefined) return undefined
    const setting = (name: string): unknown => memberOf(membersOf(metadata['configuration']), name)
    const keepsRemoved = intervalMs(setting('delta.deletedFileRetentionDuration'), 7 * DAY_MS)
    const keepsTransactions = intervalMs(setting('delta.setTransactionRetentionDuration'), Infinity)
    const isKept = (time: unknown, forMs: number): boolean => typeof time !== 'number' || time > now - forMs
    return [
      { protocol: withFeatures(protocol) },
      { metaData: metadata },
      ...[...this.#transactions.values()]
        .filter(({ lastUpdated }) => isKept(lastUpdated, keepsTransactions))
        .map((txn) => ({ txn })),
      ...[...this.#files.values()].map((add) => ({ add: { ...add, dataChange: false } })),
      ...[...this.#removed.values()]
        .filter(({ deletionTimestamp }) => isKept(deletionTimestamp ?? 0, keepsRemoved))
        .map((remove) => ({ remove: { ...remove, dataChange: false } })),
    ]
  }
}

/** Lists of features are null in a table of an older protocol, and never null in one of the newest. */
function withFeatures(protocol: Fields): Fields {
  const { minReaderVersion, minWriterVersion, readerFeatures, writerFeatures } = protocol
  return {
    minReaderVersion,
    minWriterVersion,
    readerFeatures: Number(minReaderVersion) >= FEATURES_READER ? (readerFeatures ?? []) : null,
    writerFeatures: Number(minWriterVersion) >= FEATURES_WRITER ? (writerFeatures ?? []) : null,
  }
}

const UNIT_MS: Readonly<Record<string, number>> = {
  week: 7 * DAY_MS,
  day: DAY_MS,
  hour: 3_600_000,
  minute: 60_000,
  second: 1000,
  millisecond: 1,
}

/** An interval of SQL, `interval 1 week 2 days`; Infinity for one that is written in another way. */
export function intervalMs(written: unknown, absent: number): number {
  if (written === undefined) return absent
  const text = String(written)
    .trim()
    .toLowerCase()
    .replace(/^interval\s+/, '')
  if (!/^\d+\s+[a-z]+(?:\s+\d+\s+[a-z]+)*$/.test(text)) return Infinity
  return [...text.matchAll(/(\d+)\s+([a-z]+?)s?(?=\s|$)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (memberOf(UNIT_MS, unit ?? '') ?? Infinity),
    0,
  )
}
