import { createHash } from 'node:crypto'
import { canonicalJson } from '../../runtime/model/canonical-json.ts'
import { UNCONTESTED } from '../controller/leadership.ts'
import type { Leadership } from '../controller/leadership.ts'
import type { DruidAccess } from './druid-access.ts'
import type { DruidEndpoints, KnownDruid } from './druid-reconcile-parts.ts'
import type { DruidEndpoint } from './http-druid-client.ts'
import { checkedUrl, HttpDruidClient } from './http-druid-client.ts'
import { WriteQueue } from './write-queue.ts'

/** Secrets are changed, and what was read from them is of no use then. */
const MOST_CLIENTS = 1_000

/** The Druids of the operator's configuration. Throws MillraceError DRUID_ENDPOINT_INVALID. */
export function configuredDruids(
  endpoints: Readonly<Record<string, DruidEndpoint>>,
  leadership: Leadership = UNCONTESTED,
): DruidEndpoints {
  const druids = new Map<string, KnownDruid>()
  for (const [name, endpoint] of Object.entries(endpoints)) druids.set(name, knownDruid(endpoint, leadership))
  return { find: (name) => druids.get(name) }
}

function knownDruid(endpoint: DruidEndpoint, leadership: Leadership): KnownDruid {
  const url = checkedUrl(endpoint.routerUrl)
  const writes = new WriteQueue(leadership)
  const own = new HttpDruidClient(endpoint, writes)
  const clients = new Map<string, HttpDruidClient>()
  return {
    address: url.port === '' ? `${url.hostname}:${url.protocol === 'https:' ? 443 : 80}` : url.host,
    allowed: endpoint.allowed ?? [],
    client: (access) => (access === undefined ? own : clientFor(clients, access, { endpoint, writes })),
  }
}

function clientFor(
  clients: Map<string, HttpDruidClient>,
  access: DruidAccess,
  { endpoint, writes }: { endpoint: DruidEndpoint; writes: WriteQueue },
): HttpDruidClient {
  const key = createHash('sha256').update(canonicalJson(access)).digest('hex')
  const client = clients.get(key) ?? new HttpDruidClient(endpoint, writes, access)
  // the newest last
  clients.delete(key)
  clients.set(key, client)
  const [oldest] = clients.keys()
  if (clients.size > MOST_CLIENTS && oldest !== undefined) {
    clients.get(oldest)?.close()
    clients.delete(oldest)
  }
  return client
}
