import { appendFile, type FileHandle, glob, lstat, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Files, LogFile } from '../files.ts'
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
  createLog,

  deleteFolder: (path) => rm(path, { recursive: true, force: true }),

  delete: unlinkIfPresent,
  realPath: (path) => realPath(resolve(path)),
}

async function createLog(path: string): Promise<LogFile> {
  const file = await open(path, 'ax')
  const { dev, ino } = await placeOf(file, path).catch(async (error: unknown) => {
    await file.close()
    throw error
  })
  return {
    async append(bytes) {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten
    },
    sync: () => file.datasync(),
    // opening asks the server of a network file system, where a mere look may be answered from a cache
    async isInPlace() {
      try {
        const there = await open(path, 'r')
        try {
          const found = await there.stat()
          return found.dev === dev && found.ino === ino
        } finally {
          await there.close()
        }
      } catch (error) {
        if (isErrno(error, 'ENOENT')) return false
        throw error
      }
    },
    close: () => file.close(),
  }
}

/** Once the name of the file survives a crash. */
async function placeOf(file: FileHandle, path: string): Promise<{ dev: number; ino: number }> {
  await syncFolder(dirname(path))
  return file.stat()
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
