import { compileRowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import { StorageRetry } from '../kit/storage-retry.ts'
import type { SourceContext, Split, SplitEnumerator } from '../source.ts'
import type { DeltaSourceOptions } from './declaration.ts'
import { DeltaLog } from './delta-log.ts'
import { newSplit } from './split-position.ts'
import { openTableFiles } from './table-files.ts'
import { TableVersions } from './table-versions.ts'

/** Below the 15 s within which a user hears of a wrong path. */
const PATIENCE_MS = 8000

/**
 * The snapshot of the version that is the newest when the job first starts, dealt to as many splits as the job has slots
 * then; and for a source that goes on, one split of the changes after it.
 */
export class TableEnumerator implements SplitEnumerator {
  readonly #options: DeltaSourceOptions
  readonly #log: DeltaLog
  readonly #name: string
  readonly #versions: TableVersions
  readonly #retry: StorageRetry
  readonly #closing = new AbortController()

  constructor(context: SourceContext, options: DeltaSourceOptions) {
    const { ports, baseDir, schema } = context
    const files = openTableFiles(ports, baseDir, options.path)
    this.#options = options
    this.#name = files.name
    this.#log = new DeltaLog(files, 'transactions only')
    this.#versions = new TableVersions({ files, schema, rows: compileRowClass(schema), onRemove: options.onRemove })
    this.#retry = new StorageRetry({
      ports,
      name: `the Delta table ${files.name}`,
      closedCode: 'DELTA_CLOSED',
      signal: this.#closing.signal,
      reports: context,
    })
  }

  discover(known: readonly Split[], parallelism: number): Promise<Split[]> {
    if (known.length > 0) return Promise.resolve([...known])
    return this.#retry.run('looking at', PATIENCE_MS, () => this.#splits(parallelism))
  }

  async close(): Promise<void> {
    this.#closing.abort()
  }

  async #splits(parallelism: number): Promise<Split[]> {
    const { continuous, startingVersion } = this.#options
    const state = await this.#log.refresh()
    if (state === undefined)
      throw new MillraceError('DELTA_TABLE_MISSING', `there is no Delta table in ${this.#name}`, {
        domain: 'user',
        retriable: true,
        hint: 'a table is a folder with _delta_log in it; it is there once somebody has written it',
      })
    // the schema and the files are judged before any slot begins
    await this.#versions.filesOf({ kind: 'snapshot', part: 0, of: 1 }, state.version)
    if (startingVersion !== undefined) return [newSplit({ kind: 'changes' }, startingVersion)]
    const splits = Array.from({ length: parallelism }, (_, part) =>
      newSplit({ kind: 'snapshot', part, of: parallelism }, state.version),
    )
    return continuous === undefined ? splits : [...splits, newSplit({ kind: 'changes' }, state.version + 1)]
  }
}
