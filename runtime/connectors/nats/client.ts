import type { TlsMaterial } from '../../ports/tls-material.ts'

/** The servers have no stream of that name. Retriable: it may be created. */
export const STREAM_UNKNOWN = 'NATS_STREAM_UNKNOWN'

/** A NATS system with JetStream, as sources and sinks need it. Real: its servers; virtual: streams in memory. */
export interface NatsClient {
  /** Resolves with the stream as it is now. Rejects with STREAM_UNKNOWN. */
  stream(name: string): Promise<StreamState>
  /** Resolves with the sequence of the first message that was stored at this time (ms) or later: behind the last without one. */
  firstSince(stream: string, time: number): Promise<number>
  /** Whether the stream has a message of these subjects (undefined: of any) at this sequence or behind it. */
  hasMessage(stream: string, from: number, subjects: ReadFrom['subjects']): Promise<boolean>
  /** Reads on from a sequence, in order. */
  read(stream: string, from: ReadFrom): Promise<NatsReading>
  /** Resolves when the stream has stored the message, or has one of this id in its duplicate window. */
  publish(stream: string, message: OutgoingMessage, id: string): Promise<void>
  /** The longest message, with its headers, that the servers take. */
  maxPayload(): Promise<number>
  close(): Promise<void>
}

export interface ReadFrom {
  /** 0: the first that there is. */
  readonly sequence: number
  /** Only messages with subjects that match one of these, which may have wildcards; undefined: all. */
  readonly subjects: readonly string[] | undefined
  readonly parts: 'all' | 'heads'
}

/** Messages of a stream in the order of their sequences. Its calls reject when the order is broken or the stream away. */
export interface NatsReading {
  /** Resolves with what has arrived, or, after a few seconds, with nothing. Not called concurrently. */
  next(): Promise<Arrived>
  close(): void
}

export interface Arrived {
  readonly messages: readonly StoredMessage[]
  /** How many more messages the stream had for this reading when the server sent the last of these. */
  readonly pending: number
}

export interface StoredMessage {
  readonly sequence: number
  readonly subject: string
  /** When the stream stored it, ms since the epoch. */
  readonly time: number
  readonly headers: readonly NatsHeader[]
  readonly data: Uint8Array
}

export type NatsHeader = readonly [name: string, value: string]

export interface OutgoingMessage {
  readonly subject: string
  readonly headers: readonly NatsHeader[]
  readonly data: Uint8Array
}

export interface StreamState {
  readonly name: string
  /** When it was created: tells it from another one of its name. */
  readonly created: string
  readonly retention: string
  /** May have wildcards; none where it gets its messages from other streams. */
  readonly subjects: readonly string[]
  /** Behind `last` when the stream is empty. */
  readonly first: number
  /** 0 when there was none yet. */
  readonly last: number
  readonly duplicateWindowMs: number
  /** -1: no limit. */
  readonly maxMessageBytes: number
}

export interface NatsLogin {
  readonly user?: string
  readonly password?: string
  readonly token?: string
}

export interface NatsConnectOptions {
  /** host:port of some servers. */
  readonly servers: readonly string[]
  /** Read for each new connection. */
  readonly login?: () => Promise<NatsLogin>
  /** The same; absent without TLS. */
  readonly tls?: () => Promise<TlsMaterial>
}

export type NatsConnect = (options: NatsConnectOptions) => NatsClient
