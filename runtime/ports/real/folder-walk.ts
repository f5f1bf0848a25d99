import { readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { isErrno } from './durable-file.ts'

/** Files whose names start with a dot are temporary: what a write has left that was cut short, or that is under way. */
export type FileKind = 'whole' | 'temporary'

/**
 * Paths of the files below `root` that begin with a prefix, in the order of their bytes. As in object stores the prefix
 * may end inside a name. A folder that is absent, or vanishes meanwhile, is empty.
 */
export async function filesUnder(root: string, prefix: string, wanted: FileKind): Promise<string[]> {
  const found: string[] = []
  await walk(root, join(root, prefix.slice(0, prefix.lastIndexOf('/') + 1)), wanted, found)
  return found.filter((path) => path.startsWith(prefix)).sort(byBytes)
}

/** As object stores sort: UTF-16 would put characters beyond the basic plane elsewhere. */
export function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

async function walk(root: string, folder: string, wanted: FileKind, found: string[]): Promise<void> {
  let entries
  try {
    entries = await readdir(folder, { withFileTypes: true })
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return
    throw error
  }
  for (const entry of entries) {
    const kind: FileKind = entry.name.startsWith('.') ? 'temporary' : 'whole'
    const path = join(folder, entry.name)
    if (!entry.isDirectory()) {
      if (kind === wanted) found.push(relative(root, path).split(sep).join('/'))
    } else if (kind === 'whole') await walk(root, path, wanted, found)
  }
}
