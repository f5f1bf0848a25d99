import { Writer } from '@platformatic/kafka'
import type { AbortedTransaction, FetchRequest, FetchedPartition, ProduceAnswer, ProduceBatch } from '../client.ts'

/**
 * The two requests that carry records, written and read here instead of with platformatic's codecs, which make an
 * object per record. Versions name topics by name and exist from Kafka 2.8 on; 4.x still serves them.
 */
export const FETCH = { key: 1, version: 12 } as const
export const PRODUCE = { key: 0, version: 9 } as const

const NO_EPOCH = -1

export function fetchRequest(request: FetchRequest): Writer {
  const topics = groupByTopic(request.partitions)
  return Writer.create()
    .appendInt32(-1)
    .appendInt32(request.maxWaitMs)
    .appendInt32(1)
    .appendInt32(request.maxBytes)
    .appendInt8(request.isolation === 'read_committed' ? 1 : 0)
    .appendInt32(0)
    .appendInt32(-1) // no fetch session
    .appendArray(topics, (topic, [name, partitions]) => {
      topic.appendString(name).appendArray(partitions, (writer, { partition, offset }) => {
        writer
          .appendInt32(partition)
          .appendInt32(NO_EPOCH)
          .appendInt64(BigInt(offset))
          .appendInt32(NO_EPOCH)
          .appendInt64(-1n)
          .appendInt32(request.partitionMaxBytes)
      })
    })
    .appendArray<never>([], () => undefined)
    .appendString('')
    .appendTaggedFields()
}

/** `body` begins with the tags of the response header. The record bytes stay views of it. */
export function readFetchResponse(body: Buffer): { errorCode: number; partitions: FetchedPartition[] } {
  const cursor = new Cursor(body)
  cursor.tags()
  cursor.skip(4)
  const errorCode = cursor.int16()
  cursor.skip(4)
  const partitions: FetchedPartition[] = []
  cursor.array(() => {
    const topic = cursor.string()
    cursor.array(() => {
      partitions.push(readFetchedPartition(cursor, topic))
      cursor.tags()
    })
    cursor.tags()
  })
  return { errorCode, partitions }
}

function readFetchedPartition(cursor: Cursor, topic: string): FetchedPartition {
  const partition = cursor.int32()
  const errorCode = cursor.int16()
  const highWatermark = cursor.offset()
  const lastStableOffset = cursor.offset()
  const logStartOffset = cursor.offset()
  const transactions: AbortedTransaction[] = []
  const isCommitted = cursor.array(() => {
    const producerId = cursor.int64()
    transactions.push({ producerId, firstOffset: cursor.offset() })
    cursor.tags()
  })
  cursor.skip(4)
  return {
    topic,
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    aborted: isCommitted ? transactions : null,
    records: cursor.bytes(),
  }
}

export function produceRequest(
  transactionalId: string | null,
  timeoutMs: number,
  batches: readonly ProduceBatch[],
): Writer {
  return Writer.create()
    .appendString(transactionalId)
    .appendInt16(-1)
    .appendInt32(timeoutMs)
    .appendArray(groupByTopic(batches), (topic, [name, partitions]) => {
      topic.appendString(name).appendArray(partitions, (writer, { partition, batch }) => {
        writer.appendInt32(partition).appendBytes(batch)
      })
    })
    .appendTaggedFields()
}

/** As readFetchResponse. */
export function readProduceResponse(body: Buffer): ProduceAnswer[] {
  const cursor = new Cursor(body)
  cursor.tags()
  const answers: ProduceAnswer[] = []
  cursor.array(() => {
    const topic = cursor.string()
    cursor.array(() => {
      const partition = cursor.int32()
      const errorCode = cursor.int16()
      cursor.skip(24) // base offset, append time, log start
      cursor.array(() => {
        cursor.skip(4)
        cursor.string()
        cursor.tags()
      })
      answers.push({ topic, partition, errorCode, message: cursor.nullableString() })
      cursor.tags()
    })
    cursor.tags()
  })
  return answers
}

function groupByTopic<T extends { topic: string }>(items: readonly T[]): [string, T[]][] {
  const topics = new Map<string, T[]>()
  for (const item of items) {
    const group = topics.get(item.topic)
    if (group === undefined) topics.set(item.topic, [item])
    else group.push(item)
  }
  return [...topics]
}

/** Reads the flexible encoding: lengths are unsigned varints of length + 1, 0 meaning null. */
class Cursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  int16(): number {
    this.#at += 2
    return this.#bytes.readInt16BE(this.#at - 2)
  }
  int32(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }
  int64(): bigint {
    this.#at += 8
    return this.#bytes.readBigInt64BE(this.#at - 8)
  }
  offset(): number {
    return Number(this.int64())
  }

  varint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#at++)
      value |= (byte & 127) << shift
      if (byte < 128) return value >>> 0
    }
  }

  /** False when the array is null. */
  array(each: () => void): boolean {
    const length = this.varint()
    for (let i = 1; i < length; i++) each()
    return length > 0
  }

  nullableString(): string | null {
    const length = this.varint()
    return length === 0 ? null : this.#take(length - 1).toString('utf8')
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  bytes(): Buffer {
    return this.#take(Math.max(0, this.varint() - 1))
  }

  tags(): void {
    for (let count = this.varint(); count > 0; count--) {
      this.varint()
      const size = this.varint()
      this.#at += size
    }
  }

  #take(length: number): Buffer {
    this.#at += length
    if (this.#at > this.#bytes.length)
      throw new RangeError(`a Kafka response ends at ${this.#bytes.length}, a field of it at ${this.#at}`)
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}
