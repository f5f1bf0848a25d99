import { BlockList, isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  GUARDED_BLOCKS,
  isInBlocks,
  parseAddressBlock,
  type AddressBlock,
} from '../../../../runtime/model/address-blocks.ts'

function blocksOf(texts: readonly string[]): AddressBlock[] {
  return texts.map((text) => parseAddressBlock(text) ?? expect.fail(`${text} is not a block`))
}

const GUARDED = blocksOf(GUARDED_BLOCKS)

/** Node's own, as an independent judge. */
function nodesBlocks(texts: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of texts) {
    const [address = '', bits] = text.split('/')
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

const near = fc.constantFrom(
  ...GUARDED_BLOCKS.map((text) => text.split('/')[0] ?? ''),
  '126.255.255.255',
  '128.0.0.0',
  '169.253.255.255',
  '169.255.0.0',
  'fe7f::',
  'fec0::',
  '::2',
  '::ffff:127.0.0.1',
  '::ffff:a9fe:a9fe',
  '::ffff:8.8.8.8',
)

describe('blocks of addresses', () => {
  test('when any address is asked for, agree with those of Node', () => {
    const judge = nodesBlocks(GUARDED_BLOCKS)
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), near), (address) => {
        fc.pre(!/^(2002|64:ff9b):/i.test(address))
        expect(isInBlocks(address, GUARDED)).toBe(judge.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'))
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['64:ff9b::169.254.169.254', true],
    ['64:ff9b::8.8.8.8', false],
    ['64:ff9b:1::169.254.169.254', true],
    ['64:ff9b:1::8.8.8.8', false],
    ['::ffff:0:169.254.169.254', true],
    ['::ffff:0:8.8.8.8', false],
    ['2002:7f00:1::', true],
    ['2002:808:808::', false],
    ['fe80::1%eth0', true],
  ])('when the address is %s, which leads to another or has a zone, answer %s', (address, expected) => {
    expect(isInBlocks(address, GUARDED)).toBe(expected)
  })

  test('when a text is no address, are not asked: nothing passes because it cannot be read', () => {
    for (const address of ['', 'localhost', '127.1', '0x7f000001', '::1::', '1.2.3.4.5', '1.2.3.256', '01.2.3.4'])
      expect(() => isInBlocks(address, GUARDED)).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID' }))
  })

  test('when a block is mistyped, are not read', () => {
    for (const text of ['10.0.0.0/33', 'fe80::/129', '10.0.0/8', '10.0.0.0/', '10.0.0.0/8/8', 'example.com'])
      expect(parseAddressBlock(text)).toBeUndefined()
  })
})
