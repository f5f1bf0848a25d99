import { createServer, connect, type ConnectionOptions } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { makeCertificate } from '../../../../../embedded/credentials.ts'
import { tableOptions } from '../../../../../runtime/connectors/cassandra/declaration.ts'
import { sslOptions } from '../../../../../runtime/connectors/cassandra/real/ssl-options.ts'

const TABLE = { keyspace: 'shop', table: 'orders', auth: { username: 'u', passwordFile: '/secret/password' } }

/** Connects by the address 127.0.0.1 to a server whose certificate names these addresses, and localhost. */
async function handshake(named: readonly string[], hosts: readonly string[], trusts: 'it' | 'others'): Promise<string> {
  const [own, foreign] = [await makeCertificate(named), await makeCertificate(named)]
  const server = createServer({ key: own.key, cert: own.certificate }, (socket) => socket.end())
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { certificate } = trusts === 'it' ? own : foreign
  const options: ConnectionOptions = sslOptions({ ca: certificate }, hosts)
  try {
    return await new Promise((resolve) => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1', options, () => {
        socket.destroy()
        resolve('encrypted')
      })
      socket.on('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? error.message)
      })
    })
  } finally {
    server.close()
  }
}

test.each([
  ['the address of its node', ['127.0.0.1'], ['127.0.0.1:9042'], 'it', 'encrypted'],
  ['a name of hosts', ['10.0.0.1'], ['localhost:9042'], 'it', 'encrypted'],
  ['neither', ['10.0.0.1'], ['10.0.0.2:9042'], 'it', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  [
    'its address, by an authority that is not trusted',
    ['127.0.0.1'],
    ['127.0.0.1:9042'],
    'others',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
  ],
] as const)(
  'a server whose certificate names %s (%j, the job names %j, trusting %s) ends as %s',
  async (_, named, hosts, trusts, outcome) => {
    expect(await handshake(named, hosts, trusts)).toBe(outcome)
  },
)

test.each([
  ['nodes elsewhere without TLS', { hosts: 'cassandra:9042' }, ['auth: would travel as it is: tls is false']],
  ['nodes elsewhere with TLS', { hosts: 'cassandra:9042', tls: true }, []],
  ['this machine', { hosts: '127.0.0.1:9042' }, []],
  ['a trusted network', { hosts: 'cassandra:9042', auth: { ...TABLE.auth, insecure: true } }, []],
])('a login at %s (%j) has the problems %j', (_, options, wanted) => {
  const problems = tableOptions.check({ ...TABLE, ...options })
  expect(problems.map(({ path, message }) => `${path}: ${message}`)).toEqual(wanted)
})
