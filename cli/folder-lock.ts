import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join, relative } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { MillraceError } from '../runtime/model/errors.ts'
import { isErrno } from '../runtime/ports/real/durable-file.ts'

const FILE = 'dev.sock'
const ANSWER_MS = 2000
const TURN_MS = 50

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
      throw new MillraceError('DEV_RUNS_ALREADY', `${holder} serves ${dir} already`, {
        domain: 'user',
        hint: `Apply jobs to it with KUBECONFIG=${join(dir, 'kubeconfig')}, end it, or start in another folder.`,
      })
    await removeDead(path)
  }
}

/** One process at a time looks and removes: another may have taken the folder since the look before. */
async function removeDead(path: string): Promise<void> {
  const turn = `${path}.removed`
  try {
    writeFileSync(turn, '', { flag: 'wx' })
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
    await setTimeout(TURN_MS)
    // A process that was killed in its turn does not end it.
    if (Date.now() - (statSync(turn, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) > ANSWER_MS * 2)
      rmSync(turn, { force: true })
    return
  }
  try {
    if ((await holderOf(path)) === undefined) rmSync(path, { force: true })
  } finally {
    rmSync(turn, { force: true })
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

/** Undefined when nobody listens. A process that is stopped listens and says nothing. */
function holderOf(path: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let pid = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      pid += text
    })
    socket.setTimeout(ANSWER_MS, () => {
      socket.destroy()
    })
    socket.once('error', (error) => {
      if (isErrno(error, 'ECONNREFUSED') || isErrno(error, 'ENOENT')) resolve(undefined)
      else reject(error)
    })
    socket.once('close', () => {
      resolve(pid === '' ? 'a process that does not answer' : `process ${pid}`)
    })
  })
}
