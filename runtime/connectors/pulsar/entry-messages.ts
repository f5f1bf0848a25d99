import { MAX_ITEMS } from '../../model/decoding-limits.ts'
import { decodeMessage, readVarint } from '../kit/protobuf.ts'
import { unpack } from './compression.ts'
import { messageMetadata, type EntryMetadata, type MessageMetadata } from './protocol/commands.ts'
import { entryCorrupt, type Entry } from './protocol/frames.ts'

const SIZE_BYTES = 4
/** The size of the metadata, and the size of the payload within it. */
const LEAST_MESSAGE_BYTES = SIZE_BYTES + 2
/** Field numbers of SingleMessageMetadata, and the wire types of protobuf. */
const PAYLOAD_SIZE = 3
const COMPACTED_OUT = 4
const NULL_VALUE = 9
const VARINT = 0
const FIXED64 = 1
const LENGTH = 2

/**
 * The parts of a message beside its value. Times are undefined or 0 where there are none, and texts are bytes where they
 * are not UTF-8.
 */
export interface MessageHead {
  readonly key: string | Uint8Array | undefined
  readonly isKeyBase64: boolean
  readonly eventTime: number | undefined
  readonly properties: readonly {
    readonly key?: string | undefined
    readonly value?: string | Uint8Array | undefined
  }[]
}

/**
 * The messages of one entry as positions in its bytes, without an object for each. Reused from entry to entry. A message
 * is known by its index in the entry, so those that were compacted away keep their place.
 */
export class EntryMessages {
  count = 0
  bytes: Buffer = Buffer.alloc(0)
  /** A null value ends before it starts. */
  valueStarts = new Int32Array(0)
  valueEnds = new Int32Array(0)
  /** 1 where a message was compacted away, and is no message any more. */
  isGone = new Uint8Array(0)
  /** One for each message, where heads are wanted. */
  readonly heads: MessageHead[] = []
  publishTime = 0
  readonly #wantsHeads: boolean
  /** What a few bytes unpack to may have many. */
  #headItems = 0

  constructor(wants: 'values' | 'heads too') {
    this.#wantsHeads = wants === 'heads too'
  }

  /** Throws PULSAR_ENTRY_CORRUPT or PROTOBUF_INVALID. */
  decode({ metadata, payload }: Entry): void {
    checkReadable(metadata)
    this.count = 0
    this.heads.length = 0
    this.publishTime = metadata.publishTime ?? 0
    this.bytes = unpack(metadata.compression ?? 0, payload, metadata.uncompressedSize ?? 0)
    const { messagesInBatch } = metadata
    if (messagesInBatch === undefined) {
      this.#reserve(1)
      this.#add(0, this.bytes.length, metadata.isNull === true, false)
      if (this.#wantsHeads) this.heads.push(headOf(metadata))
      return
    }
    if (messagesInBatch < 0 || messagesInBatch * LEAST_MESSAGE_BYTES > this.bytes.length)
      throw entryCorrupt(`a batch of ${messagesInBatch} messages in ${this.bytes.length} bytes`)
    this.#reserve(messagesInBatch)
    this.#headItems = 0
    let at = 0
    for (let index = 0; index < messagesInBatch; index++) at = this.#readMessage(at, index)
  }

  #readMessage(at: number, index: number): number {
    const { bytes } = this
    const length = at + SIZE_BYTES <= bytes.length ? bytes.readUInt32BE(at) : Infinity
    const start = at + SIZE_BYTES
    const end = start + length
    if (end > bytes.length) throw entryCorrupt(`the metadata of message ${index} ends behind the batch`)
    const { payloadSize, isNull, isGone } = scanHead(bytes, start, end)
    if (payloadSize < 0 || end + payloadSize > bytes.length)
      throw entryCorrupt(`message ${index} of ${payloadSize} bytes ends behind the batch`)
    this.#add(end, end + payloadSize, isNull, isGone)
    if (this.#wantsHeads) this.#addHead(headOf(decodeMessage(messageMetadata, bytes.subarray(start, end))))
    return end + payloadSize
  }

  #addHead(head: MessageHead): void {
    this.#headItems += 1 + head.properties.length
    if (this.#headItems > MAX_ITEMS) throw entryCorrupt(`its messages have more than ${MAX_ITEMS} keys and properties`)
    this.heads.push(head)
  }

  #add(start: number, end: number, isNull: boolean, isGone: boolean): void {
    const index = this.count++
    this.valueStarts[index] = start
    this.valueEnds[index] = isNull ? start - 1 : end
    this.isGone[index] = isGone ? 1 : 0
  }

  #reserve(count: number): void {
    if (count <= this.isGone.length) return
    const capacity = Math.max(count, this.isGone.length * 2, 1024)
    this.valueStarts = new Int32Array(capacity)
    this.valueEnds = new Int32Array(capacity)
    this.isGone = new Uint8Array(capacity)
  }
}

function checkReadable({ encryptionKeys = [], chunks }: EntryMetadata): void {
  if (encryptionKeys.length > 0)
    throw entryCorrupt(
      `it is encrypted for ${encryptionKeys.map(({ key }) => key ?? '').join(', ')}, which Millrace does not support`,
    )
  if (chunks !== undefined && chunks > 1)
    throw entryCorrupt(`it is one of ${chunks} chunks of a message, which Millrace does not support`)
}

function headOf({
  partitionKey,
  isKeyBase64,
  eventTime,
  properties = [],
}: EntryMetadata | MessageMetadata): MessageHead {
  return { key: partitionKey, isKeyBase64: isKeyBase64 === true, eventTime, properties }
}

/** Three fields of a SingleMessageMetadata: decoding all of it would take longer than reading the message. */
function scanHead(
  bytes: Buffer,
  start: number,
  end: number,
): { payloadSize: number; isNull: boolean; isGone: boolean } {
  const input = { bytes, at: start }
  let payloadSize = 0
  let isNull = false
  let isGone = false
  while (input.at < end) {
    const tag = readVarint(input)
    const wire = tag & 7
    if (wire === VARINT) {
      const value = readVarint(input)
      if (tag >>> 3 === PAYLOAD_SIZE) payloadSize = value
      else if (tag >>> 3 === NULL_VALUE) isNull = value !== 0
      else if (tag >>> 3 === COMPACTED_OUT) isGone = value !== 0
    } else if (wire === LENGTH) {
      const length = readVarint(input)
      if (length < 0) throw entryCorrupt('metadata of a negative length')
      input.at += length
    } else input.at += wire === FIXED64 ? 8 : 4
  }
  if (input.at > end) throw entryCorrupt('the metadata of a message ends behind itself')
  return { payloadSize, isNull, isGone }
}
