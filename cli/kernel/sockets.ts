import type * as Zeromq from 'zeromq'
import type { Publisher, Reply, Router } from 'zeromq'
import { MillraceError } from '../../runtime/model/errors.ts'
import type { Connection } from './connection.ts'

/** A frame of a peer; a connection that sends a larger one is closed. A cell of a megabyte is refused by its reader. */
const LARGEST_FRAME = 4 << 20
/** Messages that wait for a slow or absent reader, for each of them; behind that they are lost, as ZeroMQ has it. */
const WAITING_MESSAGES = 1000

/** The sockets of a kernel. */
export interface KernelSockets {
  /** Sends to the client that asked, through the socket it asked at. */
  reply(channel: Channel, frames: readonly Buffer[]): Promise<void>
  /** Sends to every client. */
  publish(frames: readonly Buffer[]): Promise<void>
  /** Unbinds all sockets when what was sent is on its way. */
  close(): Promise<void>
}

export type Channel = 'shell' | 'control'

/** Takes the frames of one request; called for one request of a channel after the other, without waiting. */
export type Take = (channel: Channel, frames: readonly Buffer[]) => void

/**
 * Binds the five sockets of a kernel (jupyter-client docs, "Messaging in Jupyter"): shell, control and stdin are ROUTER,
 * iopub is PUB, and the heartbeat is a REP that sends back what it gets. Nothing is read from stdin: no job asks its
 * author. Throws KERNEL_PORTS_TAKEN, ZEROMQ_UNAVAILABLE.
 */
export async function openSockets(connection: Connection, take: Take): Promise<KernelSockets> {
  const limits = { maxMessageSize: LARGEST_FRAME, sendHighWaterMark: WAITING_MESSAGES, linger: 500 }
  const zeromq = await loadZeromq()
  const shell = new zeromq.Router(limits)
  const control = new zeromq.Router(limits)
  const stdin = new zeromq.Router(limits)
  const iopub = new zeromq.Publisher(limits)
  const heartbeat = new zeromq.Reply(limits)
  const all = [shell, control, stdin, iopub, heartbeat]
  const closeAll = (): void => {
    for (const socket of all) socket.close()
  }
  const { ip, ports } = connection
  try {
    for (const [socket, port] of [
      [shell, ports.shell_port],
      [control, ports.control_port],
      [stdin, ports.stdin_port],
      [iopub, ports.iopub_port],
      [heartbeat, ports.hb_port],
    ] as const)
      await bound(socket, `tcp://${ip.includes(':') ? `[${ip}]` : ip}:${port}`)
  } catch (error) {
    closeAll()
    throw error
  }
  void receive(shell, (frames) => take('shell', frames))
  void receive(control, (frames) => take('control', frames))
  void echo(heartbeat)
  const [shellTurns, controlTurns, iopubTurns] = [new SendTurns(shell), new SendTurns(control), new SendTurns(iopub)]
  return {
    reply: (channel, frames) => (channel === 'shell' ? shellTurns : controlTurns).send(frames),
    publish: (frames) => iopubTurns.send(frames),
    close: async () => {
      await Promise.all([shellTurns.sent, controlTurns.sent, iopubTurns.sent])
      closeAll()
    },
  }
}

async function loadZeromq(): Promise<typeof Zeromq> {
  try {
    return await import('zeromq')
  } catch (cause) {
    throw new MillraceError(
      'ZEROMQ_UNAVAILABLE',
      `the package zeromq has no binary for ${process.platform}-${process.arch} here`,
      { domain: 'platform', cause, hint: 'install it where a compiler is: npm rebuild zeromq --ignore-scripts=false' },
    )
  }
}

async function bound(socket: Router | Publisher | Reply, address: string): Promise<void> {
  try {
    await socket.bind(address)
  } catch (cause) {
    throw new MillraceError('KERNEL_PORTS_TAKEN', `the kernel cannot listen at ${address}`, {
      domain: 'platform',
      cause,
      hint: 'start the kernel again: Jupyter chooses other ports',
    })
  }
}

async function receive(socket: Router, take: (frames: readonly Buffer[]) => void): Promise<void> {
  for await (const frames of socket) take(frames)
}

async function echo(socket: Reply): Promise<void> {
  for await (const frames of socket) await socket.send(frames)
}

/** Sends one message after the other: ZeroMQ allows one send at a time for each socket. */
class SendTurns {
  readonly #socket: Router | Publisher
  #last: Promise<void> = Promise.resolve()

  constructor(socket: Router | Publisher) {
    this.#socket = socket
  }

  /** Resolves when all messages of now are sent; never rejects. */
  get sent(): Promise<void> {
    return this.#last
  }

  send(frames: readonly Buffer[]): Promise<void> {
    const sent = this.#last.then(async () => {
      if (!this.#socket.closed) await this.#socket.send([...frames])
    })
    // the caller hears of it; the next is sent all the same
    this.#last = sent.catch(() => undefined)
    return sent
  }
}
