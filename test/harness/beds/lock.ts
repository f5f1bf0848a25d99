import { createHash } from 'node:crypto'
import { connect, createServer } from 'node:net'
import type { Server } from 'node:net'
import { unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { say } from './progress.ts'

/**
 * A lock between processes of this machine that nobody can leave behind: a listening Unix socket, which the kernel
 * closes when its owner ends, however it ends. Who waits is connected to it, and sees that.
 */
export interface Lock {
  release(): Promise<void>
}

// On Linux the socket's name is abstract (leading NUL): no file, so none is left over.
const addressOf = (name: string): string => {
  const id = `millrace-${createHash('sha256').update(name).digest('hex').slice(0, 24)}`
  return process.platform === 'linux' ? `\0${id}` : join(tmpdir(), `${id}.sock`)
}

/** Waits for as long as another process holds the lock of that name, saying so once. */
export async function acquireLock(bed: string, name: string): Promise<Lock> {
  const address = addressOf(name)
  let told = false
  for (;;) {
    const server = await tryListen(address)
    if (server !== undefined) {
      return { release: () => new Promise((done) => server.close(() => done())) }
    }
    if (!told) say(bed, `waiting for another process that holds "${name}"`)
    told = true
    await untilOwnerEnds(address)
  }
}

/** Runs `work` while holding the lock. */
export async function withLock<T>(bed: string, name: string, work: () => Promise<T>): Promise<T> {
  const lock = await acquireLock(bed, name)
  try {
    return await work()
  } finally {
    await lock.release()
  }
}

function tryListen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const waiting = new Set<{ destroy(): void }>()
    const server = createServer((socket) => {
      waiting.add(socket)
      // an owner that goes on must not be kept alive by who waits, nor fail because who waits went away
      socket.unref()
      socket.on('error', () => socket.destroy())
      socket.on('close', () => waiting.delete(socket))
    })
    const close = server.close.bind(server)
    server.close = (callback) => {
      for (const socket of waiting) socket.destroy()
      return close(callback)
    }
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen(address, () => resolve(server.unref()))
  })
}

function untilOwnerEnds(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(address)
    socket.on('close', () => resolve())
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT' && error.code !== 'ECONNRESET') return reject(error)
      // only a file (not Linux) can outlive its owner
      if (error.code === 'ECONNREFUSED' && !address.startsWith('\0')) unlinkSync(address)
      resolve()
    })
  })
}
