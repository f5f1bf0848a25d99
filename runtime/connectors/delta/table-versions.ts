import type { RowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'
import { DeltaLog } from './delta-log.ts'
import { checkFile, fileRows, type FileRows } from './file-rows.ts'
import type { DataFile, LogAction } from './log-actions.ts'
import type { SplitKind } from './split-position.ts'
import type { VersionFiles } from './table-cursor.ts'
import { checkReadable } from './table-protocol.ts'
import { checkReadColumns, tableColumns } from './table-schema.ts'
import type { TableFiles } from './table-files.ts'
import type { TableState } from './table-state.ts'

export interface TableVersionsOptions {
  readonly files: TableFiles
  readonly schema: Schema
  readonly rows: RowClass
  readonly onRemove: 'fail' | 'ignore'
}

/** The versions of a table, as the splits of a reader need them. */
export class TableVersions {
  readonly #options: TableVersionsOptions
  readonly #snapshots: DeltaLog
  /** Followed for as long as the source runs, so it does not keep the files of the table. */
  readonly #changes: DeltaLog
  /** The rows of the version that was looked at last; columns may be added later. */
  #fileRows: FileRows | undefined

  constructor(options: TableVersionsOptions) {
    this.#options = options
    this.#snapshots = new DeltaLog(options.files, 'files')
    this.#changes = new DeltaLog(options.files, 'transactions only')
  }

  /**
   * Undefined when there is no such version yet. Throws SCHEMA_MISMATCH, DELTA_FEATURE_UNKNOWN, DELTA_VERSION_GONE, and
   * DELTA_ROWS_REMOVED for a version that takes away rows which were read.
   */
  async filesOf(kind: SplitKind, version: number): Promise<VersionFiles | undefined> {
    if (kind.kind === 'changes') return this.#changesOf(version)
    const state = await this.#snapshots.stateAt(version)
    const files = snapshotFiles(state).filter((_, index) => index % kind.of === kind.part)
    return this.#checked(this.#rowsOf(state), files)
  }

  async #changesOf(version: number): Promise<VersionFiles | undefined> {
    const { files: tableFiles, onRemove } = this.#options
    const log = this.#changes
    const actions = await log.actionsOf(version)
    if (actions === undefined) {
      const newest = await log.refresh()
      if (newest !== undefined && newest.version >= version && (await log.actionsOf(version)) === undefined)
        throw log.gone(version)
      return undefined
    }
    if (this.#fileRows === undefined || actions.some(isOfTable))
      this.#fileRows = this.#rowsOf(await log.stateAt(version))
    const removed = actions.find((action) => action.kind === 'remove' && action.dataChange)
    if (removed?.kind === 'remove' && onRemove === 'fail')
      throw new MillraceError(
        'DELTA_ROWS_REMOVED',
        `version ${version} of the Delta table ${tableFiles.name} removes rows that were there: ${removed.path}`,
        {
          domain: 'user',
          hint: 'a stream cannot take rows back: with onRemove: ignore the source reads only what such versions add',
        },
      )
    const files = actions.flatMap((action) => (action.kind === 'add' && action.file.dataChange ? [action.file] : []))
    return this.#checked(this.#fileRows, files)
  }

  #rowsOf({ protocol, metadata }: TableState): FileRows {
    const { files, schema, rows } = this.#options
    const { name } = files
    checkReadable(name, protocol, metadata)
    const columns = tableColumns(name, metadata.schemaString)
    checkReadColumns(name, columns, schema)
    return fileRows(schema, rows, columns, metadata.partitionColumns)
  }

  #checked(rows: FileRows, files: readonly DataFile[]): VersionFiles {
    for (const file of files) checkFile(this.#options.files.name, file)
    return { files, rows }
  }
}

/** In an order that every process finds: as they were written. */
function snapshotFiles({ files }: TableState): DataFile[] {
  return [...files.values()].sort(
    (a, b) => a.modificationTime - b.modificationTime || (a.path < b.path ? -1 : a.path > b.path ? 1 : 0),
  )
}

function isOfTable({ kind }: LogAction): boolean {
  return kind === 'metaData' || kind === 'protocol'
}
