import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeFrame, FrameDecoder, type Frame } from '../../../../runtime/exchange/frame.ts'
import { MillraceError } from '../../../../runtime/model/errors.ts'

const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc
    .integer({ min: 1, max: 40 })
    .chain((words) => fc.uint8Array({ minLength: words * 8, maxLength: words * 8 }))
    .map((bytes): Frame => ({ kind: 'batch', bytes })),
  fc.maxSafeInteger().map((time): Frame => ({ kind: 'watermark', time })),
  fc
    .record({ attempt: fc.nat(), checkpoint: fc.nat(), extent: fc.constantFrom('changes' as const, 'whole' as const) })
    .map((ids): Frame => ({ kind: 'barrier', ...ids })),
  fc.nat().map((seen): Frame => ({ kind: 'refused', seen })),
  fc
    .record({
      token: fc.string(),
      jobUid: fc.string(),
      attempt: fc.nat(),
      exchange: fc.string({ unit: 'grapheme' }),
      producerSlot: fc.nat(),
      consumerSlot: fc.nat(),
    })
    .map((hello): Frame => ({ kind: 'hello', hello })),
)

function decodeIn(pieces: Uint8Array[]): Frame[] {
  const frames: Frame[] = []
  const decoder = new FrameDecoder()
  for (const piece of pieces) decoder.push(piece, (one) => frames.push(one))
  return frames
}

function plain(one: Frame): unknown {
  return one.kind === 'batch' ? { kind: 'batch', bytes: [...one.bytes] } : one
}

describe('frames', () => {
  test('frames cut anywhere come out as they went in, batches aligned to 8 bytes', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), fc.integer({ min: 1, max: 50 }), (frames, cut) => {
        const bytes = Buffer.concat(frames.map(encodeFrame))
        const pieces = Array.from(
          { length: Math.ceil(bytes.length / cut) },
          (_, index) => new Uint8Array(bytes.subarray(index * cut, (index + 1) * cut)),
        )
        const decoded = decodeIn(pieces)
        expect(decoded.map(plain)).toEqual(frames.map(plain))
        for (const one of decoded) if (one.kind === 'batch') expect(one.bytes.byteOffset % 8).toBe(0)
      }),
    )
  })

  test('a frame longer than its reader takes is refused with its head, whoever sent it', () => {
    const decoder = new FrameDecoder(1024)
    const long = encodeFrame({ kind: 'batch', bytes: new Uint8Array(2048) })
    expect(() => {
      decoder.push(long.subarray(0, 8), () => undefined)
    }).toThrow(expect.objectContaining({ code: 'FRAME_CORRUPT' }))
  })

  test('bytes that no sender writes are refused as FRAME_CORRUPT and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeIn([bytes])
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError)
          expect(error).toHaveProperty('code', 'FRAME_CORRUPT')
        }
      }),
    )
  })
})
