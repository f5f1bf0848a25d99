import type { HbaseLocation } from '../../../ports/hbase-location.ts'
import type { Ports } from '../../../ports/ports.ts'
import type { Store } from '../../../ports/store.ts'
import { PATIENCE_MS, patientCalls } from '../../kit/row-store/patient-calls.ts'
import { RowStore } from '../../kit/row-store/row-store.ts'
import { HbaseGateway, RETRIES } from '../gateway.ts'
import { HbaseRows } from './hbase-rows.ts'

const ANSWER_MS = 10_000
const NEVER = new AbortController().signal

/** A store that calls the gateways again while they cannot answer; then STORE_UNAVAILABLE says why. */
export function openHbaseStore(
  { urls, table, prefix, login, tls }: HbaseLocation,
  ports: Pick<Ports, 'clock' | 'rng' | 'httpClient' | 'secretFiles'>,
): Store {
  const gateway = new HbaseGateway(
    {
      url: urls,
      table,
      // whoever wrote the URL has said where it may go
      auth:
        login === undefined
          ? undefined
          : { username: undefined, passwordFile: undefined, tokenFile: undefined, ...login, insecure: true },
      tls: tls ?? false,
      timeout: ANSWER_MS,
    },
    // the caller of the store reports what it rejects with
    { ports, stopping: NEVER, reportTrouble: () => undefined },
    PATIENCE_MS,
  )
  return new RowStore(new HbaseRows(gateway, patientCalls(ports, RETRIES), ports.clock), prefix, ports.rng)
}
