import fc from 'fast-check'
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { Writer } from '@platformatic/kafka'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { KafkaFrameBuffers } from '../../../../../runtime/connectors/kafka/real/frame-buffers.ts'
import { KafkaRecordChannel } from '../../../../../runtime/connectors/kafka/real/record-channel.ts'

/** What the channel uses of a socket; `written` are the bytes that went out. */
class FakeSocket extends EventEmitter {
  destroyed = false
  written = Buffer.alloc(0)
  cork(): void {
    this.emit('corked')
  }
  uncork(): void {
    this.emit('uncorked')
  }
  write(bytes: Buffer): boolean {
    this.written = Buffer.concat([this.written, bytes])
    return true
  }
  destroy(): void {
    this.destroyed = true
  }
}

function channel(timeoutMs = 60_000): {
  socket: FakeSocket
  connection: EventEmitter
  records: KafkaRecordChannel
  library: Buffer[]
} {
  const socket = new FakeSocket()
  const library: Buffer[] = []
  socket.on('data', (bytes: Buffer) => {
    library.push(Buffer.from(bytes))
  })
  const connection = Object.assign(new EventEmitter(), { socket: socket as unknown as Socket })
  return {
    socket,
    connection,
    library,
    records: new KafkaRecordChannel(connection as never, 'client', timeoutMs, new KafkaFrameBuffers()),
  }
}

function frame(number: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(body.length + 4, 0)
  head.writeInt32BE(number, 4)
  return Buffer.concat([head, body])
}

describe('the channel for records on a connection of the library', () => {
  test('a request is its header of version 2 and the payload, with lengths that fit', async () => {
    const { socket, records } = channel()
    const answer = records.request(
      { key: 1, version: 12 },
      Writer.create().appendInt32(7).append(Buffer.from('payload')),
    )
    expect(socket.written.toString('hex')).toBe(
      Buffer.concat([
        Buffer.from([0, 0, 0, 28, 0, 1, 0, 12, 0xff, 0xff, 0xff, 0xff, 0, 6]),
        Buffer.from('client'),
        Buffer.from([0, 0, 0, 0, 7]),
        Buffer.from('payload'),
      ]).toString('hex'),
    )
    socket.emit('data', frame(-1, Buffer.from([0])))
    expect(await answer).toEqual(Buffer.from([0]))
  })

  test('answers come whole however the bytes are cut, and what the library asked for goes to the library as it came', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ whose: fc.constantFrom('ours', 'library', 'late'), body: fc.uint8Array({ maxLength: 40 }) }),
          { maxLength: 8 },
        ),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        async (frames, cuts) => {
          const { socket, records, library } = channel()
          const answers: Promise<Buffer>[] = []
          const [bytes, theirs, ours]: [Buffer[], Buffer[], Buffer[]] = [[], [], []]
          for (const [index, { whose, body }] of frames.entries()) {
            if (whose === 'ours') {
              answers.push(records.request({ key: 0, version: 9 }, Writer.create()))
              ours.push(Buffer.from(body))
              bytes.push(frame(-answers.length, Buffer.from(body)))
            } else {
              bytes.push(frame(whose === 'library' ? index + 1 : -1000 - index, Buffer.from(body)))
              if (whose === 'library') theirs.push(bytes.at(-1) as Buffer)
            }
          }
          const stream = Buffer.concat(bytes)
          for (let at = 0, cut = 0; at < stream.length; cut++) {
            const size = cuts[cut % cuts.length] as number
            socket.emit('data', stream.subarray(at, at + size))
            at += size
          }
          expect(await Promise.all(answers)).toEqual(ours)
          expect(Buffer.concat(library).equals(Buffer.concat(theirs))).toBe(true)
        },
      ),
      { numRuns: 300 },
    )
  })

  test.each([2, -5, 2 ** 31 - 1])(
    'when a frame says it has %d bytes, the connection ends and whoever waits is told',
    async (length) => {
      const { socket, records } = channel()
      const answer = records.request({ key: 1, version: 12 }, Writer.create())
      const head = Buffer.alloc(20)
      head.writeInt32BE(length, 0)
      head.writeInt32BE(-1, 4)
      socket.emit('data', head)
      await expect(answer).rejects.toMatchObject({ code: 'KAFKA_FRAME_CORRUPT' })
      expect(socket.destroyed).toBe(true)
    },
  )

  test('when the connection closes, in the middle of an answer too, whoever waits is told, and a later request is refused', async () => {
    const { socket, connection, records } = channel()
    const [first, second] = [
      records.request({ key: 1, version: 12 }, Writer.create()),
      records.request({ key: 1, version: 12 }, Writer.create()),
    ]
    socket.emit('data', frame(-1, Buffer.alloc(100)).subarray(0, 50))
    socket.destroyed = true
    connection.emit('close')
    await expect(first).rejects.toThrow('closed')
    await expect(second).rejects.toThrow('closed')
    await expect(records.request({ key: 1, version: 12 }, Writer.create())).rejects.toThrow('closed')
  })

  test('when no answer comes in time the request fails, and its answer, when it comes after all, is passed over', async () => {
    const { socket, records } = channel(1)
    await expect(records.request({ key: 1, version: 12 }, Writer.create())).rejects.toThrow('no answer within 1 ms')
    const next = records.request({ key: 1, version: 12 }, Writer.create())
    socket.emit('data', Buffer.concat([frame(-1, Buffer.from('late')), frame(-2, Buffer.from('next'))]))
    expect((await next).toString()).toBe('next')
  })
})

describe('when an answer comes in pieces', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('and its rest does not, the request fails, and what comes of it after all is passed over', async () => {
    const { socket, records } = channel(100)
    const failed = expect(records.request({ key: 1, version: 12 }, Writer.create())).rejects.toThrow(
      'no answer within 100 ms',
    )
    const first = frame(-1, Buffer.alloc(50))
    socket.emit('data', first.subarray(0, 30))
    vi.advanceTimersByTime(100)
    await failed
    const next = records.request({ key: 1, version: 12 }, Writer.create())
    socket.emit('data', Buffer.concat([first.subarray(30), frame(-2, Buffer.from('next'))]))
    expect((await next).toString()).toBe('next')
  })

  test('it is not late while they come', async () => {
    const { socket, records } = channel(100)
    const answer = records.request({ key: 1, version: 12 }, Writer.create())
    const bytes = frame(-1, Buffer.from('a long answer on a slow line'))
    for (let at = 0; at < bytes.length; at += 9) {
      vi.advanceTimersByTime(90)
      socket.emit('data', bytes.subarray(at, at + 9))
    }
    expect((await answer).toString()).toBe('a long answer on a slow line')
  })
})

describe('buffers of answers', () => {
  const LARGE = 300 * 1024

  test('are used again once all of their records are given back, and not before', () => {
    const buffers = new KafkaFrameBuffers()
    const first = buffers.take(LARGE)
    const views = [first.subarray(0, 10), first.subarray(10, 20)]
    buffers.holds(views)
    buffers.give(views[0] as Buffer)
    expect(buffers.take(LARGE).buffer).not.toBe(first.buffer)
    buffers.give(views[1] as Buffer)
    const again = buffers.take(LARGE)
    expect(again.buffer).toBe(first.buffer)
    expect(again.length).toBe(LARGE)
  })

  test('a view that is given twice, or was never of an answer, changes nothing', () => {
    const buffers = new KafkaFrameBuffers()
    const first = buffers.take(LARGE)
    const view = first.subarray(0, 10)
    buffers.holds([view])
    buffers.give(view)
    buffers.give(view)
    buffers.give(Buffer.alloc(LARGE))
    expect(buffers.take(LARGE).buffer).toBe(first.buffer)
    expect(buffers.take(LARGE).buffer).not.toBe(first.buffer)
  })
})
