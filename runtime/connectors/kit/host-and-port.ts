import type { Net, NetAddress } from '../../ports/net.ts'

/** The parts of an address that `hostList` has read; an address of IPv6 loses its brackets. */
export function hostAndPort(address: string): NetAddress {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(at + 1)) }
}

/** The first of these servers that accepts a connection, which is closed again. Rejects as the last one did. */
export async function firstThatAnswers(net: Net, servers: readonly string[]): Promise<string> {
  let failure: unknown
  for (const server of servers) {
    try {
      const connection = await net.connect(hostAndPort(server))
      connection.destroy()
      return server
    } catch (error) {
      failure = error
    }
  }
  throw failure
}
