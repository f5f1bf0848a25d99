import type { Clock } from './clock.ts'
import type { Connection } from './net.ts'

/** How many peers may wait at once for something, how long each, and what they are without meanwhile. */
export interface Patience {
  readonly most: number
  readonly ms: number
  /** As in `it has not proven who it is`: what follows `has not`. */
  readonly yet: string
}

/** The connections of a port whose peers wait for something. Each costs a place among so many, for a limited time. */
export class WaitingPeers<Peer extends Pick<Connection, 'destroy'>> {
  readonly #clock: Clock
  readonly #patience: Patience
  readonly #onRefused: (peer: Peer, reason: string) => void
  /** How to stop the time of each; those that came first are first. */
  readonly #peers = new Map<Peer, () => void>()

  constructor(clock: Clock, patience: Patience, onRefused: (peer: Peer, reason: string) => void) {
    this.#clock = clock
    this.#patience = patience
    this.#onRefused = onRefused
  }

  /**
   * When there are too many, the one that came first is refused: a peer that goes on at once gets in, however many
   * others wait.
   */
  admit(peer: Peer): void {
    const { most, ms, yet } = this.#patience
    const [first] = this.#peers.keys()
    if (first !== undefined && this.#peers.size >= most)
      this.refuse(first, `it has not ${yet}, and neither have ${most} newer connections`)
    this.#peers.set(
      peer,
      this.#clock.after(ms, () => {
        this.refuse(peer, `it has not ${yet} within ${ms} ms`)
      }),
    )
  }

  has(peer: Peer): boolean {
    return this.#peers.has(peer)
  }

  /** The peer waits no more, or has gone: it counts no more. */
  forget(peer: Peer): void {
    this.#peers.get(peer)?.()
    this.#peers.delete(peer)
  }

  refuse(peer: Peer, reason: string): void {
    this.forget(peer)
    peer.destroy()
    this.#onRefused(peer, reason)
  }

  close(): void {
    for (const peer of [...this.#peers.keys()]) {
      this.forget(peer)
      peer.destroy()
    }
  }
}
