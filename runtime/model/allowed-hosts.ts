/** The key of a Secret that says where its other keys may go. */
export const ALLOWED_HOSTS = 'allowed-hosts'

/** One host a line, or with commas between: `kafka.prod`, `kafka-0.prod:9093`, `*.kafka.prod`. */
export function parseAllowedHosts(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((one) => one !== '')
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
