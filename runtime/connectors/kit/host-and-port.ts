import type { TlsFiles } from '../../model/tls-files.ts'
import type { SecretFiles } from '../../ports/files.ts'
import type { NetAddress, PeerAddress } from '../../ports/net.ts'
import type { Ports } from '../../ports/ports.ts'
import { readTlsMaterial } from '../../ports/tls-material.ts'

/** The parts of an address that `hostList` has read; an address of IPv6 loses its brackets. */
export function hostAndPort(address: string): NetAddress {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(at + 1)) }
}

/** Whom to connect to at an address, and with TLS how; the files are read each time, since Secrets are rotated. */
export async function peerAt(address: string, tls: false | TlsFiles, secrets: SecretFiles): Promise<PeerAddress> {
  return { ...hostAndPort(address), ...(tls === false ? {} : { tls: await readTlsMaterial(tls, secrets) }) }
}

/** The first of these servers that accepts a connection, which is closed again. Rejects as the last one did. */
export async function firstThatAnswers(
  { plainNet, secretFiles }: Pick<Ports, 'plainNet' | 'secretFiles'>,
  servers: readonly string[],
  tls: false | TlsFiles,
): Promise<string> {
  let failure: unknown
  for (const server of servers) {
    try {
      const connection = await plainNet.connect(await peerAt(server, tls, secretFiles))
      connection.destroy()
      return server
    } catch (error) {
      failure = error
    }
  }
  throw failure
}
