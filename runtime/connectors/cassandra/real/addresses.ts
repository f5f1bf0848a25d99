import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'

/** The addresses that a server `host:port` has now, as `ip:port`. Rejects as `lookup` does when its name is unknown. */
export async function addressesOf(server: string): Promise<string[]> {
  const [, host = server, port = ''] = /^(.*):(\d+)$/.exec(server) ?? []
  const bare = host.replace(/^\[|\]$/g, '')
  if (isIP(bare) !== 0) return [server]
  const found = await lookup(bare, { all: true })
  return found.map(({ address, family }) => `${family === 6 ? `[${address}]` : address}:${port}`)
}
