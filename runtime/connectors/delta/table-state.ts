import type { DataFile, LogAction, Protocol, TableMetadata } from './log-actions.ts'

/** A table as of one version. */
export interface TableState {
  readonly version: number
  readonly protocol: Protocol
  readonly metadata: TableMetadata
  /** The last version that each application committed. */
  readonly transactions: ReadonlyMap<string, number>
  /** The files that hold its rows, by an id. Empty for those who only append. */
  readonly files: ReadonlyMap<string, DataFile>
}

/** A state that is being put together from checkpoint and commits, oldest first ("Action Reconciliation"). */
export class StateBuilder {
  version = -1
  protocol: Protocol | undefined
  metadata: TableMetadata | undefined
  readonly transactions = new Map<string, number>()
  readonly files = new Map<string, DataFile>()
  readonly #keepsFiles: boolean

  constructor(keeps: 'files' | 'transactions only') {
    this.#keepsFiles = keeps === 'files'
  }

  apply(version: number, actions: readonly LogAction[]): void {
    for (const action of actions) {
      switch (action.kind) {
        case 'add':
          if (this.#keepsFiles) this.files.set(fileId(action.file), action.file)
          break
        case 'remove':
          this.files.delete(fileId(action))
          break
        case 'metaData':
          this.metadata = action.metadata
          break
        case 'protocol':
          this.protocol = action.protocol
          break
        case 'txn':
          this.transactions.set(action.appId, action.version)
      }
    }
    this.version = version
  }

  /** Undefined while the log said nothing of protocol or metadata. */
  state(): TableState | undefined {
    const { version, protocol, metadata, transactions, files } = this
    return protocol === undefined || metadata === undefined
      ? undefined
      : { version, protocol, metadata, transactions, files }
  }
}

/** A commit may name a file twice: removed without, and added with a deletion vector, in any order. */
export function fileId({ path, deletionVector }: Pick<DataFile, 'path' | 'deletionVector'>): string {
  return deletionVector === undefined ? path : `${path}\0${deletionVector}`
}
