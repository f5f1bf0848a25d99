import { createServer, Socket } from 'node:net'
import type { AddressInfo, LookupFunction, Server, SocketConstructorOpts } from 'node:net'
import { MillraceError } from '../../model/errors.ts'
import type { AddressGuard } from './guarded-lookup.ts'
import type { Connection, ListenAddress, Listener, Net, NetAddress, PeerAddress } from '../net.ts'

/**
 * Bytes a socket buffers before `onDrain` is owed. A writer that waits with less than this buffered waits for ever:
 * it must be well below the limit of every writer (exchange/channel-writer.ts).
 */
export const HIGH_WATER_MARK = 256 * 1024
const CONNECT_TIMEOUT_MS = 10_000
/** A peer that is gone without a word is noticed by the kernel's probes, the first of them after so long. */
const KEEP_ALIVE_MS = 60_000
/** Read in one go; the buffer of a connection is used again for each. */
const READ_BYTES = 256 * 1024

/** TCP without Nagle's delay: frames are batched by the exchange already. */
export const realNet: Net = { listen, connect: (address) => connectTo(address) }

/** `lookup` resolves names; without it the system does. Rejects with CONNECT_FAILED. */
export function connectTo(address: PeerAddress, lookup?: AddressGuard['lookup']): Promise<Connection> {
  return address.tls === undefined
    ? connectPlain(address, lookup)
    : import('./tls-net.ts').then(({ connectCertified }) => connectCertified(address, lookup))
}

async function listen(address: ListenAddress, onConnection: (connection: Connection) => void): Promise<Listener> {
  if (address.tls !== undefined) {
    const { certifiedServer } = await import('./tls-net.ts')
    return listening(await certifiedServer(address.tls, onConnection), address)
  }
  const server = createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, highWaterMark: HIGH_WATER_MARK },
    (socket) => {
      onConnection(new SocketConnection(socket))
    },
  )
  return listening(server, address)
}

/** Resolves once the server accepts connections; closing it ends those that are open. */
export function listening(server: Server, address: ListenAddress): Promise<Listener> {
  const open = new Set<Socket>()
  server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new MillraceError('LISTEN_FAILED', `cannot listen on ${address.host}:${address.port}`, {
          domain: 'platform',
          cause,
          hint: 'another process may use the port, or the address is not of this machine',
        }),
      )
    })
    server.listen({ port: address.port, host: address.host, reusePort: address.shared === true }, () => {
      const bound = server.address() as AddressInfo
      resolve({
        address: { host: address.host, port: bound.port },
        close: () =>
          new Promise((closed) => {
            server.close(() => {
              closed()
            })
            for (const socket of open) socket.destroy()
          }),
      })
    })
  })
}

function connectPlain(address: NetAddress, lookup?: AddressGuard['lookup']): Promise<Connection> {
  const input = new ConnectionInput()
  // The socket passes its options on to the stream below it; the declared type leaves that out.
  const options: SocketConstructorOpts & { highWaterMark: number } = {
    highWaterMark: HIGH_WATER_MARK,
    onread: input.onread,
  }
  const socket = new Socket(options)
  const named = lookup === undefined ? {} : { lookup: lookup as LookupFunction }
  socket.connect({ host: address.host, port: address.port, ...named })
  return connected(socket, 'connect', address).then(() => {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    return new SocketConnection(socket, input)
  })
}

/**
 * What a connection made here reads, in one buffer that is used again: otherwise Node allocates one for each read, and
 * V8 collects everything as often.
 */
export class ConnectionInput {
  readonly onread: NonNullable<SocketConstructorOpts['onread']> = {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback: (count, buffer) => this.#receive(buffer.subarray(0, count)),
  }
  #handle: ((bytes: Uint8Array) => void) | undefined
  /** The bytes that came before anybody listened, with the end of a handshake. */
  #early: Uint8Array | undefined

  /** To be called once. When bytes had come before, reading has stopped and the socket has to be resumed. */
  onData(handle: (bytes: Uint8Array) => void): void {
    this.#handle = handle
    const early = this.#early
    this.#early = undefined
    if (early !== undefined) handle(early)
  }

  /** False stops reading. */
  #receive(bytes: Uint8Array): boolean {
    if (this.#handle === undefined) {
      this.#early = Buffer.concat(this.#early === undefined ? [bytes] : [this.#early, bytes])
      return false
    }
    this.#handle(bytes)
    return true
  }
}

/** Resolves when the socket says so; rejects with CONNECT_FAILED. No byte is read before the caller has gone on. */
export function connected(socket: Socket, event: 'connect' | 'secureConnect', address: NetAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => {
      socket.destroy()
      reject(
        new MillraceError('CONNECT_FAILED', `cannot connect to ${address.host}:${address.port}`, {
          domain: 'dependency',
          retriable: true,
          cause,
        }),
      )
    }
    const timer = setTimeout(() => {
      fail(new Error(`no answer within ${CONNECT_TIMEOUT_MS} ms`))
    }, CONNECT_TIMEOUT_MS)
    const onError = (cause: Error): void => {
      clearTimeout(timer)
      fail(cause)
    }
    socket.once('error', onError)
    socket.once(event, () => {
      clearTimeout(timer)
      socket.off('error', onError)
      resolve()
    })
  })
}

/** A connection over a socket, of TCP or of TLS over it. */
export class SocketConnection implements Connection {
  readonly remote: string
  readonly #socket: Socket
  readonly #input: ConnectionInput | undefined
  #error: Error | undefined
  #closed = false
  #onClose: ((error?: Error) => void) | undefined

  /** `input`: that of a connection made here. */
  constructor(socket: Socket, input?: ConnectionInput) {
    this.#socket = socket
    this.#input = input
    this.remote = remoteOf(socket)
    // An error is always followed by 'close', which reports it.
    socket.on('error', (error) => {
      this.#error = error
    })
    socket.on('close', () => {
      this.#closed = true
      this.#reportClose()
    })
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength
  }

  write(bytes: Uint8Array, onSent?: () => void): void {
    if (!this.#socket.writable) return
    this.#socket.write(
      bytes,
      onSent === undefined
        ? undefined
        : (error) => {
            if (!error) onSent()
          },
    )
  }

  onData(handle: (bytes: Uint8Array) => void): void {
    if (this.#input === undefined) {
      this.#socket.on('data', handle)
      return
    }
    this.#input.onData(handle)
    if (!this.#socket.isPaused()) this.#socket.resume()
  }

  onDrain(handle: () => void): void {
    this.#socket.on('drain', handle)
  }

  onClose(handle: (error?: Error) => void): void {
    this.#onClose = handle
    if (this.#closed)
      queueMicrotask(() => {
        this.#reportClose()
      })
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #reportClose(): void {
    const handle = this.#onClose
    if (!handle) return
    this.#onClose = undefined
    if (this.#error) handle(this.#error)
    else handle()
  }
}

export function remoteOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`
}
