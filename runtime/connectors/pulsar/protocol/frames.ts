import { MillraceError } from '../../../model/errors.ts'
import { decodeMessage, encodeMessage } from '../../kit/protobuf.ts'
import { recordCodecs } from '../../kit/record-codecs.ts'
import { decodeCommand, encodeCommand, entryMetadata, type Command, type EntryMetadata } from './commands.ts'

/**
 * A frame: its size without these four bytes, the size of the command, the command; where the command carries an entry,
 * behind it a magic number, the CRC-32C of the rest, the size of the metadata, the metadata and the payload. Numbers are
 * big-endian. Source: "Binary protocol" of Pulsar's documentation and Commands.java of apache/pulsar.
 */
const SIZE_BYTES = 4
const CHECKSUM_MAGIC = 0x0e01
/** Brokers add their own metadata only for clients that say they know it. */
const BROKER_METADATA_MAGIC = 0x0e02
const MAGIC_BYTES = 2
/** A frame may have so many bytes beside a message of the broker's limit (MESSAGE_SIZE_FRAME_PADDING). */
export const FRAME_PADDING = 10 * 1024

export interface Frame {
  readonly command: Command
  /** The bytes behind the command; empty where there are none. */
  readonly rest: Buffer
}

/** An entry of a ledger: one message or a batch of them. */
export interface Entry {
  readonly metadata: EntryMetadata
  readonly payload: Buffer
}

export function encodeFrame(command: Omit<Command, 'type'>): Buffer {
  const bytes = encodeCommand(command)
  const frame = Buffer.allocUnsafe(2 * SIZE_BYTES + bytes.length)
  frame.writeUInt32BE(SIZE_BYTES + bytes.length, 0)
  frame.writeUInt32BE(bytes.length, SIZE_BYTES)
  bytes.copy(frame, 2 * SIZE_BYTES)
  return frame
}

/** The codecs must have been loaded. */
export function encodeEntryFrame(command: Omit<Command, 'type'>, { metadata, payload }: Entry): Buffer {
  const head = encodeCommand(command)
  const described = encodeMessage(entryMetadata, metadata)
  const checksumAt = 2 * SIZE_BYTES + head.length + MAGIC_BYTES
  const size = checksumAt + 2 * SIZE_BYTES + described.length + payload.length
  const frame = Buffer.allocUnsafe(size)
  frame.writeUInt32BE(size - SIZE_BYTES, 0)
  frame.writeUInt32BE(head.length, SIZE_BYTES)
  head.copy(frame, 2 * SIZE_BYTES)
  frame.writeUInt16BE(CHECKSUM_MAGIC, checksumAt - MAGIC_BYTES)
  frame.writeUInt32BE(described.length, checksumAt + SIZE_BYTES)
  described.copy(frame, checksumAt + 2 * SIZE_BYTES)
  payload.copy(frame, checksumAt + 2 * SIZE_BYTES + described.length)
  frame.writeUInt32BE(recordCodecs().crc32c(frame.subarray(checksumAt + SIZE_BYTES)), checksumAt)
  return frame
}

/** Reads what stands behind a command. Throws PULSAR_ENTRY_CORRUPT. The codecs must have been loaded. */
export function decodeEntry(rest: Buffer): Entry {
  let at = 0
  if (magicAt(rest, at) === BROKER_METADATA_MAGIC) at += MAGIC_BYTES + SIZE_BYTES + sizeAt(rest, at + MAGIC_BYTES)
  if (magicAt(rest, at) === CHECKSUM_MAGIC) {
    at += MAGIC_BYTES
    const expected = sizeAt(rest, at)
    at += SIZE_BYTES
    const found = recordCodecs().crc32c(rest.subarray(at))
    if (found !== expected) throw entryCorrupt(`its checksum is ${hex(found)}, it says ${hex(expected)}`)
  }
  const length = sizeAt(rest, at)
  at += SIZE_BYTES
  if (length > rest.length - at) throw entryCorrupt(`metadata of ${length} bytes in ${rest.length - at}`)
  return {
    metadata: decodeMessage(entryMetadata, rest.subarray(at, at + length)),
    payload: rest.subarray(at + length),
  }
}

export function entryCorrupt(reason: string, cause?: unknown): MillraceError {
  return new MillraceError('PULSAR_ENTRY_CORRUPT', `an entry of Pulsar cannot be read: ${reason}`, {
    domain: 'dependency',
    ...(cause === undefined ? {} : { cause }),
  })
}

function magicAt(bytes: Buffer, at: number): number {
  return at + MAGIC_BYTES <= bytes.length ? bytes.readUInt16BE(at) : 0
}

function sizeAt(bytes: Buffer, at: number): number {
  if (at + SIZE_BYTES > bytes.length) throw entryCorrupt(`it ends after ${bytes.length} bytes`)
  return bytes.readUInt32BE(at)
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}

/** Cuts the bytes of a connection into frames, however they come. Each frame is copied once and is the caller's. */
export class FrameReader {
  /** The longest frame that is taken, in bytes. */
  limit: number
  readonly #head = Buffer.alloc(SIZE_BYTES)
  #headBytes = 0
  #body: Buffer | undefined
  #bodyBytes = 0

  constructor(limit: number) {
    this.limit = limit
  }

  /** The frames that are whole now. Throws PULSAR_PROTOCOL or PROTOBUF_INVALID; the connection is of no more use then. */
  push(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = []
    for (let at = 0; at < bytes.length; ) {
      if (this.#body === undefined) {
        const taken = Math.min(SIZE_BYTES - this.#headBytes, bytes.length - at)
        this.#head.set(bytes.subarray(at, at + taken), this.#headBytes)
        this.#headBytes += taken
        at += taken
        if (this.#headBytes < SIZE_BYTES) break
        this.#begin(this.#head.readUInt32BE(0))
      }
      const body = this.#body
      if (body === undefined) break
      const taken = Math.min(body.length - this.#bodyBytes, bytes.length - at)
      body.set(bytes.subarray(at, at + taken), this.#bodyBytes)
      this.#bodyBytes += taken
      at += taken
      if (this.#bodyBytes < body.length) break
      this.#body = undefined
      this.#headBytes = 0
      frames.push(decodeFrame(body))
    }
    return frames
  }

  #begin(size: number): void {
    if (size > this.limit || size < SIZE_BYTES)
      throw pulsarProtocol(`a frame of ${size} bytes, where 4 to ${this.limit} are allowed`)
    this.#body = Buffer.allocUnsafe(size)
    this.#bodyBytes = 0
  }
}

function decodeFrame(frame: Buffer): Frame {
  const end = SIZE_BYTES + frame.readUInt32BE(0)
  if (end > frame.length) throw pulsarProtocol(`a command of ${end - SIZE_BYTES} bytes in a frame of ${frame.length}`)
  return { command: decodeCommand(frame.subarray(SIZE_BYTES, end)), rest: frame.subarray(end) }
}

/** The peer does not speak Pulsar's protocol. */
export function pulsarProtocol(what: string): MillraceError {
  return new MillraceError('PULSAR_PROTOCOL', `what answers does not speak the protocol of Pulsar: ${what}`, {
    domain: 'dependency',
    retriable: true,
    hint: 'serviceUrl names the port of the binary protocol, 6650 by default or 6651 with TLS, not that of HTTP.',
  })
}
