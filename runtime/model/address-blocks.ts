import { MillraceError } from './errors.ts'

/** Addresses whose first `bits` of 128 bits are those of `first`; IPv4 as it is mapped into IPv6 (::ffff:0:0/96). */
export interface AddressBlock {
  readonly first: bigint
  readonly bits: number
}

const MAPPED_IPV4 = 0xffffn << 32n
/** 64:ff9b::/96 */
const NAT64 = 0x64ff9bn << 64n
/** 64:ff9b:1::/48 */
const LOCAL_NAT64 = 0x64ff9b0001n
/** ::ffff:0:0:0/96 */
const TRANSLATED_IPV4 = 0xffff0000n
/** 2002::/16 */
const SIX_TO_FOUR = 0x2002n
const BITS = 128

/**
 * Where a job on a cluster has no business: the pod itself, the machine that it runs on, and what clouds serve
 * credentials of machines at.
 */
export const GUARDED_BLOCKS: readonly string[] = [
  '0.0.0.0/8', // this host; Linux connects it to loopback
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local: metadata of AWS, Azure, GCP, Oracle and others
  '100.100.100.200/32', // metadata of Alibaba Cloud
  '168.63.129.16/32', // Azure's wire server
  '192.0.0.192/32', // metadata of Oracle Cloud, older
  '::/127', // this host and loopback
  'fe80::/10', // link-local
  'fd00:ec2::/32', // metadata and resolver of AWS
  'fd20:ce::254/128', // metadata of GCP
]

/** Reads `10.0.0.0/8`, `fe80::/10` or one address; undefined when it is neither. */
export function parseAddressBlock(text: string): AddressBlock | undefined {
  const [address = '', length, ...rest] = text.split('/')
  const first = parseAddress(address)
  if (first === undefined || rest.length > 0) return undefined
  const ofFamily = address.includes(':') ? BITS : 32
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined
  const bits = length === undefined ? ofFamily : Number(length)
  return bits > ofFamily ? undefined : { first, bits: bits + BITS - ofFamily }
}

/** Whether an address, or the IPv4 address that it leads to, is in one of the blocks. Throws for what is no address. */
export function isInBlocks(address: string, blocks: readonly AddressBlock[]): boolean {
  const value = parseAddress(address)
  if (value === undefined) throw new MillraceError('ADDRESS_INVALID', `${JSON.stringify(address)} is not an address`)
  return [value, ...behindGateway(value)].some((one) =>
    blocks.some(({ first, bits }) => (one ^ first) >> BigInt(BITS - bits) === 0n),
  )
}

/** The IPv4 address that an address of NAT64 (RFC 6052, 8215), SIIT (RFC 2765) or 6to4 (RFC 3056) leads to. */
function behindGateway(value: bigint): bigint[] {
  const isTranslated = value >> 32n === NAT64 || value >> 80n === LOCAL_NAT64 || value >> 32n === TRANSLATED_IPV4
  if (isTranslated) return [MAPPED_IPV4 | (value & 0xffffffffn)]
  return value >> 112n === SIX_TO_FOUR ? [MAPPED_IPV4 | ((value >> 80n) & 0xffffffffn)] : []
}

/** The 128 bits of an address in dotted or colon form, without brackets; a zone is left out. */
function parseAddress(text: string): bigint | undefined {
  const [address = ''] = text.split('%', 1)
  if (!address.includes(':')) {
    const value = parseDotted(address)
    return value === undefined ? undefined : MAPPED_IPV4 | value
  }
  const halves = address.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = halves.map(groupsOf)
  if (head === undefined) return undefined
  if (halves.length === 1) return head.length === 8 ? joined(head) : undefined
  if (tail === undefined || head.length + tail.length > 7) return undefined
  return joined([...head, ...Array<bigint>(8 - head.length - tail.length).fill(0n), ...tail])
}

/** Groups of 16 bits; the last may be an IPv4 address, which is two. */
function groupsOf(text: string): bigint[] | undefined {
  if (text === '') return []
  const groups: bigint[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    const dotted = index === parts.length - 1 && part.includes('.') ? parseDotted(part) : undefined
    if (dotted !== undefined) groups.push(dotted >> 16n, dotted & 0xffffn)
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`))
    else return undefined
  }
  return groups
}

function parseDotted(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n)
}

function joined(groups: readonly bigint[]): bigint {
  return groups.reduce((value, group) => (value << 16n) | group, 0n)
}
