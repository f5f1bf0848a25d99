import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Wire } from '../../../../cli/kernel/wire.ts'

const KEY = 'a0436f6c-1916-498b-8eb9-e81ab9368e84'
const HEADER = { msg_id: 'm1', msg_type: 'kernel_info_request', session: 's', username: 'u', date: 'd', version: '5.3' }

/** As jupyter_client writes it (session.py, `sign`). */
function signed(parts: readonly (string | Buffer)[], { key = KEY, identities = ['client'] } = {}): Buffer[] {
  const hmac = createHmac('sha256', key)
  for (const part of parts) hmac.update(part)
  return [...identities, '<IDS|MSG>', hmac.digest('hex'), ...parts].map((part) => Buffer.from(part))
}

const request = (content: object = {}) => [JSON.stringify(HEADER), '{}', '{}', JSON.stringify(content)]

test('when a message is signed with the key, it is read with its identities', () => {
  const received = new Wire(KEY).read(signed(request({ code: 'x' })))
  expect(received).toEqual({
    message: {
      identities: [Buffer.from('client')],
      header: HEADER,
      parentHeader: {},
      metadata: {},
      content: { code: 'x' },
    },
  })
})

test('when a message was written by a wire, another wire with the key reads it and one with another key refuses it', () => {
  const message = { identities: [Buffer.from('a'), Buffer.from('b')], header: HEADER, parentHeader: { x: 1 } }
  const frames = new Wire(KEY).frames({ ...message, metadata: { y: 2 }, content: { z: 'ü' } })
  expect(new Wire(KEY).read(frames)).toEqual({ message: { ...message, metadata: { y: 2 }, content: { z: 'ü' } } })
  expect(new Wire('other').read(frames)).toEqual({ refused: 'the signature does not fit the key' })
})

test('when any byte of a signed message is changed, it is refused', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3 }), fc.nat(), fc.integer({ min: 1, max: 255 }), (part, at, change) => {
      const frames = signed(request({ code: 'y' }))
      const frame = frames[3 + part] ?? Buffer.alloc(0)
      const index = at % frame.length
      frame[index] = (frame[index] ?? 0) ^ change
      expect(new Wire(KEY).read(frames)).toEqual({ refused: 'the signature does not fit the key' })
    }),
  )
})

test('when a recorded message is sent again, it is refused', () => {
  const wire = new Wire(KEY)
  const frames = signed(request())
  expect(wire.read(frames)).toHaveProperty('message')
  expect(wire.read(frames)).toEqual({ refused: 'a message with this signature was taken already' })
})

test('when frames are anything at all, reading does not throw and nothing is obeyed', () => {
  const frame = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.constantFrom('<IDS|MSG>', '', '{}', 'null').map(Buffer.from),
  )
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 30 }), (frames) => {
      expect(new Wire(KEY).read(frames.map((one) => Buffer.from(one)))).toHaveProperty('refused')
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['a header that is a list', ['[]', '{}', '{}', '{}'], /must be JSON objects/],
  ['a content that is no JSON', [JSON.stringify(HEADER), '{}', '{}', '{'], /must be JSON objects/],
  ['a header without msg_id', ['{"msg_type":"a","session":"b"}', '{}', '{}', '{}'], /no msg_id/],
  ['a header whose msg_type is a number', ['{"msg_id":"m","msg_type":1,"session":"b"}', '{}', '{}', '{}'], /no msg_id/],
  [
    'content of a hundred thousand brackets',
    [JSON.stringify(HEADER), '{}', '{}', '['.repeat(1e5)],
    /must be JSON objects/,
  ],
])('when a signed message has %s, it is refused', (_, parts, why) => {
  expect(new Wire(KEY).read(signed(parts))).toEqual({ refused: expect.stringMatching(why) })
})

test('when there are more identities than a client has, the message is refused', () => {
  const identities = Array.from({ length: 17 }, (_, index) => String(index))
  expect(new Wire(KEY).read(signed(request(), { identities }))).toHaveProperty('refused')
})
