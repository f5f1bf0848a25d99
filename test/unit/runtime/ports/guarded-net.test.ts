import { createServer, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { builtinStores } from '../../../../runtime/builtin-stores.ts'
import type { Net } from '../../../../runtime/ports/net.ts'
import { realPorts } from '../../../../runtime/ports/real/ports.ts'
import { silentLogger } from '../../../harness/silent-logger.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

async function listening(): Promise<number> {
  const server = createServer((socket) => socket.destroy())
  cleanups.push(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** The network that connectors of a job have: one that may call these addresses, or, without a list, one on a laptop. */
function plainNet(addresses?: readonly string[]): Net {
  const reach = addresses === undefined ? undefined : { files: [], secrets: [], addresses }
  return realPorts({ logger: silentLogger, printLine: () => undefined, stores: builtinStores, reach }).plainNet
}

describe('the plain network of a job', () => {
  test.each(['127.0.0.1', 'localhost', '0.0.0.0', '::1', '::ffff:127.0.0.1', '169.254.169.254'])(
    'on a cluster leads not to %s',
    async (host) => {
      const port = await listening()
      await expect(plainNet([]).connect({ host, port })).rejects.toMatchObject({
        code: 'HTTP_FORBIDDEN',
        domain: 'user',
        retriable: false,
      })
    },
  )

  test('leads there where an administrator allows it, and on a laptop', async () => {
    const port = await listening()
    for (const net of [plainNet(['127.0.0.0/8', '::1']), plainNet()]) {
      const connection = await net.connect({ host: 'localhost', port })
      expect(connection.remote).toContain(String(port))
      connection.destroy()
    }
  })

  test('says that nobody answers where nobody does', async () => {
    await expect(plainNet(['127.0.0.0/8']).connect({ host: '127.0.0.1', port: 1 })).rejects.toMatchObject({
      code: 'CONNECT_FAILED',
      retriable: true,
    })
  })
})
