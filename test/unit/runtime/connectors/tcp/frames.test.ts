import { describe, expect, test } from 'vitest'
import { ByteQueue } from '../../../../../runtime/connectors/kit/byte-queue.ts'
import { AcknowledgementReader } from '../../../../../runtime/connectors/tcp/acknowledgements.ts'
import { framed, FrameReader, type Framing } from '../../../../../runtime/connectors/tcp/frames.ts'

const RECORDS = ['a', 'hello', 'ä€😀', 'x'.repeat(300)].map((text) => Buffer.from(text))

function bytesOf(framing: Framing): Buffer {
  return Buffer.concat(RECORDS.map((record) => framed(record, framing)))
}

describe.each(['lines', 'length'] as const)('records framed by %s', (framing) => {
  test('come out as they went in, wherever the bytes are cut', () => {
    const bytes = bytesOf(framing)
    for (const size of [1, 2, 3, 5, 7, 100, bytes.length]) {
      const reader = new FrameReader(framing, 1000)
      const found: Buffer[] = []
      for (let at = 0; at < bytes.length; at += size) found.push(...reader.push(bytes.subarray(at, at + size)))
      expect(found, `in pieces of ${size}`).toEqual(RECORDS)
      expect(reader.unfinishedBytes).toBe(0)
    }
  })

  test('are refused when one is longer than the limit, also while its end has not come', () => {
    const long = framed(Buffer.alloc(101, 'x'), framing)
    expect(() => new FrameReader(framing, 100).push(long)).toThrow(/longer than 100/)
    expect(() => {
      const reader = new FrameReader(framing, 100)
      for (const byte of Buffer.alloc(200, 'x')) reader.push(Buffer.of(byte))
    }).toThrow(/longer than 100/)
    expect(new FrameReader(framing, 101).push(long)).toHaveLength(1)
  })
})

test('lines may end with a carriage return, and empty ones are no records', () => {
  expect(new FrameReader('lines', 10).push(Buffer.from('\r\na\r\n\n\nb\n')).map(String)).toEqual(['a', 'b'])
})

test('records of a length may be empty', () => {
  expect(new FrameReader('length', 10).push(Buffer.alloc(8)).map(String)).toEqual(['', ''])
})

test('a length of four gigabytes allocates nothing', () => {
  expect(() => new FrameReader('length', 1000).push(Buffer.from('ffffffff', 'hex'))).toThrow(/4294967295/)
})

test('a record with a line end is not framed by lines', () => {
  expect(() => framed(Buffer.from('a\nb'), 'lines')).toThrow(/line end/)
})

describe('acknowledgements', () => {
  test('are counts that grow, wherever they are cut', () => {
    const reader = new AcknowledgementReader()
    expect(reader.push(Buffer.from('1'), 30)).toBe(0)
    expect(reader.push(Buffer.from('2\n2'), 30)).toBe(12)
    expect(reader.push(Buffer.from('0\n30\n'), 30)).toBe(30)
  })

  test.each(['31\n', '-1\n', 'HTTP/1.1 400 Bad Request\r\n', '5\n4\n', '1e1\n', '\n', '9'.repeat(30)])(
    'are refused when they are %j',
    (text) => {
      expect(() => new AcknowledgementReader().push(Buffer.from(text), 30)).toThrow(/not how many/)
    },
  )
})

test('a queue of bytes that is used up holds little room, however much it held', () => {
  const queue = new ByteQueue()
  queue.append(Buffer.alloc(10_000_000))
  queue.drop(10_000_000)
  expect(queue.bytes.buffer.byteLength).toBeLessThan(200_000)
  queue.append(Buffer.from('abc'))
  queue.drop(1)
  expect(queue.bytes.toString()).toBe('bc')
})
