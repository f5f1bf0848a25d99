import { dirname, join } from 'node:path'
import { ALLOWED_HOSTS, parseAllowedHosts } from '../../model/allowed-hosts.ts'
import type { SecretFiles } from '../../ports/files.ts'

/**
 * The hosts that a secret may be sent to, as its Secret says itself in the key `allowed-hosts`; undefined when it has
 * none. Whoever writes the graph names the servers, but cannot change the Secret.
 */
export async function allowedHosts(secretFile: string, secrets: SecretFiles): Promise<readonly string[] | undefined> {
  try {
    return parseAllowedHosts(await secrets.read(join(dirname(secretFile), ALLOWED_HOSTS)))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
