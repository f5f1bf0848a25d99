import type { Client } from 'cassandra-driver'

/** What holds a process; none of these is public (driver 4.10.0). */
interface Holding {
  unref?: () => unknown
}
interface DriverConnection {
  readonly netClient?: Holding | null
}
interface DriverHost {
  readonly pool?: { readonly connections?: Iterable<DriverConnection> }
  readonly _healthResponseCountTimer?: Holding | null
}
interface DriverClient {
  readonly controlConnection?: { readonly connection?: DriverConnection | null }
  readonly hosts?: { values(): Iterable<DriverHost> }
}

/**
 * Lets the process end although the client is connected. A call holds it, by the timer of its time limit. What a later
 * driver keeps elsewhere holds it until the client is shut down.
 */
export function letProcessEnd(client: Client): void {
  const { controlConnection, hosts } = client as unknown as DriverClient
  controlConnection?.connection?.netClient?.unref?.()
  for (const { pool, _healthResponseCountTimer } of hosts?.values() ?? []) {
    _healthResponseCountTimer?.unref?.()
    for (const { netClient } of pool?.connections ?? []) netClient?.unref?.()
  }
}
