import { MillraceError } from '../model/errors.ts'
import type { CheckpointId } from '../model/ids.ts'
import type { SnapshotExtent } from '../model/snapshot.ts'
import type { Timestamp } from '../model/time.ts'
import type { Connection } from '../ports/net.ts'
import { BarrierAligner } from './barrier-aligner.ts'
import { FrameDecoder, type Frame } from './frame.ts'
import { frameBuffers } from './frame-buffers.ts'
import { WatermarkMerger } from './watermark-merger.ts'

/** An item that a subtask takes from its inputs, already aligned and merged. */
export type GateElement =
  /** Its bytes are there until the next poll. */
  | { kind: 'batch'; exchange: string; bytes: Uint8Array }
  | { kind: 'watermark'; time: Timestamp }
  /** All channels are idle. */
  | { kind: 'idle' }
  /** The barrier has come on all channels. */
  | { kind: 'barrier'; checkpoint: CheckpointId; extent: SnapshotExtent }

/** Bytes queued on one channel above which its connection is no longer read. */
const MAX_QUEUED_BYTES = 512 * 1024

interface Channel {
  exchange: string
  connection: Connection
  queue: Frame[]
  queuedBytes: number
  paused: boolean
  /** Its watermarks say nothing about the time of the others. */
  isTimeless: boolean
}

/**
 * All input channels of one subtask. Takes from channels that are not blocked by alignment, in turn.
 * Back-pressure is TCP's: a channel whose queue is full is not read.
 */
export class InputGate {
  readonly #channels: Channel[] = []
  readonly #aligner: BarrierAligner
  readonly #merger: WatermarkMerger
  readonly #onReady: () => void
  #next = 0
  #failure: Error | undefined
  /** The batch that the last poll gave. */
  #lent: Uint8Array | undefined

  /** `onReady` is called whenever poll may have something new, or throw. */
  constructor(channels: number, onReady: () => void) {
    this.#onReady = onReady
    this.#aligner = new BarrierAligner(channels)
    this.#merger = new WatermarkMerger(channels)
  }

  /**
   * Adds a connection whose hello has been sent and which was paused before. Must be called exactly `channels`
   * times before the first poll.
   */
  add(exchange: string, connection: Connection, watermarks: 'count' | 'do not count' = 'count'): void {
    const channel: Channel = {
      exchange,
      connection,
      queue: [],
      queuedBytes: 0,
      paused: false,
      isTimeless: watermarks === 'do not count',
    }
    this.#channels.push(channel)
    if (channel.isTimeless) this.#merger.idle(this.#channels.length - 1)
    const decoder = new FrameDecoder()
    connection.onData((bytes) => {
      try {
        decoder.push(bytes, (frame) => {
          this.#enqueue(channel, frame)
        })
      } catch (error) {
        this.fail(error instanceof Error ? error : new Error(String(error)))
      }
    })
    connection.onClose((error) => {
      this.fail(
        new MillraceError('CHANNEL_LOST', `channel ${exchange} from ${connection.remote} was closed`, {
          domain: 'platform',
          retriable: true,
          cause: error,
        }),
      )
    })
    connection.resume()
  }

  #enqueue(channel: Channel, frame: Frame): void {
    if (frame.kind === 'refused') {
      this.fail(
        new MillraceError(
          'ATTEMPT_REFUSED',
          `channel ${channel.exchange}: the producer has seen attempt ${frame.seen}`,
          { domain: 'platform', retriable: true },
        ),
      )
      return
    }
    channel.queue.push(frame)
    if (frame.kind === 'batch') channel.queuedBytes += frame.bytes.length
    if (channel.queuedBytes > MAX_QUEUED_BYTES && !channel.paused) {
      channel.paused = true
      channel.connection.pause()
    }
    this.#onReady()
  }

  /** The next element, or undefined when there is none now. Throws what made the gate fail. */
  poll(): GateElement | undefined {
    if (this.#lent !== undefined) frameBuffers.give(this.#lent)
    this.#lent = undefined
    if (this.#failure) throw this.#failure
    const count = this.#channels.length
    for (let tried = 0; tried < count; tried++) {
      const index = (this.#next + tried) % count
      if (this.#aligner.isBlocked(index)) continue
      const element = this.#pollChannel(index)
      if (element) {
        this.#next = (index + 1) % count
        return element
      }
    }
    return undefined
  }

  #pollChannel(index: number): GateElement | undefined {
    const channel = this.#channels[index]
    while (channel) {
      const frame = channel.queue.shift()
      if (!frame) return undefined
      const element = this.#elementOf(index, channel, frame)
      if (element) return element
      if (this.#aligner.isBlocked(index)) return undefined
    }
    return undefined
  }

  #elementOf(index: number, channel: Channel, frame: Frame): GateElement | undefined {
    switch (frame.kind) {
      case 'batch':
        channel.queuedBytes -= frame.bytes.length
        if (channel.paused && channel.queuedBytes <= MAX_QUEUED_BYTES / 2) {
          channel.paused = false
          channel.connection.resume()
        }
        this.#lent = frame.bytes
        return { kind: 'batch', exchange: channel.exchange, bytes: frame.bytes }
      case 'watermark': {
        if (channel.isTimeless) return undefined
        const time = this.#merger.advance(index, frame.time)
        return time === undefined ? undefined : { kind: 'watermark', time }
      }
      case 'idle': {
        if (channel.isTimeless) return undefined
        const signal = this.#merger.idle(index)
        if (signal === undefined) return undefined
        return signal === 'idle' ? { kind: 'idle' } : { kind: 'watermark', time: signal }
      }
      case 'barrier':
        return this.#aligner.onBarrier(index, frame.checkpoint).kind === 'aligned'
          ? { kind: 'barrier', checkpoint: frame.checkpoint, extent: frame.extent }
          : undefined
      default:
        throw new MillraceError('FRAME_CORRUPT', `channel ${channel.exchange} carried a ${frame.kind} after its start`)
    }
  }

  /** Makes the next poll throw; the first reason stays. */
  fail(error: Error): void {
    this.#failure ??= error
    this.#onReady()
  }

  close(): void {
    this.#failure ??= new MillraceError('GATE_CLOSED', 'the subtask was stopped', { domain: 'platform' })
    for (const channel of this.#channels) channel.connection.destroy()
    this.#onReady()
  }
}
