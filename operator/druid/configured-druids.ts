import { memberOf } from '../../runtime/model/fields.ts'
import { UNCONTESTED } from '../controller/leadership.ts'
import type { Leadership } from '../controller/leadership.ts'
import type { DruidClient } from './druid-client.ts'
import type { DruidEndpoints } from './druid-reconcile-parts.ts'
import type { DruidEndpoint } from './http-druid-client.ts'
import { HttpDruidClient } from './http-druid-client.ts'

/** One client for each Druid of the operator's configuration. Throws MillraceError DRUID_ENDPOINT_INVALID. */
export function configuredDruids(
  endpoints: Readonly<Record<string, DruidEndpoint>>,
  leadership: Leadership = UNCONTESTED,
): DruidEndpoints {
  const clients = new Map<string, DruidClient>()
  for (const [name, endpoint] of Object.entries(endpoints)) clients.set(name, new HttpDruidClient(endpoint, leadership))
  return {
    client: (name) => clients.get(name),
    allowed: (name) => memberOf(endpoints, name)?.allowed ?? [],
  }
}
