import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'

/** The addresses that a server `host:port` has now, as `ip:port`. Rejects as `lookup` does when its name is unknown. */
export async function addressesOf(server: string): Promise<string[]> {
  const [, host = server, port = ''] = /^(.*):(\d+)$/.exec(server) ?? []
  const bare = host.replace(/^\[|\]$/g, '')
  if (isIP(bare) !== 0) return [serverText(server)]
  const found = await lookup(bare, { all: true })
  return found.map(({ address, family }) => `${family === 6 ? `[${address}]` : address}:${port}`)
}

/** host:port as the driver has it, of IPv6 without brackets and in any form, → as jobs and Secrets have it. */
export function serverText(endpoint: string): string {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(endpoint) ?? []
  const bare = host.replace(/^\[|\]$/g, '')
  return isIP(bare) === 6 ? `${new URL(`http://[${bare}]`).hostname}:${port}` : endpoint
}
