import { type Batch, BATCH_ROWS } from '../memory/batch.ts'
import type { BatchCodec, KeyGrouper } from '../codegen/contracts.ts'
import type { Row } from '../model/schema.ts'
import type { Attempt, CheckpointId } from '../model/ids.ts'
import type { SnapshotExtent } from '../model/snapshot.ts'
import type { Timestamp } from '../model/time.ts'
import type { Clock } from '../ports/clock.ts'
import { slotOfKeyGroup } from '../plan/key-groups.ts'
import type { ChannelWriter } from './channel-writer.ts'
import { MAX_BATCH_BYTES } from './frame.ts'

/** How long a row may wait for its batch to fill. */
const FLUSH_AFTER_MS = 2

/** How rows find their channel. */
export type Routing =
  | { kind: 'one'; channel: number }
  | { kind: 'roundRobin' }
  | { kind: 'broadcast' }
  | { kind: 'hash'; grouper: KeyGrouper; maxParallelism: number }

/**
 * The producing side of one exchange: gathers rows per channel, encodes full batches, and flushes when the subtask has
 * nothing to do, at the latest after 2 ms, and always before a watermark or barrier, so that order within a channel
 * holds.
 */
export class RecordWriter {
  readonly #channels: readonly ChannelWriter[]
  readonly #codec: Pick<BatchCodec, 'encode'>
  readonly #routing: Routing
  readonly #clock: Clock
  readonly #pending: Row[][]
  readonly #groups = new Uint16Array(BATCH_ROWS)
  readonly #slotOfGroup: Uint16Array
  #turn = 0
  #cancelFlush: (() => void) | undefined

  constructor(channels: readonly ChannelWriter[], codec: Pick<BatchCodec, 'encode'>, routing: Routing, clock: Clock) {
    this.#channels = channels
    this.#codec = codec
    // with one reader there is nothing to choose, and no key to hash
    this.#routing = channels.length === 1 ? { kind: 'one', channel: 0 } : routing
    this.#clock = clock
    this.#pending = channels.map(() => [])
    const groups = routing.kind === 'hash' ? routing.maxParallelism : 0
    this.#slotOfGroup = Uint16Array.from({ length: groups }, (_, group) =>
      slotOfKeyGroup(group, groups, channels.length),
    )
  }

  /** The rows of the batch are kept, the array is not. */
  write(batch: Batch): void {
    const { count } = batch
    const rows = batch.rows()
    switch (this.#routing.kind) {
      case 'one':
        this.#append(this.#routing.channel, rows, count)
        break
      case 'roundRobin':
        this.#append(this.#turn++ % this.#channels.length, rows, count)
        break
      case 'broadcast':
        for (let channel = 0; channel < this.#channels.length; channel++) this.#append(channel, rows, count)
        break
      case 'hash':
        this.#partition(this.#routing.grouper, rows, count)
        break
    }
    this.#cancelFlush ??= this.#clock.after(FLUSH_AFTER_MS, () => {
      this.#cancelFlush = undefined
      this.flush()
    })
  }

  #partition(grouper: KeyGrouper, rows: readonly Row[], count: number): void {
    const groups = this.#groups
    grouper(rows, count, groups)
    for (let i = 0; i < count; i++) {
      const channel = this.#slotOfGroup[groups[i] as number] as number
      const pending = this.#pending[channel] as Row[]
      if (pending.push(rows[i] as Row) === BATCH_ROWS) this.#flushChannel(channel)
    }
  }

  #append(channel: number, rows: readonly Row[], count: number): void {
    const pending = this.#pending[channel] as Row[]
    for (let i = 0; i < count; i++) {
      if (pending.push(rows[i] as Row) === BATCH_ROWS) this.#flushChannel(channel)
    }
  }

  #flushChannel(channel: number): void {
    const pending = this.#pending[channel] as Row[]
    if (pending.length === 0) return
    this.#send(channel, pending)
    pending.length = 0
  }

  /** In halves what no reader would take in one frame. */
  #send(channel: number, rows: readonly Row[]): void {
    const bytes = this.#codec.encode(rows, rows.length)
    if (bytes.length > MAX_BATCH_BYTES && rows.length > 1) {
      const half = rows.length >> 1
      this.#send(channel, rows.slice(0, half))
      this.#send(channel, rows.slice(half))
    } else this.#channels[channel]?.write({ kind: 'batch', bytes })
  }

  flush(): void {
    for (let channel = 0; channel < this.#channels.length; channel++) this.#flushChannel(channel)
  }

  watermark(time: Timestamp): void {
    this.flush()
    for (const channel of this.#channels) channel.write({ kind: 'watermark', time })
  }

  /** The subtask expects nothing for now: readers need not wait for its watermark. */
  idle(): void {
    this.flush()
    for (const channel of this.#channels) channel.write({ kind: 'idle' })
  }

  barrier(attempt: Attempt, checkpoint: CheckpointId, extent: SnapshotExtent): void {
    this.flush()
    for (const channel of this.#channels) channel.write({ kind: 'barrier', attempt, checkpoint, extent })
  }

  get isFull(): boolean {
    return this.#channels.some((channel) => channel.isFull)
  }

  get failure(): Error | undefined {
    return this.#channels.find((channel) => channel.failure)?.failure
  }

  close(): void {
    this.#cancelFlush?.()
    for (const channel of this.#channels) channel.close()
  }
}
