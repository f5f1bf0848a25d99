import { expect, test } from 'vitest'
import { FrameBuffers } from '../../../../runtime/exchange/frame-buffers.ts'

test('a buffer that was given back serves the next frame of about its length, and only one', () => {
  const buffers = new FrameBuffers()
  const first = buffers.take(100_000)
  buffers.give(first.subarray(8))
  const second = buffers.take(120_000)
  expect(second.buffer).toBe(first.buffer)
  expect([second.byteOffset, second.length]).toEqual([0, 120_000])
  expect(buffers.take(120_000).buffer).not.toBe(first.buffer)
})

test('a buffer is never shorter than what is asked for, whatever came back before', () => {
  const buffers = new FrameBuffers()
  for (const length of [8, 4095, 4096, 4097, 65_536, 65_537, 1_048_576, 1_048_577, 5_000_000]) {
    for (const again of [length, length + 1]) {
      const bytes = buffers.take(again)
      expect(bytes.length).toBe(again)
      buffers.give(bytes)
    }
  }
})

test('what is kept for later stays below 4 MB', () => {
  const buffers = new FrameBuffers()
  const given = Array.from({ length: 10 }, () => buffers.take(1_000_000))
  for (const bytes of given) buffers.give(bytes)
  const known = new Set(given.map(({ buffer }) => buffer))
  const again = Array.from({ length: 10 }, () => buffers.take(1_000_000))
  expect(again.filter(({ buffer }) => known.has(buffer))).toHaveLength(4)
})
