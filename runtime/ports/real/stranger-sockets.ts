import type { Socket } from 'node:net'
import { STRANGERS } from '../strangers.ts'
import { WaitingPeers } from '../waiting-peers.ts'
import { realClock } from './clock.ts'
import { remoteOf, SocketConnection } from './net.ts'

/** The strangers among the sockets of a server. A socket of TLS and the one below it are one stranger. */
export class StrangerSockets {
  readonly #strangers: WaitingPeers<SocketConnection>
  readonly #open = new Map<string, SocketConnection>()

  constructor(onRefused?: (remote: string, reason: string) => void) {
    this.#strangers = new WaitingPeers(realClock, STRANGERS, ({ remote }, reason) => onRefused?.(remote, reason))
  }

  admit(socket: Socket): void {
    const peer = new SocketConnection(socket)
    this.#open.set(peer.remote, peer)
    peer.onClose(() => {
      this.#open.delete(peer.remote)
      this.#strangers.forget(peer)
    })
    this.#strangers.admit(peer)
  }

  forget(socket: Socket): void {
    const peer = this.#open.get(remoteOf(socket))
    if (peer !== undefined) this.#strangers.forget(peer)
  }

  /** Does nothing when it was refused before, or is no stranger any more. */
  refuse(socket: Socket, reason: string): void {
    const peer = this.#open.get(remoteOf(socket))
    if (peer !== undefined && this.#strangers.has(peer)) this.#strangers.refuse(peer, reason)
  }
}
