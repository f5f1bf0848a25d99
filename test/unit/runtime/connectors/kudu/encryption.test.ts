import { expect, test } from 'vitest'
import { KuduAccess } from '../../../../../runtime/connectors/kudu/access.ts'
import type { KuduConnectOptions } from '../../../../../runtime/connectors/kudu/client.ts'
import { sinkOptions, sourceOptions, tableOptions } from '../../../../../runtime/connectors/kudu/declaration.ts'
import { VirtualKudu } from '../../../../../runtime/connectors/kudu/virtual/cluster.ts'
import type { Logger } from '../../../../../runtime/ports/logger.ts'
import { quietPorts } from '../../../../harness/source-context.ts'

const TABLE = { masters: 'virtual:7051', table: 'table' }

/** What a client is connected with, and the warnings about it. */
function connected(options: object): { tls: KuduConnectOptions['tls']; warnings: string[] } {
  const warnings: string[] = []
  const silent = (): void => undefined
  const logger: Logger = {
    debug: silent,
    info: silent,
    warn: (message) => void warnings.push(message),
    error: silent,
    with: () => logger,
  }
  const secretFiles = { read: async (path: string) => `content of ${path}` }
  const ports = { ...quietPorts(), logger, secretFiles }
  let tls: KuduConnectOptions['tls']
  const connect = (wanted: KuduConnectOptions) => {
    tls = wanted.tls
    return new VirtualKudu([], 1).connect()
  }
  new KuduAccess(connect, tableOptions.read({ ...TABLE, ...options }), { ports, reportTrouble: silent })
  return { tls, warnings }
}

test('connections are plain text unless the job says otherwise', () => {
  expect(connected({}).tls).toBeUndefined()
  expect(connected({ tls: false }).tls).toBeUndefined()
})

test('the authority is read from its file for each connection, and certificates are checked', async () => {
  const { tls, warnings } = connected({ tls: { caFile: '/secrets/ca.pem' } })
  expect(await tls?.()).toEqual({ material: { ca: 'content of /secrets/ca.pem' }, certificates: 'check' })
  expect(warnings).toEqual([])
})

test('a job that checks no certificate is warned about it', async () => {
  const { tls, warnings } = connected({ tls: true, serverCertificates: 'ignore' })
  expect(await tls?.()).toEqual({ material: {}, certificates: 'ignore' })
  expect(warnings).toEqual(['connections to Kudu are encrypted, and nobody checks who answers'])
})

test.each([
  [{ serverCertificates: 'ignore' }, 'serverCertificates'],
  [{ tls: false, serverCertificates: 'ignore' }, 'serverCertificates'],
  [{ tls: { certificateFile: '/c', keyFile: '/k' } }, 'tls.certificateFile'],
  [{ tls: { caFile: '/ca' }, serverCertificates: 'ignore' }, 'tls.caFile'],
])('options that have no effect are refused: %j', (options, path) => {
  for (const set of [sourceOptions, sinkOptions, tableOptions])
    expect(set.check({ ...TABLE, ...options })).toMatchObject([{ path }])
})
