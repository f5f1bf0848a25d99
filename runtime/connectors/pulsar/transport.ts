import type { Connection, NetAddress } from '../../ports/net.ts'
import type { TlsMaterial } from '../../ports/tls-material.ts'

/**
 * Connects to a broker, with TLS where material is given. Rejects with CONNECT_FAILED. Real: sockets; in tests a broker
 * in memory.
 */
export type PulsarTransport = (address: NetAddress, tls: TlsMaterial | undefined) => Promise<Connection>
