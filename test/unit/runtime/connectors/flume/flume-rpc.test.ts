import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FlumeRequests, statusAnswer } from '../../../../../runtime/connectors/flume/flume-rpc.ts'
import { encodeNettyMessage, NettyReader } from '../../../../../runtime/connectors/flume/netty-frames.ts'

/** Avro's own encoding, written here again: zigzag varints, texts and bytes with their length. */
function long(value: number): Buffer {
  const bytes: number[] = []
  let rest = value < 0 ? -2n * BigInt(value) - 1n : 2n * BigInt(value)
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}
const text = (value: string): Buffer => Buffer.concat([long(Buffer.byteLength(value)), Buffer.from(value)])

function event(headers: Record<string, string>, body: string): Buffer {
  const entries = Object.entries(headers)
  return Buffer.concat([
    ...(entries.length === 0 ? [] : [long(entries.length)]),
    ...entries.flatMap(([name, value]) => [text(name), text(value)]),
    long(0),
    text(body),
  ])
}

const CLIENT_PROTOCOL = JSON.stringify({
  protocol: 'AvroSourceProtocol',
  types: [{ type: 'record', name: 'AvroFlumeEvent', fields: [{ name: 'headers' }, { name: 'body' }] }],
})
const HASH = Buffer.alloc(16, 7)

function handshake(protocol: string | undefined): Buffer {
  return Buffer.concat([
    HASH,
    protocol === undefined ? long(0) : Buffer.concat([long(1), text(protocol)]),
    HASH,
    long(0),
  ])
}

function call(name: string, parameter: Buffer): Buffer {
  return Buffer.concat([long(0), text(name), parameter])
}

const BATCH = Buffer.concat([long(2), event({ a: '1' }, 'one'), event({}, 'two'), long(0)])
const FIRST = Buffer.concat([handshake(CLIENT_PROTOCOL), call('appendBatch', BATCH)])

function acquainted(): FlumeRequests {
  const requests = new FlumeRequests(1_000)
  requests.decode(FIRST)
  return requests
}

describe('a call of an agent', () => {
  test('needs the protocol of the client once, and then none', () => {
    const requests = new FlumeRequests(1_000)
    const asked = requests.decode(Buffer.concat([handshake(undefined), call('appendBatch', BATCH)]))
    expect(asked).toMatchObject({ kind: 'handshake' })
    const first = requests.decode(FIRST)
    expect(first).toMatchObject({
      kind: 'events',
      events: [{ headers: new Map([['a', '1']]) }, { headers: new Map() }],
    })
    const again = requests.decode(call('append', event({ b: 'ä' }, 'three')))
    expect(again).toMatchObject({
      kind: 'events',
      events: [{ headers: new Map([['b', 'ä']]) }],
      handshake: Buffer.alloc(0),
    })
    expect('events' in again && String(again.events[0]?.body)).toBe('three')
  })

  test('may have blocks with their size, as other writers of Avro make them', () => {
    const events = event({}, 'one')
    const sized = Buffer.concat([long(-1), long(events.length), events, long(0)])
    expect(acquainted().decode(call('appendBatch', sized))).toMatchObject({ kind: 'events', events: [{}] })
  })

  test('is answered with its serial, no metadata, no error and the status', () => {
    const [answer] = new NettyReader(1000).push(
      encodeNettyMessage({ serial: 77, bytes: statusAnswer(Buffer.alloc(0), 'FAILED') }),
    )
    expect(answer).toEqual({ serial: 77, bytes: Buffer.of(0, 0, 2) })
  })

  test.each([
    ['another call', call('appendThrift', BATCH)],
    ['an array that says more items than there are bytes', call('appendBatch', long(1e9))],
    ['a negative length', call('append', Buffer.concat([long(0), long(-5)]))],
    ['a body that is longer than the message', call('append', Buffer.concat([long(0), long(1e9)]))],
    [
      'a header that is not UTF-8',
      call('append', Buffer.from(String(event({ h: '?' }, 'x').toString('latin1')).replace('?', '\xfc'), 'latin1')),
    ],
    ['a number without an end', call('append', Buffer.alloc(40, 255))],
    ['a batch of more events than may be', call('appendBatch', Buffer.concat([long(1_001), Buffer.alloc(2_003)]))],
    ['a block of the largest negative count', call('appendBatch', Buffer.concat([long(-9e15), long(1)]))],
  ])('is refused when it is %s', (_what, bytes) => {
    expect(() => acquainted().decode(bytes)).toThrow(expect.objectContaining({ code: 'FLUME_PROTOCOL' }) as Error)
  })

  test.each(['{}', 'no JSON', '{"types":[{"name":"AvroFlumeEvent","fields":[{"name":"body"},{"name":"headers"}]}]}'])(
    'is refused from a client whose protocol is %s',
    (protocol) => {
      const bytes = Buffer.concat([handshake(protocol), call('appendBatch', BATCH)])
      expect(() => new FlumeRequests(1_000).decode(bytes)).toThrow(/AvroFlumeEvent/)
    },
  )

  test('that is cut anywhere is refused or gives no more events than were sent', () => {
    for (let end = 0; end < FIRST.length; end++) {
      try {
        const request = new FlumeRequests(1_000).decode(FIRST.subarray(0, end))
        if (request.kind === 'events') expect.fail(`cut at ${end}`)
      } catch (error) {
        expect(error, `cut at ${end}`).toMatchObject({ code: 'FLUME_PROTOCOL' })
      }
    }
  })
})

/**
 * Recorded from the Avro sink of an agent of Flume 1.11.0 (batch-size 2, TAILDIR source with the header `path`) that
 * sent three lines: the hash of its protocol with the first batch, the protocol with the batch again, the second batch.
 */
const RECORDED = readFileSync(
  join(import.meta.dirname, '..', '..', '..', '..', 'fixtures', 'flume', 'agent-1.11.0.bin'),
)

describe('the calls of an agent of Flume 1.11.0', () => {
  test('are a question for the protocol and two batches, wherever the bytes are cut', () => {
    for (let cut = 0; cut <= RECORDED.length; cut++) {
      const reader = new NettyReader(10_000)
      const requests = new FlumeRequests(2)
      const found = [RECORDED.subarray(0, cut), RECORDED.subarray(cut)]
        .flatMap((bytes) => reader.push(bytes))
        .map(({ serial, bytes }) => {
          const request = requests.decode(bytes)
          const events = request.kind === 'events' ? request.events : []
          return [serial, request.kind, ...events.map(({ headers, body }) => `${headers.get('path')}: ${body}`)]
        })
      expect(found, `cut at ${cut}`).toEqual([
        [1, 'handshake'],
        [2, 'events', '/tmp/flume-agent/in.log: one', '/tmp/flume-agent/in.log: two'],
        [3, 'events', '/tmp/flume-agent/in.log: three'],
      ])
    }
  })
})

describe('messages over a connection', () => {
  const buffers = (serial: number, parts: readonly string[]): Buffer => {
    const head = Buffer.alloc(8)
    head.writeInt32BE(serial)
    head.writeInt32BE(parts.length, 4)
    const bodies = parts.map((part) => {
      const length = Buffer.alloc(4)
      length.writeInt32BE(part.length)
      return Buffer.concat([length, Buffer.from(part)])
    })
    return Buffer.concat([head, ...bodies])
  }
  const bytes = Buffer.concat([buffers(1, ['ab', '', 'c']), buffers(2, []), buffers(3, ['d'.repeat(500)])])

  test('are put together from their buffers, wherever the bytes are cut', () => {
    for (const size of [1, 2, 3, 7, 64, bytes.length]) {
      const reader = new NettyReader(1000)
      const found: string[] = []
      for (let at = 0; at < bytes.length; at += size)
        for (const { serial, bytes: body } of reader.push(bytes.subarray(at, at + size)))
          found.push(`${serial}:${body}`)
      expect(found, `in pieces of ${size}`).toEqual(['1:abc', '2:', `3:${'d'.repeat(500)}`])
    }
  })

  test.each([
    ['is longer than the limit, in one buffer', buffers(1, ['x'.repeat(1001)])],
    [
      'is longer than the limit, in many buffers',
      buffers(
        1,
        Array.from({ length: 200 }, () => 'x'.repeat(6)),
      ),
    ],
    ['has a buffer of a negative length', Buffer.from('0000000100000001ffffffff', 'hex')],
    ['has a negative number of buffers', Buffer.from('00000001ffffffff', 'hex')],
    ['has a thousand million buffers', Buffer.from('000000013b9aca00', 'hex')],
    ['is HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('are refused when one %s', (_what, sent) => {
    expect(() => new NettyReader(1000).push(sent)).toThrow(expect.objectContaining({ code: 'FLUME_PROTOCOL' }) as Error)
  })
})
