import type { Clock } from './clock.ts'
import type { Connection, Listener, Net, NetAddress } from './net.ts'
import { STRANGERS } from './strangers.ts'
import { WaitingPeers } from './waiting-peers.ts'

/** What strangers do is reported once in this time, however many there are. */
const REPORT_EVERY_MS = 10_000

/** The most bytes that a peer may send to prove who it is. */
export const MAX_PROOF_BYTES = 64 * 1024

/** One refused connection, and how many others were refused since the last report. */
export type ReportRefusal = (remote: string, reason: string, others: number) => void

/**
 * A port and the strangers at it, with a line in the log now and then. The bytes that they send are limited where they
 * are read.
 */
export class StrangerLimit {
  readonly #clock: Clock
  readonly #onRefused: ReportRefusal
  readonly #strangers: WaitingPeers<Connection>
  #reportedAt = -Infinity
  #unreported = 0

  constructor(clock: Clock, onRefused: ReportRefusal) {
    this.#clock = clock
    this.#onRefused = onRefused
    this.#strangers = new WaitingPeers(clock, STRANGERS, ({ remote }, reason) => {
      this.report(remote, reason)
    })
  }

  /** Listens; each connection is a stranger's. Peers that the network itself refuses are reported too. */
  listen(net: Net, address: NetAddress, onConnection: (connection: Connection) => void): Promise<Listener> {
    return net.listen(
      address,
      (connection) => {
        this.#strangers.admit(connection)
        onConnection(connection)
      },
      (remote, reason) => {
        this.report(remote, reason)
      },
    )
  }

  /** The peer has proven who it is, or has gone: its connection counts no more. */
  forget(connection: Connection): void {
    this.#strangers.forget(connection)
  }

  refuse(connection: Connection, reason: string): void {
    this.#strangers.refuse(connection, reason)
  }

  /** A line in the log, if the last one is long ago. */
  report(remote: string, reason: string): void {
    const now = this.#clock.now()
    if (now - this.#reportedAt < REPORT_EVERY_MS) {
      this.#unreported += 1
      return
    }
    this.#onRefused(remote, reason, this.#unreported)
    this.#reportedAt = now
    this.#unreported = 0
  }

  close(): void {
    this.#strangers.close()
  }
}
