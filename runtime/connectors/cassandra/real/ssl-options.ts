import { checkServerIdentity, type ConnectionOptions } from 'node:tls'
import type { TlsMaterial } from '../../../ports/tls-material.ts'
import { hostAndPort } from '../../kit/host-and-port.ts'

/**
 * What the driver gives to node:tls. It connects to addresses, those that the names of `hosts` have and those that the
 * cluster names, so a certificate is good that names the address or one of these names.
 */
export function sslOptions(material: TlsMaterial, hosts: readonly string[]): ConnectionOptions {
  const names = hosts.map((host) => hostAndPort(host).host)
  return {
    ...material,
    // the driver's own default is false
    rejectUnauthorized: true,
    checkServerIdentity: (address, certificate) => {
      const error = checkServerIdentity(address, certificate)
      return names.some((name) => checkServerIdentity(name, certificate) === undefined) ? undefined : error
    },
  }
}
