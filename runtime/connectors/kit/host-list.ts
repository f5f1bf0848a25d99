import { shown, type OptionType } from './option-types.ts'

/** Servers of a cluster, as a list or separated by commas. */
export const hostList: OptionType<readonly string[]> = {
  name: 'host:port, or a list of them',
  read: (value, report) => {
    const list: unknown = typeof value === 'string' ? value.split(',') : value
    if (!Array.isArray(list) || list.length === 0) {
      report('', `must be host:port, or a list of them, found ${shown(value)}`)
      return undefined
    }
    const hosts = list.map((host: unknown) => String(host).trim())
    const wrong = hosts.filter((host) => !isHostAndPort(host))
    for (const host of wrong) report('', `${shown(host)} is not host:port`)
    return wrong.length === 0 ? hosts : undefined
  },
}

function isHostAndPort(host: string): boolean {
  const port = Number(/^(?:\[[0-9a-fA-F:.]+\]|[^:\s/]+):(\d{1,5})$/.exec(host)?.[1])
  return port > 0 && port < 65_536 && (!host.startsWith('[') || URL.canParse(`http://${host}`))
}
