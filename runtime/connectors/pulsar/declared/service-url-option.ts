import { shown, type OptionType } from '../../kit/option-types.ts'

/** Brokers or proxies of a cluster, as Pulsar's clients name them: `pulsar://host:6650,host2:6650`, `pulsar+ssl://…`. */
export interface ServiceUrl {
  readonly text: string
  readonly encrypts: boolean
  /** At least one, as host:port. */
  readonly addresses: readonly string[]
}

const PLAIN_PORT = 6650
const TLS_PORT = 6651

/** Undefined for what is none. */
export function readServiceUrl(text: string): ServiceUrl | undefined {
  const [, tls, list] = /^pulsar(\+ssl)?:\/\/([^/\s@]+)\/?$/.exec(text) ?? []
  if (list === undefined) return undefined
  const encrypts = tls !== undefined
  const named = list.split(',').map((host) => withPort(host, encrypts ? TLS_PORT : PLAIN_PORT))
  const addresses = named.filter((address) => address !== undefined)
  return addresses.length === named.length ? { text, encrypts, addresses } : undefined
}

export const serviceUrl: OptionType<ServiceUrl> = {
  name: 'pulsar://host:port or pulsar+ssl://host:port, hosts separated by commas',
  read: (value, report) => {
    const url = typeof value === 'string' ? readServiceUrl(value) : undefined
    if (url === undefined)
      report('', `must be pulsar://host:port or pulsar+ssl://host:port, found ${shown(value)}`, hintFor(value))
    return url
  },
}

function hintFor(value: unknown): string | undefined {
  return typeof value === 'string' && /^https?:/.test(value)
    ? 'the HTTP address is that of the admin API; the binary protocol has a port of its own, 6650 by default'
    : undefined
}

function withPort(host: string, standard: number): string | undefined {
  const [, name, port = String(standard)] = /^(\[[0-9a-fA-F:.]+\]|[^:\s/[\]]+)(?::(\d{1,5}))?$/.exec(host) ?? []
  const isSound = name !== undefined && Number(port) > 0 && Number(port) < 65_536
  return isSound ? `${name}:${port}` : undefined
}
