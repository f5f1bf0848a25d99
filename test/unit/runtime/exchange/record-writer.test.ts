import { RowBatch } from '../../../../runtime/memory/batch.ts'
import { expect, test } from 'vitest'
import type { BatchCodec } from '../../../../runtime/codegen/contracts.ts'
import { ChannelWriter } from '../../../../runtime/exchange/channel-writer.ts'
import { FrameDecoder } from '../../../../runtime/exchange/frame.ts'
import { RecordWriter } from '../../../../runtime/exchange/record-writer.ts'
import type { Row } from '../../../../runtime/model/schema.ts'
import type { Connection } from '../../../../runtime/ports/net.ts'
import { quietPorts } from '../../../harness/source-context.ts'

/** A batch of rows that take so many bytes each, of which only their numbers are written. */
const codecOf = (rowBytes: number): Pick<BatchCodec, 'encode' | 'decode'> => ({
  encode(rows, count) {
    const batch = new Float64Array(Math.max(count + 1, (count * rowBytes) / 8))
    batch[0] = count
    for (let i = 0; i < count; i++) batch[i + 1] = rows[i]?.['n'] as number
    return new Uint8Array(batch.buffer)
  },
  decode(bytes, out) {
    const batch = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8)
    const count = batch[0] ?? 0
    for (let i = 0; i < count; i++) out[i] = { n: batch[i + 1] ?? 0 }
    return count
  },
})

/** Hands on what is written to it at once. */
function connectionTo(onData: (bytes: Uint8Array) => void): Connection {
  const nothing = (): void => undefined
  return {
    remote: 'reader',
    bufferedBytes: 0,
    write(bytes, onSent) {
      onData(bytes)
      onSent?.()
    },
    onData: nothing,
    onDrain: nothing,
    onClose: nothing,
    pause: nothing,
    resume: nothing,
    end: nothing,
    destroy: nothing,
  }
}

test.each([1, 65_536, 150_000, 30_000_000])(
  'rows of %i bytes arrive in their order, however many of them one frame can hold',
  (rowBytes) => {
    const codec = codecOf(Math.ceil(rowBytes / 8) * 8)
    const channel = new ChannelWriter('a→b 0→0', () => undefined)
    const decoder = new FrameDecoder()
    const arrived: Row[] = []
    channel.attach(
      connectionTo((bytes) => {
        decoder.push(bytes, (frame) => {
          const rows: Row[] = []
          if (frame.kind === 'batch') codec.decode(frame.bytes, rows)
          arrived.push(...rows)
        })
      }),
    )
    const rows = Array.from({ length: rowBytes > 1_000_000 ? 5 : 1024 }, (_, n): Row => ({ n }))
    const writer = new RecordWriter([channel], codec, { kind: 'one', channel: 0 }, quietPorts().clock)
    writer.write(new RowBatch(rows))
    writer.flush()
    expect(arrived).toEqual(rows)
  },
)
