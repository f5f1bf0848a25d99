import { link, mkdir, open, rename, rmdir, unlink } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { basename, dirname, join } from 'node:path'

/**
 * Replaces `path` whole or not at all: a temporary file in the same folder, flushed, renamed, and the folder
 * flushed (without that a rename may be lost in a crash of the machine). Creates folders.
 */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = await writeTemporary(path, bytes)
  try {
    await rename(temporary, path)
  } catch (error) {
    await unlinkIfPresent(temporary)
    throw error
  }
  await syncFolder(dirname(path))
}

/**
 * Creates `path` with its whole content unless it exists: link(2) fails when the name is taken and shows all bytes at
 * once. Exactly one of any number of callers gets 'created'.
 */
export async function createDurably(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
  const temporary = await writeTemporary(path, bytes)
  try {
    await link(temporary, path)
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return 'exists'
    throw error
  } finally {
    await unlinkIfPresent(temporary)
  }
  await syncFolder(dirname(path))
  return 'created'
}

/** Writes and flushes the bytes beside `path`, under a name that starts with a dot; the caller moves or deletes it. */
export async function writeTemporary(path: string, bytes: Uint8Array): Promise<string> {
  const temporary = temporaryName(path)
  const file = await openCreatingFolders(temporary)
  try {
    // writeFile would come back to the loop for every half megabyte, and wait there for its turn
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten
    await file.sync()
  } catch (error) {
    await file.close()
    await unlinkIfPresent(temporary)
    throw error
  }
  await file.close()
  return temporary
}

/** A new name beside `path`. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
}

/** The name of the file that a temporary one is written for; undefined for names that `temporaryName` does not give. */
export function nameOfTemporary(name: string): string | undefined {
  return /^\.([^/]+)\.[0-9a-f]{12}\.tmp$/.exec(name)?.[1]
}

/** Opens a new file for writing. */
export async function openCreatingFolders(path: string): ReturnType<typeof open> {
  try {
    return await open(path, 'wx')
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    await makeFolder(dirname(path))
    return open(path, 'wx')
  }
}

/**
 * Makes a folder and those above it. Node's `recursive` is not used: of a read-only file system it says that there is no
 * such folder, and below /proc it never returns (seen with Node 20 and 26).
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder)
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return
    const parent = dirname(folder)
    if (!isErrno(error, 'ENOENT') || parent === folder) throw error
    await makeFolder(parent)
    await makeLast(folder)
  }
}

/** Another process may have made it meanwhile. */
async function makeLast(folder: string): Promise<void> {
  try {
    await mkdir(folder)
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
  }
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export async function unlinkIfPresent(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

/** A writer that uses the folder at that moment creates it again. */
export async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder)
  } catch (error) {
    // EBUSY: the job's own folder is a mount of its pod
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY'].some((code) => isErrno(error, code))) throw error
  }
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** A temporary file's name is new at every try: with it in the text, the same trouble would look new each time. */
export function withoutPath(cause: unknown): unknown {
  if (!(cause instanceof Error && 'syscall' in cause)) return cause
  return new Error(cause.message.replace(/, \w+ '.*$/s, ''))
}
