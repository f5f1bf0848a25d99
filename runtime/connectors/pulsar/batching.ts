import { MillraceError } from '../../model/errors.ts'
import type { WritableCodec } from './compression.ts'
import { encodeOutgoing, MessageBatch, type OutgoingMessage, type PackedBatch } from './message-batch.ts'
import { partitionOfKey, type Hashing } from './routing.ts'

/** Those of Java's client are 128 KiB and 1 000 messages. */
const BATCH_BYTES = 128 * 1024
const BATCH_MESSAGES = 1_000

/** A batch of one partition, and the sequence id of its first message. */
export interface RoutedBatch {
  readonly partition: number
  readonly first: number
  readonly batch: PackedBatch
}

/**
 * Distributes messages over the partitions of a topic, by key, or batch by batch without one, and numbers them: the
 * sequence ids of a partition rise by one from message to message.
 */
export class Batching {
  readonly #partitions: number
  readonly #hashing: Hashing
  readonly #compression: WritableCodec
  readonly #maxMessageBytes: number
  readonly #open = new Map<number, MessageBatch>()
  readonly #nextIds = new Map<number, number>()
  #keyless: number

  /** `partitions` is at least 1; messages without a key begin with the partition of their slot. */
  constructor(parts: {
    partitions: number
    hashing: Hashing
    compression: WritableCodec
    maxMessageBytes: number
    slot: number
  }) {
    this.#partitions = parts.partitions
    this.#hashing = parts.hashing
    this.#compression = parts.compression
    this.#maxMessageBytes = parts.maxMessageBytes
    this.#keyless = parts.slot
  }

  /** Gives the batches that have become full. Throws VALUE_INVALID for a message that is too long for Pulsar. */
  add(message: OutgoingMessage): RoutedBatch[] {
    const encoded = encodeOutgoing(message)
    const { sizeBytes: bytes } = encoded
    if (bytes > this.#maxMessageBytes)
      throw new MillraceError(
        'VALUE_INVALID',
        `a message takes ${bytes} bytes, and the broker allows ${this.#maxMessageBytes} (maxMessageSize)`,
        { domain: 'user' },
      )
    const full = this.#sealIfFull(this.#partitionOf(message), bytes)
    if (full.length > 0 && message.key === undefined) {
      this.#keyless++
      full.push(...this.#sealIfFull(this.#partitionOf(message), bytes))
    }
    const partition = this.#partitionOf(message)
    const batch = this.#open.get(partition) ?? new MessageBatch()
    batch.append(encoded)
    this.#open.set(partition, batch)
    return full
  }

  /** Takes the batches that are not full yet. */
  takeOpen(): RoutedBatch[] {
    return [...this.#open].map(([partition, batch]) => this.#seal(partition, batch))
  }

  #partitionOf({ key }: OutgoingMessage): number {
    return key === undefined ? this.#keyless % this.#partitions : partitionOfKey(key, this.#partitions, this.#hashing)
  }

  #sealIfFull(partition: number, bytes: number): RoutedBatch[] {
    const batch = this.#open.get(partition)
    if (batch === undefined) return []
    const isFull = batch.count >= BATCH_MESSAGES || batch.sizeBytes + bytes > BATCH_BYTES
    return isFull ? [this.#seal(partition, batch)] : []
  }

  #seal(partition: number, batch: MessageBatch): RoutedBatch {
    this.#open.delete(partition)
    const first = this.#nextIds.get(partition) ?? 0
    this.#nextIds.set(partition, first + batch.count)
    return { partition, first, batch: batch.pack(this.#compression) }
  }
}
