import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { onMessages } from '../../../../runtime/control/json-lines.ts'
import type { Connection } from '../../../../runtime/ports/net.ts'

const LINE_BYTES = 60_000
const PEERS = 16

/** A connection whose bytes the test gives, and what was read from it. */
function peer(maxBytes: number): { give(bytes: Uint8Array): void; messages: unknown[]; errors: string[] } {
  let give: (bytes: Uint8Array) => void = () => undefined
  const messages: unknown[] = []
  const errors: string[] = []
  const connection = {
    onData: (handle: (bytes: Uint8Array) => void) => {
      give = handle
    },
    destroy: () => undefined,
  } as unknown as Connection
  onMessages(connection, {
    onMessage: (message) => void messages.push(message),
    onError: ({ message }) => errors.push(message),
    maxBytes: () => maxBytes,
  })
  return {
    give: (bytes) => {
      give(bytes)
    },
    messages,
    errors,
  }
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

describe('messages of a control connection', () => {
  test('are read wherever the bytes of their lines are cut', () => {
    const bytes = Buffer.from('{"kind":"a"}\n{"kind":"b","n":"ž"}\n')
    for (let size = 1; size <= bytes.length; size++) {
      const { give, messages } = peer(100)
      for (let at = 0; at < bytes.length; at += size) give(bytes.subarray(at, at + size))
      expect(messages).toEqual([{ kind: 'a' }, { kind: 'b', n: 'ž' }])
    }
  })

  test('that are longer than they may be end the connection, also without an end', () => {
    const { give, messages, errors } = peer(100)
    for (let at = 0; at < 20; at++) give(Buffer.from('xxxxxxxxxx'))
    expect(messages).toEqual([])
    expect(errors).toEqual(['a control message is longer than 100 bytes'])
  })

  test('that come byte by byte keep a few times their bytes', () => {
    const before = heapBytes()
    const peers = Array.from({ length: PEERS }, () => peer(2 * LINE_BYTES))
    const byte = Buffer.from('x')
    for (const { give } of peers) for (let at = 0; at < LINE_BYTES; at++) give(byte)
    expect(heapBytes() - before).toBeLessThan(20 * PEERS * LINE_BYTES)
    expect(peers.flatMap(({ errors }) => errors)).toEqual([])
  })
})
