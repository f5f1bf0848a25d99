import type { NetAddress } from '../../ports/net.ts'

/** The parts of an address that `hostList` has read; an address of IPv6 loses its brackets. */
export function hostAndPort(address: string): NetAddress {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(at + 1)) }
}
