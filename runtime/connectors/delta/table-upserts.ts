import { MillraceError } from '../../model/errors.ts'
import {
  attemptOf,
  missingFiles,
  transactionOf,
  type DeltaCommittable,
  type NewFile,
  type PreparedFiles,
} from './committable.ts'
import { copiedColumns, type CopiedColumns } from './copied-columns.ts'
import { copyFiles, type FileCopiesOptions } from './file-copies.ts'
import { checkKey, KeyColumns } from './key-columns.ts'
import type { DataFile, WrittenAction } from './log-actions.ts'
import { replacedRows } from './replaced-rows.ts'
import type { SinkTable } from './sink-table.ts'
import { checkFile } from './file-rows.ts'
import { checkReplaceable } from './table-protocol.ts'
import { tableRows } from './table-rows.ts'
import { tableColumns } from './table-schema.ts'
import type { TableState } from './table-state.ts'
import { TouchedKeys } from './touched-keys.ts'
import { UpsertPlan } from './upsert-plan.ts'

export interface TableUpsertsOptions extends FileCopiesOptions {
  readonly table: SinkTable
  /** How the names of all transactions of the sink begin. */
  readonly appPrefix: string
  readonly attempt: number
}

/**
 * Versions of a table in which rows replace those of their key. The files that hold touched keys are removed and the rest
 * of their rows written again (copy on write), in the same version that adds the new rows. A version is computed again
 * from the state behind which it is put, so that what others append, remove or rewrite meanwhile is seen.
 */
export class TableUpserts {
  readonly #options: TableUpsertsOptions

  constructor(options: TableUpsertsOptions) {
    this.#options = options
  }

  /**
   * Puts what the table does not have yet, in one version; none when it has all. Rejects with SINK_FENCED when a newer
   * attempt of the job has written the table, as UpsertPlan and as SinkTable do.
   */
  async upsert(committable: DeltaCommittable, key: readonly string[]): Promise<void> {
    const { table, now } = this.#options
    let begun: Begun | undefined
    for (let lost = 0; ; lost++) {
      const state = await table.current()
      const missing = missingFiles(state, committable)
      if (missing.length === 0) return
      this.#checkFence(state)
      const { columns, keys } = replacedColumns(this.#options.files.name, state, key)
      begun ??= await this.#begin(missing, columns, keys)
      const { removed, copies } = await begun.plan.follow(state, columns, keys)
      const timestamp = now()
      const actions = [
        commitInfo(timestamp, state.version, key),
        // also when nothing is to be done: a later repetition would delete what was written since
        transactionOf(committable, timestamp),
        ...removed.map((file) => removeOf(file, timestamp)),
        ...[...copies, ...begun.added].map((file) => table.addOf(state, file)),
      ]
      if ((await table.put(state, actions, lost)) === 'committed') return
    }
  }

  async #begin(missing: readonly PreparedFiles[], columns: CopiedColumns, keys: KeyColumns): Promise<Begun> {
    const touched = new TouchedKeys(keys, columns)
    // a file of deleted keys has those of partitions as columns
    const deletedKeys = new KeyColumns({ schema: { fields: keys.fields }, partitions: { fields: [] } }, namesOf(keys))
    for (const [generation, { files, deletes }] of missing.entries()) {
      for (const file of files) await this.#addKeys(touched, generation, keys, file)
      for (const file of deletes) await this.#addKeys(touched, generation, deletedKeys, file)
    }
    const added: NewFile[] = []
    for (const [generation, { files }] of missing.entries()) {
      if (generation === missing.length - 1) added.push(...files)
      else for (const file of files) added.push(...(await this.#stillNewest(touched, generation, file, columns, keys)))
    }
    return { added, plan: new UpsertPlan(this.#options, touched) }
  }

  async #addKeys(touched: TouchedKeys, generation: number, keys: KeyColumns, file: NewFile): Promise<void> {
    const partition = new Map(file.partition)
    const { files, breathe } = this.#options
    const about = { schema: keys.schema, timestamps: 'microseconds', breathe } as const
    for await (const rows of tableRows(files, file.path, about))
      for (const row of rows) touched.add(generation, keys.valuesOf(partition, row))
  }

  /** The file, or a copy without the rows that a newer generation replaces. */
  async #stillNewest(
    touched: TouchedKeys,
    generation: number,
    file: NewFile,
    columns: CopiedColumns,
    keys: KeyColumns,
  ): Promise<readonly NewFile[]> {
    const { path } = file
    const partitionValues = new Map(file.partition)
    const { replaced } = await replacedRows(this.#options, touched, { path, partitionValues, generation }, keys)
    if (replaced.size === 0) return [file]
    return copyFiles(this.#options, columns, partitionValues, [{ path, replaced }])
  }

  /** An attempt that was replaced must not put its older rows over those of the newer one. */
  #checkFence({ transactions }: TableState): void {
    const { appPrefix, attempt, files } = this.#options
    for (const appId of transactions.keys()) {
      const newer = attemptOf(appId, appPrefix) ?? 0
      if (newer > attempt)
        throw new MillraceError(
          'SINK_FENCED',
          `attempt ${newer} of the job writes the Delta table ${files.name}, this is attempt ${attempt}`,
          { domain: 'platform' },
        )
    }
  }
}

interface Begun {
  /** The files of the new rows. */
  readonly added: readonly NewFile[]
  readonly plan: UpsertPlan
}

/**
 * Throws SCHEMA_MISMATCH and DELTA_FEATURE_UNKNOWN for a table of which rows cannot be replaced by that key without harm to
 * others.
 */
export function checkUpsertable(name: string, state: TableState, key: readonly string[]): void {
  replacedColumns(name, state, key)
  for (const file of state.files.values()) checkFile(name, file)
}

function replacedColumns(
  name: string,
  { protocol, metadata }: TableState,
  key: readonly string[],
): { columns: CopiedColumns; keys: KeyColumns } {
  checkReplaceable(name, protocol, metadata)
  const columns = copiedColumns(name, tableColumns(name, metadata.schemaString), metadata.partitionColumns)
  const keys = new KeyColumns(columns, key)
  checkKey(name, keys)
  return { columns, keys }
}

function namesOf({ fields }: KeyColumns): string[] {
  return fields.map(({ name }) => name)
}

function commitInfo(timestamp: number, readVersion: number, key: readonly string[]): WrittenAction {
  const operationParameters = {
    predicate: `(${key.map((name) => `target.${name} = source.${name}`).join(' AND ')})`,
    matchedPredicates: '[{"actionType":"update"},{"actionType":"delete"}]',
    notMatchedPredicates: '[{"actionType":"insert"}]',
  }
  const info = { timestamp, operation: 'MERGE', operationParameters, readVersion, isBlindAppend: false }
  return { commitInfo: { ...info, isolationLevel: 'Serializable', engineInfo: 'millrace' } }
}

function removeOf({ encodedPath, partitionValues, sizeBytes }: DataFile, deletionTimestamp: number): WrittenAction {
  return {
    remove: {
      path: encodedPath,
      deletionTimestamp,
      dataChange: true,
      extendedFileMetadata: true,
      partitionValues: Object.fromEntries(partitionValues),
      size: sizeBytes,
    },
  }
}
