import type { LookupFunction, Socket } from 'node:net'
import { isIP } from 'node:net'
import { connect as connectTls, createServer, type ConnectionOptions, type Server } from 'node:tls'
import type { Connection, ListenAddress, PeerAddress } from '../net.ts'
import type { AddressGuard } from './guarded-lookup.ts'
import { connected, ConnectionInput, HIGH_WATER_MARK, SocketConnection } from './net.ts'
import { certificateOptions, renewCertificate } from './server-certificate.ts'

const HANDSHAKE_MS = 10_000
/** Connections whose handshake is under way; the next one is closed. */
const MOST_HANDSHAKES = 256

/** A server that shows a certificate. Rejects when that cannot be read or is none. */
export async function certifiedServer(
  read: NonNullable<ListenAddress['tls']>,
  onConnection: (connection: Connection) => void,
): Promise<Server> {
  // The server passes highWaterMark on to its sockets; the declared type leaves that out.
  const socket = { noDelay: true, highWaterMark: HIGH_WATER_MARK, handshakeTimeout: HANDSHAKE_MS }
  const server = createServer({ ...(await certificateOptions(read)), ...socket }, (accepted) => {
    onConnection(new SocketConnection(accepted))
  })
  limitHandshakes(server)
  renewCertificate(server, read)
  return server
}

function limitHandshakes(server: Server): void {
  const handshakes = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    if (handshakes.size >= MOST_HANDSHAKES) {
      socket.destroy()
      return
    }
    handshakes.add(socket)
    socket.once('close', () => handshakes.delete(socket))
    socket.once('error', () => undefined)
    // a peer that has not finished by then was closed by the server
    setTimeout(() => handshakes.delete(socket), HANDSHAKE_MS).unref()
  })
  server.on('secureConnection', ({ remoteAddress, remotePort }) => {
    const done = [...handshakes].find((one) => one.remoteAddress === remoteAddress && one.remotePort === remotePort)
    if (done !== undefined) handshakes.delete(done)
  })
  // a failed handshake just ends; the peer learns why
  server.on('tlsClientError', (_error, socket) => {
    socket.destroy()
  })
}

/** Checks that the server is who its certificate says, for a name or an address. Rejects with CONNECT_FAILED. */
export function connectCertified(
  { host, port, tls = {} }: PeerAddress,
  lookup?: AddressGuard['lookup'],
): Promise<Connection> {
  const input = new ConnectionInput()
  const socket = connectTls({
    ...tls,
    host,
    port,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(lookup === undefined ? {} : { lookup: lookup as LookupFunction }),
    highWaterMark: HIGH_WATER_MARK,
    onread: input.onread,
  } as ConnectionOptions)
  return connected(socket, 'secureConnect', { host, port }).then(() => {
    socket.setNoDelay(true)
    return new SocketConnection(socket, input)
  })
}
