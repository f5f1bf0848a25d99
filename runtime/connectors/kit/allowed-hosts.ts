import { dirname, join } from 'node:path'
import type { SecretFiles } from '../../ports/files.ts'

/** The key of a Secret that says where its other keys may go. */
const KEY = 'allowed-hosts'

/**
 * The hosts that a secret may be sent to, as its Secret says itself in the key `allowed-hosts`; undefined when it has
 * none. One host a line, or with commas between: `kafka.prod`, `kafka-0.prod:9093`, `*.kafka.prod`. Whoever writes the
 * graph names the servers, but cannot change the Secret.
 */
export async function allowedHosts(secretFile: string, secrets: SecretFiles): Promise<readonly string[] | undefined> {
  try {
    const text = await secrets.read(join(dirname(secretFile), KEY))
    return text.split(/[\s,]+/).filter((one) => one !== '')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** `address` is host:port, an IPv6 host in brackets. */
export function isAllowedHost(hosts: readonly string[], address: string): boolean {
  const wanted = address.toLowerCase()
  const host = wanted.replace(/:\d+$/, '')
  return hosts.some((one) => {
    const allowed = one.toLowerCase()
    if (!allowed.startsWith('*.')) return allowed === host || allowed === wanted
    return host.endsWith(allowed.slice(1)) || wanted.endsWith(allowed.slice(1))
  })
}
