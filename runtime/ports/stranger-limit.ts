import type { Clock } from './clock.ts'
import type { Connection, Listener, Net, NetAddress } from './net.ts'

/** Connections of a port at once whose peers have not proven who they are. */
export const MOST_STRANGERS = 64
/** From being accepted to having proven it. */
export const PROOF_MS = 5_000
export const TOO_MANY_STRANGERS = `${MOST_STRANGERS} other connections have not proven who they are`
/** What strangers do is reported once in this time, however many there are. */
const REPORT_EVERY_MS = 10_000

/** The most bytes that a peer may send to prove who it is. */
export const MAX_PROOF_BYTES = 64 * 1024

/** One refused connection, and how many others were refused since the last report. */
export type ReportRefusal = (remote: string, reason: string, others: number) => void

/**
 * What peers cost a port before they have proven who they are: so many connections, each for a short time, and a line in
 * the log now and then. Whoever reads from them limits their bytes.
 */
export class StrangerLimit {
  readonly #clock: Clock
  readonly #report: ReportRefusal
  /** How to stop the time of each. */
  readonly #strangers = new Map<Connection, () => void>()
  #reportedAt = -Infinity
  #unreported = 0

  constructor(clock: Clock, report: ReportRefusal) {
    this.#clock = clock
    this.#report = report
  }

  /** Listens; `onConnection` gets what is not too many. Peers that the network itself refuses are reported too. */
  listen(net: Net, address: NetAddress, onConnection: (connection: Connection) => void): Promise<Listener> {
    return net.listen(
      address,
      (connection) => {
        if (this.#admit(connection)) onConnection(connection)
      },
      (remote, reason) => {
        this.#tell(remote, reason)
      },
    )
  }

  /** False: there are too many, and it has been destroyed. */
  #admit(connection: Connection): boolean {
    if (this.#strangers.size >= MOST_STRANGERS) {
      this.refuse(connection, TOO_MANY_STRANGERS)
      return false
    }
    this.#strangers.set(
      connection,
      this.#clock.after(PROOF_MS, () => {
        this.refuse(connection, `it has not proven who it is within ${PROOF_MS} ms`)
      }),
    )
    return true
  }

  /** The peer has proven who it is, or has gone: its connection counts no more. */
  forget(connection: Connection): void {
    this.#strangers.get(connection)?.()
    this.#strangers.delete(connection)
  }

  refuse(connection: Connection, reason: string): void {
    this.forget(connection)
    connection.destroy()
    this.#tell(connection.remote, reason)
  }

  #tell(remote: string, reason: string): void {
    const now = this.#clock.now()
    if (now - this.#reportedAt < REPORT_EVERY_MS) {
      this.#unreported += 1
      return
    }
    this.#report(remote, reason, this.#unreported)
    this.#reportedAt = now
    this.#unreported = 0
  }

  close(): void {
    for (const connection of [...this.#strangers.keys()]) {
      this.forget(connection)
      connection.destroy()
    }
  }
}
