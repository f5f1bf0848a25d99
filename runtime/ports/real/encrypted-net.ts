import type { Encryption } from '../../model/encryption.ts'
import type { Socket } from 'node:net'
import { connect as connectTls, createServer, type ConnectionOptions, type Server, type TlsOptions } from 'node:tls'
import type { Net, NetAddress } from '../net.ts'
import { clientTls, serverTls, type JobSecret } from './job-tls.ts'
import { connected, ConnectionInput, HIGH_WATER_MARK, listening, realNet, SocketConnection } from './net.ts'
import { StrangerSockets } from './stranger-sockets.ts'

/** The network of a process of that job. */
export function netOf(config: JobSecret & { encryption: Encryption }): Net {
  return config.encryption === 'on' ? encryptedNet(config) : realNet
}

/** Connections between the processes of one job. Whoever does not know its token gets no connection. */
export function encryptedNet(secret: JobSecret): Net {
  // The socket passes highWaterMark on to its stream; the declared type leaves that out.
  const socket = { noDelay: true, highWaterMark: HIGH_WATER_MARK }
  const server: TlsOptions = { ...serverTls(secret), ...socket }
  const client: ConnectionOptions = { ...clientTls(secret), ...socket }
  return {
    listen: (address, onConnection, onRefused) => listening(encryptedServer(server, onConnection, onRefused), address),
    connect: (address) => connectEncrypted(address, client),
  }
}

/** A peer that has not shown the key is a stranger, and refused as one. */
function encryptedServer(
  options: TlsOptions,
  onConnection: Parameters<Net['listen']>[1],
  onRefused: Parameters<Net['listen']>[2],
): Server {
  const strangers = new StrangerSockets(onRefused)
  const server = createServer(options, (socket) => {
    strangers.forget(socket)
    onConnection(new SocketConnection(socket))
  })
  server.on('connection', (socket: Socket) => {
    strangers.admit(socket)
  })
  server.on('tlsClientError', (error, socket) => {
    strangers.refuse(socket, `no encrypted connection: ${error.message}`)
    socket.destroy()
  })
  return server
}

function connectEncrypted({ host, port }: NetAddress, options: ConnectionOptions): Promise<SocketConnection> {
  const input = new ConnectionInput()
  const socket = connectTls({ ...options, host, port, onread: input.onread } as ConnectionOptions)
  return connected(socket, 'secureConnect', { host, port }).then(() => new SocketConnection(socket, input))
}
