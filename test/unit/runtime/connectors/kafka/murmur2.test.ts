import { describe, expect, test } from 'vitest'
import { murmur2, partitionOfKey } from '../../../../../runtime/connectors/kafka/murmur2.ts'

describe('murmur2', () => {
  // kafka: UtilsTest.testMurmur2
  test.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])("when %s is hashed, it is what Kafka's own clients compute", (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash)
  })

  test('when the hash is negative, the partition still lies within the topic', () => {
    expect(partitionOfKey(Buffer.from('21'), 7)).toBe((-973932308 & 0x7fffffff) % 7)
  })
})
