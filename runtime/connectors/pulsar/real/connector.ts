import { isIP } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import type { Connection, NetAddress } from '../../../ports/net.ts'
import { connected, ConnectionInput, realNet, SocketConnection } from '../../../ports/real/net.ts'
import type { TlsMaterial } from '../../../ports/tls-material.ts'
import { pulsarConnector } from '../connector.ts'
import type { PulsarTransport } from '../transport.ts'

/** Sockets; with TLS the certificate is checked against the name of the host. */
export const connectSocket: PulsarTransport = (address, tls) =>
  tls === undefined ? realNet.connect(address) : connectEncrypted(address, tls)

/** The registry loads this. Only this file joins the connector with sockets. */
export const connector = pulsarConnector(connectSocket)

function connectEncrypted({ host, port }: NetAddress, material: TlsMaterial): Promise<Connection> {
  const input = new ConnectionInput()
  const options = { ...material, host, port, onread: input.onread }
  // an address is not told as a server's name (RFC 6066, section 3); the certificate is checked against it all the same
  const named = isIP(host) === 0 ? { ...options, servername: host } : options
  const socket = connectTls(named as ConnectionOptions)
  socket.setNoDelay(true)
  return connected(socket, 'secureConnect', { host, port }).then(() => new SocketConnection(socket, input))
}
