import { describe, expect, test } from 'vitest'
import { emptyHeadedBlock, HeadedBlock, magicOf, writeHeadedBlock } from '../../../../runtime/memory/headed-block.ts'

const MAGIC = 0x31414142

describe('a headed block', () => {
  test('when it lies anywhere in a larger buffer, its header and parts are read back, each part at a place that 8 divides', () => {
    const block = writeHeadedBlock(MAGIC, { name: 'ž' }, [Uint8Array.of(1, 2, 3), Uint8Array.of(4)])
    const read = new HeadedBlock<{ name: string }>(Buffer.concat([Buffer.alloc(3), block]).subarray(3))
    expect([magicOf(block), read.header]).toEqual([MAGIC, { name: 'ž' }])
    expect([...read.take(3)]).toEqual([1, 2, 3])
    const rest = read.rest()
    expect([[...rest], rest.byteOffset % 8]).toEqual([[4, 0, 0, 0, 0, 0, 0, 0], 0])
  })

  test('when it was cut off, or its header does not end where 8 divides, it is corrupt', () => {
    const { bytes, start } = emptyHeadedBlock(MAGIC, { a: 1 }, 16)
    const odd = bytes.slice()
    new Uint32Array(odd.buffer, 0, 2)[1] = start - 9
    for (const bad of [bytes.subarray(0, 7), bytes.subarray(0, 12), odd])
      expect(() => new HeadedBlock(bad)).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
    expect(() => new HeadedBlock(bytes).take(17)).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
  })
})
