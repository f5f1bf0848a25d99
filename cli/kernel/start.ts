import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { API_VERSION } from '../../runtime/front/job-file.ts'
import type { Fields } from '../../runtime/model/fields.ts'
import { describeWithCauses } from '../../runtime/model/errors.ts'
import type { Console } from '../console.ts'
import { startCell } from './cell-runner.ts'
import { readConnection } from './connection.ts'
import { Kernel } from './kernel.ts'
import { openSockets } from './sockets.ts'
import { PROTOCOL_VERSION, Wire, type KernelMessage } from './wire.ts'

/** How often the kernel looks whether Jupyter is still there. */
const PARENT_MS = 1_000
const MOST_TOLD = 100

/**
 * `millrace kernel start`: a Jupyter kernel that listens where the connection file says, until a client asks for its
 * shutdown, Jupyter ends, or SIGTERM comes. Exit code 0. Throws CONNECTION_FILE_INVALID, KERNEL_PORTS_TAKEN.
 */
export async function startKernel(file: string, console: Console): Promise<number> {
  const connection = readConnection(file, readFileSync(file, 'utf8'))
  const wire = new Wire(connection.key)
  const tellOnce = onceEach((what) => console.err(`millrace kernel: ${what}; said once\n`))
  const failed = (error: unknown): void => tellOnce(`a message could not be sent: ${describeWithCauses(error)}`)
  const written = messagesOf(randomUUID())
  const ended = Promise.withResolvers<number>()
  const sockets = await openSockets(connection, (channel, frames) => {
    const received = wire.read(frames)
    if ('message' in received) kernel.take(channel, received.message)
    else tellOnce(`a message was discarded: ${received.refused}`)
  })
  const kernel = new Kernel({
    reply: (channel, request, type, content) => {
      const frames = wire.frames(written(type, request, content, request.identities))
      sockets.reply(channel, frames).catch(failed)
    },
    publish: (parent, type, content) => {
      sockets.publish(wire.frames(written(type, parent, content, [Buffer.from(type)]))).catch(failed)
    },
    startCell,
    end: () => ended.resolve(0),
    version: API_VERSION,
  })
  kernel.start()
  const release = followOutside(kernel, () => ended.resolve(0))
  const code = await ended.promise
  release()
  kernel.close()
  await sockets.close()
  return code
}

type Written = (
  type: string,
  parent: KernelMessage | undefined,
  content: Fields,
  identities: readonly Buffer[],
) => KernelMessage

/** Makes the messages of one session; `parent` is the request that one of them answers. */
function messagesOf(session: string): Written {
  return (type, parent, content, identities) => ({
    identities,
    header: {
      msg_id: randomUUID(),
      msg_type: type,
      session,
      username: 'millrace',
      date: new Date().toISOString(),
      version: PROTOCOL_VERSION,
    },
    parentHeader: parent === undefined ? {} : { ...parent.header },
    metadata: {},
    content,
  })
}

/** A peer that sends nonsense for hours does not fill the log. */
function onceEach(tell: (what: string) => void): (what: string) => void {
  const told = new Set<string>()
  return (what) => {
    if (told.has(what) || told.size >= MOST_TOLD) return
    told.add(what)
    tell(what)
  }
}

/** Follows signals, and ends the kernel when the Jupyter that started it is gone. */
function followOutside(kernel: Kernel, end: () => void): () => void {
  const parent = process.ppid
  const look = setInterval(() => {
    if (process.ppid !== parent) end()
  }, PARENT_MS)
  const interrupt = (): void => kernel.interrupt()
  const terminate = (): void => end()
  process.on('SIGINT', interrupt).on('SIGTERM', terminate).on('SIGHUP', terminate)
  return () => {
    clearInterval(look)
    process.off('SIGINT', interrupt).off('SIGTERM', terminate).off('SIGHUP', terminate)
  }
}
