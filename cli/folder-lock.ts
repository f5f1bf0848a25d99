import { mkdirSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { MillraceError } from '../runtime/model/errors.ts'
import { isErrno } from '../runtime/ports/real/durable-file.ts'

const FILE = 'dev.sock'

/**
 * Takes the folder for this process, so that no two clusters run the same jobs; resolves to what gives it back. The
 * lock is a socket that its holder listens on: a process that was killed leaves the file behind and listens no more.
 * Throws DEV_RUNS_ALREADY.
 */
export async function lockFolder(dir: string): Promise<() => void> {
  mkdirSync(dir, { recursive: true })
  // Names of sockets end after some hundred characters, wherever the folder lies.
  const path = relative('', join(dir, FILE))
  for (;;) {
    const release = await listenOn(path)
    if (release !== undefined) return release
    const holder = await holderOf(path)
    if (holder !== undefined)
      throw new MillraceError('DEV_RUNS_ALREADY', `process ${holder} serves ${dir} already`, {
        domain: 'user',
        hint: `Apply jobs to it with KUBECONFIG=${join(dir, 'kubeconfig')}, end it, or start in another folder.`,
      })
    rmSync(path, { force: true })
  }
}

/** Undefined when there is such a file. Whoever connects is told the id of this process. */
function listenOn(path: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.end(String(process.pid)))
    server.once('error', (error) => {
      if (isErrno(error, 'EADDRINUSE')) resolve(undefined)
      else reject(error)
    })
    server.listen(path, () => {
      server.unref()
      resolve(() => server.close())
    })
  })
}

/** Undefined when nobody listens. */
async function holderOf(path: string): Promise<string | undefined> {
  try {
    return await text(connect(path))
  } catch (error) {
    if (isErrno(error, 'ECONNREFUSED') || isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
