import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { connector as flume } from '../../../../../runtime/connectors/flume/real/connector.ts'
import type { SourceReader } from '../../../../../runtime/connectors/source.ts'
import type { Net } from '../../../../../runtime/ports/net.ts'
import { realNet } from '../../../../../runtime/ports/real/net.ts'
import { quietPorts, sourceContext } from '../../../../harness/source-context.ts'
import { until } from '../../../../harness/until.ts'

const SCHEMA = { fields: [{ name: 'n', type: 'string', nullable: false }] } as const

let folder = ''
let reader: SourceReader | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-flume-'))
})
afterEach(async () => {
  await reader?.close()
  rmSync(folder, { recursive: true })
})

async function portOf(options: object): Promise<number> {
  let port = 0
  const net: Net = {
    connect: (address) => realNet.connect(address),
    async listen(address, onConnection) {
      const listener = await realNet.listen({ ...address, port: 0 }, onConnection)
      port = listener.address.port
      return listener
    },
  }
  const source = flume.source({ port: 4141, format: 'raw', log: { path: 'log' }, ...options })
  const context = {
    ...sourceContext({
      verb: { connector: 'flume' },
      schema: SCHEMA,
      baseDir: folder,
      ports: { ...quietPorts(), plainNet: net },
    }),
    slot: 0,
    parallelism: 1,
  }
  reader = source.reader(context, compileRowClass(SCHEMA))
  await reader.open(await source.enumerator(context).discover([], 1, 1))
  return until('it listens', () => (port > 0 ? port : undefined))
}

/** Resolves once the other side has ended the connection. */
function isCutOff(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      resolve()
    })
    socket.resume()
  })
}

test.each([
  ['what is no Flume', 'none', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['what is not compressed', 'deflate', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a small message that unpacks to a large one', 'deflate', deflateSync(bomb())],
] as const)('a connection with %s is closed', async (_what, compression, bytes) => {
  await expect(isCutOff(await portOf({ compression, maxBatchBytes: '1Mi' }), bytes)).resolves.toBeUndefined()
})

/** One message of a hundred megabytes. */
function bomb(): Buffer {
  const bytes = Buffer.alloc(100_000_000)
  bytes.writeInt32BE(1, 4)
  bytes.writeInt32BE(bytes.length - 12, 8)
  return bytes
}
