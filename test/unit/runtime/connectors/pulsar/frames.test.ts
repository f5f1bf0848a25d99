import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeMessage } from '../../../../../runtime/connectors/kit/protobuf.ts'
import { loadRecordCodecs } from '../../../../../runtime/connectors/kit/record-codecs.ts'
import { EntryMessages } from '../../../../../runtime/connectors/pulsar/entry-messages.ts'
import {
  encodeOutgoing,
  entryOf,
  MessageBatch,
  type OutgoingMessage,
} from '../../../../../runtime/connectors/pulsar/message-batch.ts'
import { entryMetadata } from '../../../../../runtime/connectors/pulsar/protocol/commands.ts'
import {
  decodeEntry,
  encodeEntryFrame,
  encodeFrame,
  FrameReader,
  type Entry,
} from '../../../../../runtime/connectors/pulsar/protocol/frames.ts'
import { decodeStaged, encodeStaged } from '../../../../../runtime/connectors/pulsar/staged-file.ts'
import { MAX_ITEMS } from '../../../../../runtime/model/decoding-limits.ts'

await loadRecordCodecs()

const MESSAGE = { message: { consumerId: 7, messageId: { ledger: 5, entry: 9 } } }
const anyMessage: fc.Arbitrary<OutgoingMessage> = fc.record({
  value: fc.option(fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))),
  key: fc.option(fc.string({ unit: 'grapheme', maxLength: 10 }), { nil: undefined }),
  isKeyBase64: fc.constant(false),
  eventTime: fc.option(fc.integer({ min: 1, max: 8_640_000_000_000_000 }), { nil: undefined }),
  properties: fc.array(fc.record({ name: fc.string(), value: fc.string() }), { maxLength: 3 }),
})

function entryWith(messages: readonly OutgoingMessage[], compression: 'none' | 'zlib' | 'zstd' = 'none'): Entry {
  const batch = new MessageBatch()
  for (const message of messages) batch.append(encodeOutgoing(message))
  return entryOf(batch.pack(compression), 'p', 3, 1_700_000_000_000)
}

function restOf(entry: Entry): Buffer {
  const [frame] = new FrameReader(1_000_000).push(encodeEntryFrame(MESSAGE, entry))
  return frame?.rest ?? Buffer.alloc(0)
}

describe('frames', () => {
  test('come out whole wherever the network cuts them', () => {
    const entry = entryWith([{ value: Buffer.from('abc'), key: 'k', isKeyBase64: false, eventTime: 1, properties: [] }])
    const sent = [
      encodeFrame({ ping: {} }),
      encodeEntryFrame(MESSAGE, entry),
      encodeFrame({ success: { requestId: 3 } }),
    ]
    const bytes = Buffer.concat(sent)
    const whole = new FrameReader(10_000).push(bytes)
    expect(whole.map(({ command }) => command.type)).toEqual([18, 9, 13])
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = new FrameReader(10_000)
      const frames = [...reader.push(bytes.subarray(0, cut)), ...reader.push(bytes.subarray(cut))]
      expect(frames).toEqual(whole)
    }
  })

  test.each([
    ['longer than the limit', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
    ['of HTTP', Buffer.from('HTTP/1.1 400 Bad Request')],
    ['without a command', Buffer.from([0, 0, 0, 1, 0])],
    ['whose command ends behind it', Buffer.from([0, 0, 0, 4, 0, 0, 0, 9])],
  ])('%s are refused', (_what, bytes) => {
    expect(() => new FrameReader(10_000).push(bytes)).toThrow(expect.objectContaining({ code: 'PULSAR_PROTOCOL' }))
  })

  test('of any bytes are frames or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (body) => {
        const size = Buffer.alloc(4)
        size.writeUInt32BE(body.length)
        try {
          new FrameReader(1000).push(Buffer.concat([size, body]))
        } catch (error) {
          expect(['PULSAR_PROTOCOL', 'PROTOBUF_INVALID']).toContain((error as { code?: string }).code)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('an entry', () => {
  test.each(['none', 'zlib', 'zstd'] as const)('packed with %s has its messages again', (compression) => {
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 8 }), (messages) => {
        const read = new EntryMessages('heads too')
        read.decode(decodeEntry(restOf(entryWith(messages, compression))))
        const found = messages.map((_message, index) => {
          const [start = 0, end = 0] = [read.valueStarts[index], read.valueEnds[index]]
          const { key, eventTime, properties = [] } = read.heads[index] ?? {}
          return {
            value: end < start ? null : Buffer.from(read.bytes.subarray(start, end)),
            key,
            isKeyBase64: false,
            eventTime,
            properties: properties.map((property) => ({ name: property.key, value: property.value })),
          }
        })
        expect(found).toEqual(messages)
        expect(read.count).toBe(messages.length)
      }),
      { numRuns: 200 },
    )
  })

  test('with any byte changed is refused by its checksum', () => {
    const rest = restOf(
      entryWith([{ value: Buffer.from('abc'), key: 'k', isKeyBase64: false, eventTime: 1, properties: [] }]),
    )
    for (let at = 2; at < rest.length; at++) {
      const changed = Buffer.from(rest)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(() => decodeEntry(changed)).toThrow(expect.objectContaining({ code: 'PULSAR_ENTRY_CORRUPT' }))
    }
  })

  test('of a message that is not in a batch has that one', () => {
    const read = new EntryMessages('heads too')
    read.decode({ metadata: { partitionKey: 'k', eventTime: 5 }, payload: Buffer.from('abc') })
    expect([read.count, read.bytes.toString(), read.heads[0]?.key]).toEqual([1, 'abc', 'k'])
  })

  test.each([
    ['is encrypted', { encryptionKeys: [{ key: 'secret-key' }] }, 'encrypted for secret-key'],
    ['is a chunk', { chunks: 3 }, 'one of 3 chunks'],
    ['unpacks to more than is allowed', { compression: 2, uncompressedSize: 2 ** 31 }, 'are allowed'],
    ['is packed in an unknown way', { compression: 9, uncompressedSize: 3 }, 'cannot be unpacked'],
    ['does not unpack', { compression: 1, uncompressedSize: 300 }, '300'],
    ['claims more messages than it has bytes for', { messagesInBatch: 2 ** 31 }, 'messages in'],
    ['claims a negative number of messages', { messagesInBatch: -5 }, 'messages in'],
    ['ends within a message', { messagesInBatch: 1 }, 'ends behind the batch'],
  ])('that %s is refused by name', (_what, metadata, words) => {
    const payload = Buffer.from('abcdefghijklmnop')
    expect(() => new EntryMessages('values').decode({ metadata, payload })).toThrow(words)
  })

  test('with more keys and properties than the limit is refused where they are wanted', () => {
    const count = MAX_ITEMS + 1
    // a head of two bytes that says that the payload has none
    const payload = Buffer.alloc(count * 6, Buffer.of(0, 0, 0, 2, 24, 0))
    const entry = { metadata: { messagesInBatch: count }, payload }
    expect(() => new EntryMessages('heads too').decode(entry)).toThrow('more than 1000000')
    const read = new EntryMessages('values')
    read.decode(entry)
    expect(read.count).toBe(count)
  })

  test('of any bytes is read or refused, and reads nothing behind itself', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.integer({ min: 0, max: 12 }), (bytes, messagesInBatch) => {
        const read = new EntryMessages('heads too')
        try {
          read.decode({ metadata: { messagesInBatch }, payload: Buffer.from(bytes) })
          for (let index = 0; index < read.count; index++)
            expect(read.valueEnds[index]).toBeLessThanOrEqual(bytes.length)
        } catch (error) {
          expect(['PULSAR_ENTRY_CORRUPT', 'PROTOBUF_INVALID']).toContain((error as { code?: string }).code)
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('from a broker that adds its own metadata is read', () => {
    const entry = entryWith([
      { value: Buffer.from('a'), key: undefined, isKeyBase64: false, eventTime: undefined, properties: [] },
    ])
    const own = encodeMessage(entryMetadata, { sequenceId: 1 })
    const head = Buffer.alloc(6)
    head.writeUInt16BE(0x0e02, 0)
    head.writeUInt32BE(own.length, 2)
    expect(decodeEntry(Buffer.concat([head, own, restOf(entry)])).metadata.producerName).toBe('p')
  })
})

describe('a file of batches that wait', () => {
  const batch = { messages: 2, codec: 3, unpackedBytes: 9, payload: Buffer.from('payload') }
  const batches = [
    { partition: 0, first: 0, batch },
    { partition: 4, first: 2 ** 40, batch: { ...batch, payload: Buffer.alloc(0) } },
  ]

  test('has them again', () => {
    expect(decodeStaged(encodeStaged(batches, 'file'), 'file')).toEqual(batches)
    expect(decodeStaged(encodeStaged([], 'file'), 'file')).toEqual([])
  })

  const refusal = expect.objectContaining({ code: 'PULSAR_STAGED_CORRUPT' }) as Error

  test('that is cut off anywhere is refused', () => {
    const bytes = encodeStaged(batches, 'f')
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeStaged(bytes.subarray(0, length), 'f'), `cut at ${length}`).toThrow(refusal)
  })

  test('with any single bit flipped, or in the place of another, is refused', () => {
    const bytes = encodeStaged(batches, 'f')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(() => decodeStaged(flipped, 'f'), `bit ${bit}`).toThrow(refusal)
    }
    expect(() => decodeStaged(bytes, 'g')).toThrow(refusal)
  })
})
