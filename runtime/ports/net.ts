import type { TlsMaterial } from './tls-material.ts'

/** Ordered, reliable byte connections. Real: TCP; virtual: queues with delays and faults. */
export interface Net {
  /**
   * Resolves once connections are accepted; rejects with MillraceError LISTEN_FAILED. Port 0 picks a free one.
   * `onRefused` is called for peers that get no connection, where connections are encrypted.
   */
  listen(
    address: ListenAddress,
    onConnection: (connection: Connection) => void,
    onRefused?: (remote: string, reason: string) => void,
  ): Promise<Listener>
  /** Rejects with MillraceError CONNECT_FAILED (retriable). */
  connect(address: PeerAddress): Promise<Connection>
}

export interface NetAddress {
  host: string
  port: number
}

export interface ListenAddress extends NetAddress {
  /** Other processes may listen there, too: each connection goes to one of them. */
  shared?: boolean
  /**
   * Reads what the server shows, and with `ca` whom it lets in; called at the start and again every minute. Absent: peers
   * speak as they are. (The processes of a job encrypt by themselves.)
   */
  tls?: (() => Promise<TlsMaterial>) | undefined
}

/** Whom to connect to, and with TLS whom to trust and what to show. */
export interface PeerAddress extends NetAddress {
  tls?: TlsMaterial | undefined
}

export interface Listener {
  readonly address: NetAddress
  close(): Promise<void>
}

export interface Connection {
  readonly remote: string
  /** Bytes accepted but not yet handed to the network; a writer should wait for onDrain above its limit. */
  readonly bufferedBytes: number
  /**
   * Never throws; after close the bytes are dropped. The buffer belongs to the connection until `onSent` is called,
   * which it is not when the connection ends before.
   */
  write(bytes: Uint8Array, onSent?: () => void): void
  /**
   * Set once, before the first await after getting the connection, so that no byte is missed. The bytes are there
   * during the call alone.
   */
  onData(handle: (bytes: Uint8Array) => void): void
  /**
   * Called when bufferedBytes has fallen to zero after having been above the high-water mark, which is at most 256
   * KiB.
   */
  onDrain(handle: () => void): void
  /** Called exactly once, whatever ended the connection; `error` when it was not a clean end. */
  onClose(handle: (error?: Error) => void): void
  pause(): void
  resume(): void
  /** Sends what is buffered, then closes. */
  end(): void
  /** Closes at once; what is buffered may be lost. */
  destroy(): void
}
