import { hkdfSync } from 'node:crypto'
import type { Socket } from 'node:net'
import { connect as connectTls, createServer, type ConnectionOptions, type Server, type TlsOptions } from 'node:tls'
import type { Net, NetAddress } from '../net.ts'
import { MOST_STRANGERS, PROOF_MS, TOO_MANY_STRANGERS } from '../stranger-limit.ts'
import { connected, HIGH_WATER_MARK, listening, remoteOf, SocketConnection } from './net.ts'

/**
 * TLS 1.2 with a pre-shared key (RFC 4279, RFC 5487): both ends prove from the first byte that they know the job's
 * token, without certificates that somebody must issue, mount and rotate. DHE, so that a token that is stolen later
 * opens nothing that was recorded; Node offers external keys of TLS 1.3 to no one.
 */
const SUITE = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  ciphers: 'DHE-PSK-AES128-GCM-SHA256:DHE-PSK-AES256-GCM-SHA384',
} as const

export interface JobSecret {
  jobUid: string
  token: string
}

/** Connections between the processes of one job. Whoever does not know its token gets no connection. */
export function encryptedNet(secret: JobSecret): Net {
  const identity = secret.jobUid
  const key = Buffer.from(hkdfSync('sha256', secret.token, identity, 'millrace tls-psk', 32))
  const server: TlsOptions & { dhparam: 'auto' } = {
    ...SUITE,
    dhparam: 'auto',
    handshakeTimeout: PROOF_MS,
    highWaterMark: HIGH_WATER_MARK,
    noDelay: true,
    pskCallback: (_socket, shown) => (shown === identity ? key : null),
  }
  // The socket passes highWaterMark on to its stream; the declared type leaves that out.
  const client: ConnectionOptions & { noDelay: true; highWaterMark: number } = {
    ...SUITE,
    noDelay: true,
    highWaterMark: HIGH_WATER_MARK,
    pskCallback: () => ({ psk: key, identity }),
    // There is no certificate: the key says who the other end is.
    checkServerIdentity: () => undefined,
  }
  return {
    listen: (address, onConnection, onRefused) => listening(encryptedServer(server, onConnection, onRefused), address),
    connect: (address) => connectEncrypted(address, client),
  }
}

/** A peer that has not shown the key within PROOF_MS is refused, and so is whoever comes while too many are at it. */
function encryptedServer(
  options: TlsOptions,
  onConnection: Parameters<Net['listen']>[1],
  onRefused: Parameters<Net['listen']>[2],
): Server {
  const strangers = new Set<string>()
  const server = createServer(options, (socket) => {
    strangers.delete(remoteOf(socket))
    onConnection(new SocketConnection(socket))
  })
  server.on('connection', (socket: Socket) => {
    const remote = remoteOf(socket)
    if (strangers.size >= MOST_STRANGERS) {
      socket.destroy()
      onRefused?.(remote, TOO_MANY_STRANGERS)
      return
    }
    strangers.add(remote)
    socket.once('close', () => strangers.delete(remote))
  })
  server.on('tlsClientError', (error, socket) => {
    const remote = remoteOf(socket)
    // those that were too many are told already
    if (strangers.has(remote)) onRefused?.(remote, `no encrypted connection: ${error.message}`)
    socket.destroy()
  })
  return server
}

function connectEncrypted({ host, port }: NetAddress, options: ConnectionOptions): Promise<SocketConnection> {
  const socket = connectTls({ ...options, host, port })
  return connected(socket, 'secureConnect', { host, port }).then(() => new SocketConnection(socket))
}
