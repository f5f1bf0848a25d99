import type { NewFile } from './committable.ts'
import type { CopiedColumns } from './copied-columns.ts'
import { copyFiles, type FileCopiesOptions } from './file-copies.ts'
import { checkFile } from './file-rows.ts'
import type { KeyColumns } from './key-columns.ts'
import type { DataFile } from './log-actions.ts'
import { replacedRows, type ReplacedRows } from './replaced-rows.ts'
import type { TableState } from './table-state.ts'
import { IN_TABLE, type TouchedKeys } from './touched-keys.ts'

/** Files of the table and those that have the rest of their rows. */
interface Rewrite {
  readonly sources: readonly DataFile[]
  readonly copies: readonly NewFile[]
}

interface TouchedFile {
  readonly file: DataFile
  readonly rows: ReplacedRows
}

/** What a version takes out of the table, and the copies of what stays. */
export interface UpsertChanges {
  readonly removed: readonly DataFile[]
  readonly copies: readonly NewFile[]
}

/**
 * Which files of the table one upsert replaces. Others may commit meanwhile: the plan then follows the newer state. What
 * was found out of files that are still there holds, because files never change; a copy of one that was removed or changed
 * is made again.
 */
export class UpsertPlan {
  readonly #copying: FileCopiesOptions
  readonly #touched: TouchedKeys
  readonly #untouched = new Set<DataFile>()
  #rewrites: Rewrite[] = []

  constructor(copying: FileCopiesOptions, touched: TouchedKeys) {
    this.#copying = copying
    this.#touched = touched
  }

  /** Rejects with DELTA_FEATURE_UNKNOWN for a touched file with a deletion vector, and as `copyFiles` does. */
  async follow(state: TableState, columns: CopiedColumns, keys: KeyColumns): Promise<UpsertChanges> {
    const live = new Set(state.files.values())
    this.#rewrites = this.#rewrites.filter(({ sources }) => sources.every((source) => live.has(source)))
    const known = new Set(this.#rewrites.flatMap(({ sources }) => sources))
    const found: TouchedFile[] = []
    for (const file of live) {
      if (known.has(file) || this.#untouched.has(file) || !this.#touched.mayBeIn(file)) continue
      const touched = await this.#lookInto(file, keys)
      if (touched === undefined) this.#untouched.add(file)
      else found.push(touched)
    }
    for (const group of byPartition(found)) this.#rewrites.push(await this.#rewrite(group, columns))
    return {
      removed: this.#rewrites.flatMap(({ sources }) => sources),
      copies: this.#rewrites.flatMap(({ copies }) => copies),
    }
  }

  /** Undefined when no row has a touched key. */
  async #lookInto(file: DataFile, keys: KeyColumns): Promise<TouchedFile | undefined> {
    checkFile(this.#copying.files.name, file)
    const rows = await replacedRows(this.#copying, this.#touched, { ...file, generation: IN_TABLE }, keys)
    return rows.replaced.size === 0 ? undefined : { file, rows }
  }

  async #rewrite(found: readonly TouchedFile[], columns: CopiedColumns): Promise<Rewrite> {
    const sources = found.map(({ file }) => file)
    const copied = found
      .filter(({ rows: { replaced, count } }) => replaced.size < count)
      .map(({ file: { path }, rows: { replaced } }) => ({ path, replaced }))
    const copies = await copyFiles(this.#copying, columns, sources[0]?.partitionValues ?? new Map(), copied)
    return { sources, copies }
  }
}

function byPartition(found: readonly TouchedFile[]): Iterable<TouchedFile[]> {
  const groups = new Map<string, TouchedFile[]>()
  for (const touched of found) {
    const id = JSON.stringify([...touched.file.partitionValues])
    const group = groups.get(id)
    if (group === undefined) groups.set(id, [touched])
    else group.push(touched)
  }
  return groups.values()
}
