import { varint } from '../kit/protobuf.ts'
import { pack, type WritableCodec } from './compression.ts'
import type { Entry } from './protocol/frames.ts'

const SIZE_BYTES = 4
/** Tags of SingleMessageMetadata: the number of the field times 8, and its wire type. */
const TAG = { property: 10, key: 18, payloadSize: 24, eventTime: 40, isKeyBase64: 48, isNull: 72 } as const
/** Tags of KeyValue. */
const PROPERTY = { name: 10, value: 18 } as const
const FIRST_BYTES = 16 * 1024

/** A message as a sink writes it. */
export interface OutgoingMessage {
  /** Null: a tombstone. */
  readonly value: Buffer | null
  readonly key: string | undefined
  /** The key is bytes in base64. */
  readonly isKeyBase64: boolean
  /** ms since the epoch; undefined: none. */
  readonly eventTime: number | undefined
  readonly properties: readonly { readonly name: string; readonly value: string }[]
}

/** A batch that is not changed any more, without what depends on who sends it and when. */
export interface PackedBatch {
  readonly messages: number
  readonly codec: number
  readonly unpackedBytes: number
  readonly payload: Buffer
}

/** Messages of one partition, in order, which become one entry. */
export class MessageBatch {
  count = 0
  sizeBytes = 0
  #bytes = Buffer.allocUnsafe(FIRST_BYTES)

  append({ head, value }: EncodedMessage): void {
    const needed = this.sizeBytes + SIZE_BYTES + head.length + value.length
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
      this.#bytes.copy(grown, 0, 0, this.sizeBytes)
      this.#bytes = grown
    }
    this.#bytes.writeUInt32BE(head.length, this.sizeBytes)
    head.copy(this.#bytes, this.sizeBytes + SIZE_BYTES)
    value.copy(this.#bytes, this.sizeBytes + SIZE_BYTES + head.length)
    this.sizeBytes = needed
    this.count += 1
  }

  /** Its bytes are the result's from now on. */
  pack(compression: WritableCodec): PackedBatch {
    const { codec, bytes } = pack(compression, this.#bytes.subarray(0, this.sizeBytes))
    return { messages: this.count, codec, unpackedBytes: this.sizeBytes, payload: bytes }
  }
}

/** A message as it lies in a batch. */
export interface EncodedMessage {
  readonly head: Buffer
  readonly value: Buffer
  readonly sizeBytes: number
}

export function encodeOutgoing(message: OutgoingMessage): EncodedMessage {
  const head = headOf(message)
  const value = message.value ?? EMPTY
  return { head, value, sizeBytes: SIZE_BYTES + head.length + value.length }
}

/** Its messages have the sequence ids from `first` on. */
export function entryOf(batch: PackedBatch, producerName: string, first: number, now: number): Entry {
  return {
    metadata: {
      producerName,
      sequenceId: first,
      highestSequenceId: first + batch.messages - 1,
      publishTime: now,
      messagesInBatch: batch.messages,
      ...(batch.codec === 0 ? {} : { compression: batch.codec, uncompressedSize: batch.unpackedBytes }),
    },
    payload: batch.payload,
  }
}

function headOf({ value, key, isKeyBase64, eventTime, properties }: OutgoingMessage): Buffer {
  const parts: Buffer[] = []
  for (const property of properties) {
    const name = Buffer.from(property.name)
    const text = Buffer.from(property.value)
    const pair = [tagged(PROPERTY.name), varint(name.length), name, tagged(PROPERTY.value), varint(text.length), text]
    parts.push(tagged(TAG.property), varint(pair.reduce((sum, part) => sum + part.length, 0)), ...pair)
  }
  if (key !== undefined) {
    const bytes = Buffer.from(key)
    parts.push(tagged(TAG.key), varint(bytes.length), bytes)
  }
  parts.push(tagged(TAG.payloadSize), varint(value?.length ?? 0))
  if (eventTime !== undefined) parts.push(tagged(TAG.eventTime), varint(eventTime))
  if (isKeyBase64) parts.push(tagged(TAG.isKeyBase64), ONE)
  if (value === null) parts.push(tagged(TAG.isNull), ONE)
  return Buffer.concat(parts)
}

const EMPTY = Buffer.alloc(0)
const ONE = Buffer.from([1])
const TAGS = Array.from({ length: 128 }, (_, tag) => Buffer.from([tag]))

function tagged(tag: number): Buffer {
  return TAGS[tag] ?? Buffer.from([tag])
}
