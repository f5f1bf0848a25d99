import { MillraceError } from '../../model/errors.ts'
import type { Connection, Listener, Net, NetAddress } from '../net.ts'
import type { VirtualWorld } from './world.ts'

const CONNECT_TIMEOUT_MS = 2_000

/** The link between two ends. */
interface Carrier {
  cut(bytes: Uint8Array): Uint8Array[]
  /** Acts now, or when `from` and `to` can reach each other again. */
  carry(from: string, to: string, act: () => void): void
}

/** One end of a virtual connection. */
class End implements Connection {
  readonly owner: string
  readonly remote: string
  readonly #world: VirtualWorld
  readonly #network: Carrier
  peer: End | undefined
  bufferedBytes = 0
  #onData: ((bytes: Uint8Array) => void) | undefined
  #onDrain: (() => void) | undefined
  #onClose: ((error?: Error) => void) | undefined
  #inbox: Uint8Array[] = []
  #paused = false
  #closed: { error: Error | undefined } | undefined
  #told = false
  /** Bytes arrive in order, however long each takes. */
  #lastArrival = 0

  constructor(world: VirtualWorld, owner: string, remote: string, network: Carrier) {
    this.#world = world
    this.owner = owner
    this.remote = remote
    this.#network = network
  }

  write(bytes: Uint8Array, onSent?: () => void): void {
    const peer = this.peer
    if (this.#closed || !peer) return
    // as a kernel takes it: the sender's buffer is its own again
    const taken = new Uint8Array(bytes)
    if (onSent !== undefined) this.#world.schedule(this.owner, 0, onSent)
    for (const part of this.#network.cut(taken)) {
      this.bufferedBytes += part.length
      this.#deliver(() => {
        this.bufferedBytes -= part.length
        if (this.bufferedBytes === 0)
          this.#world.schedule(this.owner, 0, () => {
            this.#onDrain?.()
          })
        peer.receive(part)
      })
    }
  }

  #deliver(act: () => void): void {
    const at = Math.max(this.#lastArrival, this.#world.now + this.#world.random() * 3)
    this.#lastArrival = at
    const to = this.peer?.owner ?? this.owner
    // The network carries what was sent, also when its sender has died meanwhile.
    this.#world.schedule('network', at - this.#world.now, () => {
      this.#network.carry(this.owner, to, act)
    })
  }

  receive(bytes: Uint8Array): void {
    if (this.#closed || this.#world.isDead(this.owner)) return
    if (this.#world.isPaused(this.owner)) {
      this.#world.schedule(this.owner, 0, () => {
        this.receive(bytes)
      })
      return
    }
    this.#inbox.push(bytes)
    this.#pump()
  }

  #pump(): void {
    while (!this.#paused && this.#onData && this.#inbox.length > 0) {
      const bytes = this.#inbox.shift() as Uint8Array
      this.#onData(bytes)
      // whoever reads them later reads nonsense, as from a buffer that is used again
      bytes.fill(0xa5)
    }
    if (this.#closed && this.#inbox.length === 0) this.#tellClose()
  }

  #tellClose(): void {
    if (this.#told || !this.#onClose || !this.#closed) return
    this.#told = true
    const { error } = this.#closed
    this.#world.schedule(this.owner, 0, () => {
      this.#onClose?.(error)
    })
  }

  onData(handle: (bytes: Uint8Array) => void): void {
    this.#onData = handle
    this.#pump()
  }
  onDrain(handle: () => void): void {
    this.#onDrain = handle
  }
  onClose(handle: (error?: Error) => void): void {
    this.#onClose = handle
    if (this.#inbox.length === 0) this.#tellClose()
  }
  pause(): void {
    this.#paused = true
  }
  resume(): void {
    this.#paused = false
    this.#pump()
  }
  end(): void {
    this.#close(undefined)
  }
  destroy(): void {
    this.#close(undefined)
  }

  #close(error: Error | undefined): void {
    if (this.#closed) return
    this.#inbox = []
    this.#closed = { error }
    this.#tellClose()
    const peer = this.peer
    if (peer)
      this.#deliver(() => {
        peer.lose(undefined)
      })
  }

  /** The other side is gone: what has arrived is still read. */
  lose(error: Error | undefined): void {
    if (this.#closed) return
    if (this.#world.isPaused(this.owner)) {
      this.#world.schedule(this.owner, 0, () => {
        this.lose(error)
      })
      return
    }
    this.#closed = { error }
    if (this.#inbox.length === 0) this.#tellClose()
  }

  /** The process of this end dies: its peer sees a reset after a moment. */
  reset(): void {
    const peer = this.peer
    this.#closed = { error: undefined }
    if (peer)
      this.#deliver(() => {
        peer.lose(new Error('connection reset by peer'))
      })
  }

  get isOpen(): boolean {
    return this.#closed === undefined
  }
}

/**
 * TCP under virtual time: ordered bytes per direction, delivered after up to 3 ms in pieces cut anywhere.
 * A killed process's connections are reset; a paused one's stay open and silent.
 */
export class VirtualNetwork {
  readonly #world: VirtualWorld
  readonly #listeners = new Map<string, { owner: string; onConnection: (connection: Connection) => void }>()
  /** Processes in the order of their start. */
  readonly #owners: string[] = []
  #ends: End[] = []
  #nextPort = 20_000
  /** Whether bytes get from one process to another now; what does not waits, as TCP sends again. */
  reaches: (from: string, to: string) => boolean = () => true
  #held: { from: string; to: string; act: () => void }[] = []

  constructor(world: VirtualWorld) {
    this.#world = world
  }

  /** To be called when `reaches` has changed: what waited goes on, in order. */
  retry(): void {
    const held = this.#held
    this.#held = []
    for (const { from, to, act } of held) this.#carry(from, to, act)
  }

  #carry(from: string, to: string, act: () => void): void {
    if (this.reaches(from, to)) act()
    else this.#held.push({ from, to, act })
  }

  /** The network as one process sees it; connections and listeners belong to it and die with it. */
  netOf(owner: string): Net {
    if (!this.#owners.includes(owner)) this.#owners.push(owner)
    return {
      listen: (address, onConnection) => Promise.resolve(this.#listen(owner, address, onConnection)),
      connect: (address) => this.#connect(owner, address),
    }
  }

  #listen(owner: string, address: NetAddress, onConnection: (connection: Connection) => void): Listener {
    const bound = { host: address.host, port: address.port === 0 ? this.#nextPort++ : address.port }
    const key = `${bound.host}:${bound.port}`
    // The newest process has the address, as a Service points at the newest pod while an older one may still live.
    const listener = { owner, onConnection }
    const taken = this.#listeners.get(key)
    if (!taken || this.#owners.indexOf(taken.owner) <= this.#owners.indexOf(owner)) this.#listeners.set(key, listener)
    return {
      address: bound,
      close: () => {
        if (this.#listeners.get(key) === listener) this.#listeners.delete(key)
        return Promise.resolve()
      },
    }
  }

  #connect(owner: string, address: NetAddress): Promise<Connection> {
    const key = `${address.host}:${address.port}`
    return new Promise((resolve, reject) => {
      this.#world.schedule(owner, this.#world.random() * 3, () => {
        const listener = this.#listeners.get(key)
        if (!listener || this.#world.isDead(listener.owner)) {
          reject(
            new MillraceError('CONNECT_FAILED', `nobody listens on ${key}`, { domain: 'platform', retriable: true }),
          )
          return
        }
        if (!this.reaches(owner, listener.owner)) {
          this.#world.schedule(owner, CONNECT_TIMEOUT_MS, () => {
            reject(
              new MillraceError('CONNECT_FAILED', `${key} did not answer within ${CONNECT_TIMEOUT_MS} ms`, {
                domain: 'platform',
                retriable: true,
              }),
            )
          })
          return
        }
        const carrier: Carrier = {
          cut: (bytes) => this.#cut(bytes),
          carry: (from, to, act) => {
            this.#carry(from, to, act)
          },
        }
        const here = new End(this.#world, owner, key, carrier)
        const there = new End(this.#world, listener.owner, owner, carrier)
        here.peer = there
        there.peer = here
        this.#ends.push(here, there)
        listener.onConnection(there)
        resolve(here)
      })
    })
  }

  #cut(bytes: Uint8Array): Uint8Array[] {
    if (bytes.length < 2 || this.#world.random() < 0.7) return [bytes]
    const at = 1 + Math.floor(this.#world.random() * (bytes.length - 1))
    return [bytes.subarray(0, at), bytes.subarray(at)]
  }

  /** Resets every connection of a process, as the kernel does when it dies. */
  kill(owner: string): void {
    for (const end of this.#ends) if (end.owner === owner && end.isOpen) end.reset()
    this.#ends = this.#ends.filter((end) => end.owner !== owner)
  }

  /** Cuts one connection of a process, as a flaky network does; both sides see it. */
  cutOne(owner: string): void {
    const open = this.#ends.filter((end) => end.owner === owner && end.isOpen)
    const victim = open[Math.floor(this.#world.random() * open.length)]
    const error = new Error('connection reset by peer')
    victim?.peer?.lose(error)
    victim?.lose(error)
  }
}
