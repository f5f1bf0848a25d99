import { appendFile, glob, lstat, open, realpath, rename, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Files } from '../files.ts'
import { isErrno, makeFolder, syncFolder, unlinkIfPresent, writeDurably } from './durable-file.ts'

/** The machine's file system. */
export const realFiles: Files = {
  async glob(pattern) {
    // A path that exists is meant literally, also when it contains `[` or `*`.
    if (await exists(pattern)) return (await isFolder(pattern)) ? [] : [pattern]
    const paths: string[] = []
    for await (const path of glob(pattern)) if (!(await isFolder(path))) paths.push(path)
    return paths.sort()
  },

  async sizeBytes(path) {
    return (await stat(path)).size
  },

  async read(path, offset, length) {
    const file = await open(path, 'r')
    try {
      const bytes = new Uint8Array(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return filled === length ? bytes : bytes.subarray(0, filled)
    } finally {
      await file.close()
    }
  },

  write: writeDurably,

  async append(path, bytes) {
    try {
      await appendFile(path, bytes)
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error
      await makeFolder(dirname(path))
      await appendFile(path, bytes)
    }
  },

  async sync(path) {
    const file = await open(path, 'r+')
    try {
      await file.sync()
    } finally {
      await file.close()
    }
    await syncFolder(dirname(path))
  },

  async rename(from, to) {
    await rename(from, to)
    await syncFolder(dirname(to))
  },

  exists,
  delete: unlinkIfPresent,
  realPath: (path) => realPath(resolve(path)),
}

async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
  if (await isThere(path)) throw Object.assign(new Error(`${path} is a link that leads nowhere`), { code: 'ELOOP' })
  return join(await realPath(dirname(path)), basename(path))
}

/** Also when it is a link that leads nowhere. */
async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return false
    throw error
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    // gone since it was listed, or a link that leads nowhere: whoever reads it says so
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}
