import { X509Certificate } from 'node:crypto'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { makeCertificate } from '../../../../../embedded/credentials.ts'
import { isAllowedHost } from '../../../../../runtime/model/allowed-hosts.ts'
import { clientOptions } from '../../../../../runtime/connectors/kafka/client-options.ts'
import type { KafkaClientOptions } from '../../../../../runtime/connectors/kafka/client.ts'
import type { Ports } from '../../../../../runtime/ports/ports.ts'
import { quietPorts } from '../../../../harness/source-context.ts'
import { readSinkOptions, type KafkaSecurity } from '../../../../../runtime/connectors/kafka/declaration.ts'
import { connectKafka } from '../../../../../runtime/connectors/kafka/real/client.ts'
import type { SecretFiles } from '../../../../../runtime/ports/files.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** A mounted Secret whose keys tests may change. */
function secretOf(keys: Record<string, string>): SecretFiles {
  return {
    read: (path) => {
      const text = keys[path]
      return text === undefined
        ? Promise.reject(Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' }))
        : Promise.resolve(text)
    },
  }
}

function portsWith(secretFiles: SecretFiles): Ports {
  return { ...quietPorts(), secretFiles }
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  cleanups.push(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

function securityOf(written: object): KafkaSecurity {
  return readSinkOptions({ brokers: 'a:1', topic: 't', ...written }).security
}

const SASL = { sasl: { username: 'u', passwordFile: '/secrets/kafka/password' } }

describe('the credentials of a Kafka client', () => {
  test('when a Secret says where it may go, a broker elsewhere is refused before anything is opened', async () => {
    const secret = secretOf({
      '/secrets/kafka/password': 'pw\n',
      '/secrets/kafka/allowed-hosts': 'kafka.prod\n*.kafka.svc:9092, other:1\n',
    })
    const options = (brokers: string[]): Promise<KafkaClientOptions> =>
      clientOptions(brokers, securityOf(SASL), 'c', portsWith(secret))
    const { credentials } = await options(['kafka.prod:9092', 'b-0.kafka.svc:9092'])
    expect(await credentials?.()).toMatchObject({ sasl: { mechanism: 'SCRAM-SHA-512', username: 'u', password: 'pw' } })
    for (const broker of ['evil:9092', 'kafka.prod.evil:9092', 'b-0.kafka.svc:1', 'evil-kafka.svc:9092'])
      await expect(options(['kafka.prod:9092', broker])).rejects.toMatchObject({
        code: 'KAFKA_HOST_FORBIDDEN',
        domain: 'user',
        message: expect.stringContaining(`${broker}: it allows kafka.prod, *.kafka.svc:9092, other:1`) as string,
      })
  })

  test('when a Secret allows no host, its password goes nowhere; when it says nothing, to where the job says', async () => {
    const none = secretOf({ '/secrets/kafka/password': 'pw', '/secrets/kafka/allowed-hosts': '' })
    await expect(clientOptions(['a:1'], securityOf(SASL), 'c', portsWith(none))).rejects.toThrow(/allows no host/)
    const open = secretOf({ '/secrets/kafka/password': 'pw' })
    expect((await clientOptions(['a:1'], securityOf(SASL), 'c', portsWith(open))).brokers).toEqual(['a:1'])
  })

  test('when a broker names another that the password is not for, no connection is made', async () => {
    let connections = 0
    const address = await listening(
      createTcpServer((socket) => {
        connections += 1
        socket.destroy()
      }),
    )
    const sasl = { mechanism: 'PLAIN', username: 'u', password: 'pw' } as const
    const client = connectKafka({
      brokers: [address],
      clientId: 'c',
      credentials: () => Promise.resolve({ sasl, allowedHosts: ['kafka.prod'] }),
    })
    await expect(client.metadata(['t'])).rejects.toMatchObject({ code: 'KAFKA_HOST_FORBIDDEN' })
    expect(connections).toBe(0)
    await client.close()
  })

  test('when the files of certificates change, the next connection trusts and shows the new ones', async () => {
    const [authority, first, second] = await Promise.all(Array.from({ length: 3 }, () => makeCertificate('127.0.0.1')))
    if (authority === undefined || first === undefined || second === undefined) throw new Error('no certificates')
    const shown: string[] = []
    const server = createServer(
      { key: authority.key, cert: authority.certificate, requestCert: true, rejectUnauthorized: false },
      (socket: TLSSocket) => {
        shown.push(socket.getPeerCertificate().fingerprint256)
        socket.destroy()
      },
    )
    const address = await listening(server)
    const keys: Record<string, string> = {
      '/s/ca': second.certificate,
      '/s/cert': first.certificate,
      '/s/key': first.key,
    }
    const tls = { caFile: '/s/ca', certificateFile: '/s/cert', keyFile: '/s/key' }
    const client = connectKafka(await clientOptions([address], securityOf({ tls }), 'c', portsWith(secretOf(keys))))
    const unreachable = { code: 'KAFKA_UNREACHABLE' }
    await expect(client.metadata(['t'])).rejects.toMatchObject(unreachable)
    expect(shown).toEqual([])
    keys['/s/ca'] = authority.certificate
    await expect(client.metadata(['t'])).rejects.toMatchObject(unreachable)
    keys['/s/cert'] = second.certificate
    keys['/s/key'] = second.key
    await expect(client.metadata(['t'])).rejects.toMatchObject(unreachable)
    expect(shown).toEqual([first, second].map(({ certificate }) => new X509Certificate(certificate).fingerprint256))
    await client.close()
  })

  test.each([
    ['kafka', 'kafka:1', true],
    ['KAFKA:1', 'kafka:1', true],
    ['kafka:2', 'kafka:1', false],
    ['*.svc', 'a.b.svc:1', true],
    ['*.svc', 'svc:1', false],
    ['*.svc:1', 'a.svc:1', true],
    ['*', 'a:1', false],
    ['[::1]', '[::1]:9092', true],
  ])('when a Secret allows %s, %s is allowed: %s', (allowed, address, expected) => {
    expect(isAllowedHost([allowed], address)).toBe(expected)
  })
})
