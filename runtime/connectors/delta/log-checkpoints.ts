import { nestedParquet } from '../../formats/parquet/nested-writer.ts'
import type { ParquetCompression } from '../../formats/parquet/packed-page.ts'
import { MillraceError } from '../../model/errors.ts'
import { CHECKPOINT_COLUMNS } from './checkpoint-columns.ts'
import { DeltaLog } from './delta-log.ts'
import type { TableMetadata } from './log-actions.ts'
import type { TableFiles } from './table-files.ts'

const DEFAULT_INTERVAL = 10
/** A checkpoint is put together in memory, about 1 kB for each action. */
const MOST_ACTIONS = 200_000

export interface LogCheckpointsOptions {
  readonly files: TableFiles
  readonly compression: ParquetCompression
  now(): number
  /** Called when a checkpoint could not be written, and with null when one was written behind that. */
  report(error: MillraceError | null): void
}

/**
 * Writes a checkpoint of the log behind every so many versions, so that nobody has to read all of them. The writer that
 * commits such a version writes its checkpoint. The table is as sound without one.
 */
export class LogCheckpoints {
  readonly #options: LogCheckpointsOptions
  #failed = false

  constructor(options: LogCheckpointsOptions) {
    this.#options = options
  }

  /** Never rejects. */
  async onVersion(version: number, { configuration }: TableMetadata): Promise<void> {
    if (version === 0 || version % intervalOf(configuration) !== 0) return
    // then other checkpoints have statistics in a form that this one would lose
    if (configuration.get('delta.checkpoint.writeStatsAsJson')?.toLowerCase() === 'false') return
    const { report } = this.#options
    try {
      await this.#write(version)
      if (this.#failed) report(null)
      this.#failed = false
    } catch (cause) {
      this.#failed = true
      report(this.#unwritten(version, cause))
    }
  }

  async #write(version: number): Promise<void> {
    const { files, compression, now } = this.#options
    const log = new DeltaLog(files, 'transactions only')
    const state = await log.checkpointState(version, MOST_ACTIONS)
    const rows = state.rows(now())
    if (rows === undefined) throw log.gone(version)
    const bytes = nestedParquet(CHECKPOINT_COLUMNS, rows, compression)
    await log.putCheckpoint({ version, bytes, actions: rows.length, files: state.files })
  }

  #unwritten(version: number, cause: unknown): MillraceError {
    const { name } = this.#options.files
    return new MillraceError(
      'DELTA_CHECKPOINT_FAILED',
      `version ${version} of the Delta table ${name} is written, and the checkpoint of its log is not: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        domain: 'dependency',
        cause,
        hint: 'the table is sound, and its log takes longer to read; the next checkpoint is tried in time',
      },
    )
  }
}

function intervalOf(configuration: ReadonlyMap<string, string>): number {
  const interval = Number(configuration.get('delta.checkpointInterval') ?? DEFAULT_INTERVAL)
  return Number.isSafeInteger(interval) && interval > 0 ? interval : DEFAULT_INTERVAL
}
