import { cassandraLocationOf } from '../../../ports/cassandra-location.ts'
import type { StoreEnvironment } from '../../../ports/real/open-store.ts'
import type { Store } from '../../../ports/store.ts'
import { readTlsMaterial } from '../../../ports/tls-material.ts'
import { readLogin } from '../../kit/auth-option.ts'
import { openCassandraStore } from '../store/open-cassandra-store.ts'
import { connectCassandra } from './client.ts'

/** `checkpoints: { store: cassandra://… }`. Throws STORE_URL_INVALID. */
export function openStore(url: string, environment: StoreEnvironment): Store {
  const { secretFiles } = environment
  const location = cassandraLocationOf(url)
  const { hosts, datacenter, consistency, login, tls } = location
  const client = connectCassandra({
    hosts,
    datacenter,
    consistency,
    idleConnections: 'let it end',
    ...(login === undefined ? {} : { login: () => readLogin(login, hosts, secretFiles) }),
    ...(tls === undefined ? {} : { tls: () => readTlsMaterial(tls, secretFiles) }),
  })
  return openCassandraStore(location, client, environment)
}
