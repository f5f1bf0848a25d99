import type { StateFile } from '../model/snapshot.ts'
import type { KeyGroupRange } from '../plan/key-groups.ts'

/** [key group, offset, length] in a state file. */
export type BlockRow = StateFile['groups'][number]

/** Where a block that has been restored came from. */
export interface BlockPlace {
  path: string
  sha256: string
  offset: number
  length: number
}

/** The blocks of each key group that an operator has restored, in their order. */
export type RestoredBlocks = ReadonlyMap<number, readonly BlockPlace[]>

/** The blocks of a file that are still to be restored. */
export interface FileRest {
  file: StateFile
  blocks: readonly BlockRow[]
}

/**
 * The blocks that are left to restore from an operator's files in the key groups of `range`, in their order, after
 * `restored`. Undefined unless `restored` is a beginning of the files in every key group: a block too much cannot be
 * taken out again, and a key that was deleted since would live on. Pure.
 */
export function restOf(
  restored: RestoredBlocks,
  files: readonly StateFile[],
  range: KeyGroupRange,
): readonly FileRest[] | undefined {
  const met = new Map<number, number>()
  const rest: FileRest[] = []
  for (const file of files) {
    const blocks: BlockRow[] = []
    for (const row of file.groups) {
      const [group] = row
      if (group < range.first || group >= range.endExclusive) continue
      const at = met.get(group) ?? 0
      met.set(group, at + 1)
      const before = restored.get(group)?.[at]
      if (before === undefined) blocks.push(row)
      else if (!isSame(before, file, row)) return undefined
    }
    if (blocks.length > 0) rest.push({ file, blocks })
  }
  for (const [group, blocks] of restored) if ((met.get(group) ?? 0) < blocks.length) return undefined
  return rest
}

function isSame({ path, sha256, offset, length }: BlockPlace, file: StateFile, row: BlockRow): boolean {
  return path === file.path && sha256 === file.sha256 && offset === row[1] && length === row[2]
}
