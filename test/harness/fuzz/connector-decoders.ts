import { createHash, createHmac } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { Wire } from '../../../cli/kernel/wire.ts'
import { ResultChunks } from '../../../runtime/connectors/databricks/result-chunks.ts'
import { DatabricksService } from '../../../runtime/connectors/databricks/service.ts'
import { tableOf } from '../../../runtime/connectors/databricks/table.ts'
import { Volume } from '../../../runtime/connectors/databricks/volume.ts'
import { Warehouse } from '../../../runtime/connectors/databricks/warehouse.ts'
import { readCellSet } from '../../../runtime/connectors/hbase/cell-set.ts'
import { readSourceOptions } from '../../../runtime/connectors/http/declaration.ts'
import { pageOf } from '../../../runtime/connectors/http/page.ts'
import { decodeMessage, encodeMessage } from '../../../runtime/connectors/kit/protobuf.ts'
import {
  encodeFrame,
  entriesOf,
  findFrame,
  frameBytesAt,
  isFrameAt,
} from '../../../runtime/connectors/kit/write-ahead-log/log-frame.ts'
import { KUDU_TYPE, type KuduColumn } from '../../../runtime/connectors/kudu/columns.ts'
import {
  responseHeader,
  scanAnswer,
  tableLocations,
  tableSchema,
} from '../../../runtime/connectors/kudu/protocol/messages.ts'
import { bodyOf, FrameCutter, frameOf, partsOf } from '../../../runtime/connectors/kudu/real/frames.ts'
import { blockOf, locationsOf, openTableOf } from '../../../runtime/connectors/kudu/real/wire-tables.ts'
import { decodeMark, encodeMark } from '../../../runtime/connectors/kit/row-store/generation-mark.ts'
import { decodeHead, encodeHead } from '../../../runtime/connectors/kit/row-store/object-head.ts'
import {
  decodeStaged as decodeMessages,
  encodeStaged as encodeMessages,
} from '../../../runtime/connectors/nats/staged-file.ts'
import { decodeStaged, encodeStaged } from '../../../runtime/connectors/pulsar/staged-file.ts'
import { framed, FrameReader, type Framing } from '../../../runtime/connectors/tcp/frames.ts'
import { recordsOf } from '../../../runtime/connectors/webhook/request-records.ts'
import { elementsIn, textIn } from '../../../runtime/ports/real/s3-xml.ts'
import { MillraceError } from '../../../runtime/model/errors.ts'
import type { Ports } from '../../../runtime/ports/ports.ts'
import { secretsOf } from '../databricks/sink-courses.ts'
import { jumpingClock } from '../kafka/jumping-clock.ts'
import type { FuzzedDecoder } from './decoders.ts'

/** Decoders of what servers, senders and clients say to connectors and to the kernel of a notebook. */
export function connectorDecoders(): FuzzedDecoder[] {
  return [
    kuduScans(),
    kuduTables(),
    kuduTablets(),
    tableHeads(),
    tableMarks(),
    framedRecords('lines'),
    framedRecords('length'),
    logFrames(),
    webhookBodies(),
    httpPages(),
    hbaseRows(),
    databricksAnswers(),
    stagedBatches(),
    stagedMessages(),
    listings(),
    notebookMessages(),
  ]
}

/** Some decoders say so that what they were given is none. */
function refusedIfUndefined(found: unknown): void {
  if (found === undefined) throw new MillraceError('REFUSED', 'the decoder gave nothing')
}

const PLAIN = { isKey: false, isNullable: true, precision: 0, scale: 0, length: 0 }
const COLUMNS: readonly KuduColumn[] = [
  { ...PLAIN, name: 'id', type: KUDU_TYPE.int64 },
  { ...PLAIN, name: 'name', type: KUDU_TYPE.string },
  { ...PLAIN, name: 'ok', type: KUDU_TYPE.bool },
]

function kuduScans(): FuzzedDecoder {
  const data = [
    Buffer.from(BigInt64Array.of(1n, -2n).buffer),
    Buffer.from(Uint32Array.of(0, 2, 4).buffer),
    Buffer.from('abü'),
    Buffer.of(1, 0),
    Buffer.of(0b01),
  ]
  const body = encodeMessage(scanAnswer, {
    hasMore: true,
    columnar: { columns: [{ data: 0 }, { data: 1, varlen: 2, nonNull: 4 }, { data: 3 }], rows: 2 },
    lastKey: Buffer.from('key'),
  })
  let end = body.length
  const sidecarOffsets = data.map(({ length }) => (end += length) - length)
  return {
    name: 'kudu scans',
    samples: [frameOf(encodeMessage(responseHeader, { callId: 3, sidecarOffsets }), Buffer.concat([body, ...data]))],
    decode(bytes) {
      new FrameCutter((frame) => {
        const { header, body: whole } = partsOf(frame)
        const { sidecarOffsets: offsets = [] } = decodeMessage(responseHeader, header)
        const { body: answer, sidecars } = bodyOf(whole, offsets)
        const block = blockOf(COLUMNS, { values: decodeMessage(scanAnswer, answer), sidecars })
        for (let row = 0; row < block.count; row++) COLUMNS.forEach((_, column) => block.cell(column, row))
      }).take(bytes)
    },
  }
}

function kuduTables(): FuzzedDecoder {
  const table = encodeMessage(tableSchema, {
    id: Buffer.from('table'),
    name: 't',
    schema: { columns: COLUMNS.map(({ name, type, isNullable }, id) => ({ id, name, type, isNullable })) },
    partition: { hash: [{ columns: [{ id: 0 }], buckets: 4 }], range: { columns: [{ id: 0 }] } },
  })
  return {
    name: 'kudu tables',
    samples: [table],
    decode(bytes) {
      openTableOf('t', decodeMessage(tableSchema, bytes))
    },
  }
}

function kuduTablets(): FuzzedDecoder {
  const locations = encodeMessage(tableLocations, {
    tablets: [{ id: Buffer.from('t1'), partition: { keyStart: Buffer.of(0) }, replicas: [{ server: 0, role: 1 }] }],
    servers: [{ id: Buffer.from('s'), addresses: [{ host: 'h', port: 7050 }] }],
  })
  return {
    name: 'kudu tablets',
    samples: [locations],
    decode(bytes) {
      locationsOf(decodeMessage(tableLocations, bytes))
    },
  }
}

function tableHeads(): FuzzedDecoder {
  const inline = Buffer.from('a short file')
  return {
    name: 'heads of stores in tables',
    samples: [
      encodeHead({ generation: 'g', parts: 0, sizeBytes: inline.length, inline }),
      encodeHead({ generation: 'g', parts: 2, sizeBytes: 100_000, inline: Buffer.alloc(0) }),
    ],
    decode(bytes) {
      decodeHead(bytes, 'path', 60_000)
    },
  }
}

function tableMarks(): FuzzedDecoder {
  return {
    name: 'marks of stores in tables',
    samples: [encodeMark({ parts: 1, writeTime: 0n }), encodeMark({ parts: 129, writeTime: 1_795_580_577_694_000n })],
    decode(bytes) {
      decodeMark(bytes, 'path')
    },
  }
}

function framedRecords(framing: Framing): FuzzedDecoder {
  const records = ['{"n":1}', '', 'two', 'x'.repeat(900)].map((text) => framed(Buffer.from(text), framing))
  return {
    name: `tcp, framing ${framing}`,
    samples: [Buffer.concat(records)],
    decode(bytes) {
      const reader = new FrameReader(framing, 1000)
      reader.push(bytes.subarray(0, bytes.length / 2))
      reader.push(bytes.subarray(bytes.length / 2))
    },
  }
}

function logFrames(): FuzzedDecoder {
  const frames = [1, 3].map((count) =>
    encodeFrame(
      Array.from({ length: count }, (_, n) => ({ metadata: `{"n":${n}}`, value: Buffer.from(`value ${n}`) })),
    ),
  )
  return {
    name: 'write-ahead log',
    samples: [Buffer.concat(frames), ...frames],
    decode(bytes) {
      for (let at = findFrame(bytes, 0); at !== undefined; at = findFrame(bytes, at + 1))
        entriesOf(bytes.subarray(at), frameBytesAt(bytes, at) ?? 0)
    },
    seal(bytes) {
      const length = frameBytesAt(bytes, 0)
      if (length === undefined || length > bytes.length || isFrameAt(bytes, 0)) return
      bytes.writeUInt32LE(crc32(bytes.subarray(12, length)), 8)
    },
  }
}

const ROWS = JSON.stringify([{ n: 1, text: 'a,b"c' }, { n: 2.5e3, list: [[], {}] }, null])

function webhookBodies(): FuzzedDecoder {
  return {
    name: 'webhook bodies',
    samples: [Buffer.from(ROWS.replaceAll('},', '},\n'))],
    decode(bytes) {
      recordsOf(bytes, 'lines')
      recordsOf(bytes, 'array')
    },
  }
}

function httpPages(): FuzzedDecoder {
  const options = readSourceOptions({
    url: 'http://service/rows',
    rows: 'data.rows',
    cursor: { parameter: 'after', row: 'n' },
    next: 'next',
  })
  return {
    name: 'pages over HTTP',
    samples: [Buffer.from(`{"data":{"rows":${ROWS}},"next":"/rows?page=2","\\u0064ata":{"rows":${ROWS}}}`)],
    decode(bytes) {
      pageOf(bytes.toString('utf8'), undefined, 'http://service/rows', options)
    },
  }
}

function hbaseRows(): FuzzedDecoder {
  const cell = { column: 'Zjpx', timestamp: 1, $: 'dmFsdWU=' }
  return {
    name: 'rows of hbase',
    samples: [
      Buffer.from(
        JSON.stringify({
          Row: [
            { key: 'a2V5', Cell: [cell, cell] },
            { key: 'eA==', Cell: [] },
          ],
        }),
      ),
    ],
    decode(bytes) {
      refusedIfUndefined(readCellSet(bytes.toString('utf8')))
    },
  }
}

/** A table, a statement, a chunk of its result and a folder, as a workspace answers them, with a zero byte between. */
function databricksAnswers(): FuzzedDecoder {
  const link = { chunk_index: 0, row_offset: 0, row_count: 2, external_link: 'https://storage/0', http_headers: {} }
  const answers = [
    {
      table_id: 't',
      data_source_format: 'DELTA',
      columns: [{ name: 'k', type_text: 'decimal(9, 2)', nullable: false }],
    },
    {
      statement_id: '01ef-1',
      status: { state: 'SUCCEEDED' },
      manifest: { truncated: false, schema: { columns: [{ name: 'r' }] } },
      result: { external_links: [link] },
    },
    [['{"k":1.50}'], [null]],
    { contents: [{ name: 'a', path: '/a', is_directory: false }] },
  ]
  return {
    name: 'answers of databricks',
    samples: [Buffer.from(answers.map((answer) => JSON.stringify(answer)).join('\0'))],
    async decode(bytes) {
      const [table = '', statement = '', chunk = '', folder = ''] = bytes.toString('utf8').split('\0')
      const service = databricksThatAnswers({
        tables: table,
        statements: statement,
        storage: chunk,
        directories: folder,
      })
      await tableOf(service, 'a.b.c', '')
      const warehouse = new Warehouse(service, 'ab')
      const executed = await warehouse.execute({ text: 'SELECT r' })
      const chunks = new ResultChunks(service, warehouse, executed, 1)
      while ((await chunks.next()) !== undefined);
      await new Volume(service, '/Volumes/a/b/c').list('d')
    },
  }
}

function databricksThatAnswers(bodies: Readonly<Record<string, string>>): DatabricksService {
  const kind = (url: string): string => /tables|statements|storage|directories/.exec(url)?.[0] ?? ''
  const ports: Pick<Ports, 'clock' | 'rng' | 'httpClient' | 'secretFiles'> = {
    clock: jumpingClock(),
    rng: { next: () => 0.5, id: () => 'ab' },
    httpClient: { send: ({ url }) => Promise.resolve({ status: 200, body: bodies[kind(url)] ?? '' }) },
    secretFiles: secretsOf({ '/token': 'token' }),
  }
  const stopping = new AbortController()
  return new DatabricksService(
    {
      url: 'https://dbc',
      tls: false,
      auth: { tokenFile: '/token', clientId: undefined, clientSecretFile: undefined, insecure: false },
    },
    // what passes by itself is tried again: here it is given up
    {
      ports,
      reports: { reportTrouble: () => stopping.abort(new MillraceError('GIVEN_UP', 'no')) },
      signal: stopping.signal,
    },
  )
}

function stagedBatches(): FuzzedDecoder {
  const batch = { messages: 2, codec: 0, unpackedBytes: 7, payload: Buffer.from('payload') }
  return {
    name: 'staged batches of pulsar',
    samples: [
      encodeStaged(
        [0, 1].map((partition) => ({ partition, first: 1, batch })),
        'file',
      ),
    ],
    decode(bytes) {
      decodeStaged(bytes, 'file')
    },
    seal: sealFile,
  }
}

function stagedMessages(): FuzzedDecoder {
  const message = { n: 7, subject: 's.a', headers: [['K', 'v']] as const, data: Buffer.from('data') }
  return {
    name: 'staged messages of nats',
    samples: [encodeMessages([message, { ...message, n: 8, headers: [] }], 'file')],
    decode(bytes) {
      decodeMessages(bytes, 'file')
    },
    seal: sealFile,
  }
}

/** As kit/sealed-file.ts does, for the path `file`. */
function sealFile(bytes: Buffer): void {
  if (bytes.length >= 32) createHash('sha256').update('file\n').update(bytes.subarray(32)).digest().copy(bytes)
}

function listings(): FuzzedDecoder {
  const contents = '<Contents><Key>a&amp;&#x20AC;&#99999999;b</Key><Size>7</Size></Contents>'.repeat(3)
  return {
    name: 'listings of s3',
    samples: [Buffer.from(`<ListBucketResult><IsTruncated>true</IsTruncated>${contents}</ListBucketResult>`)],
    decode(bytes) {
      const xml = bytes.toString('utf8')
      for (const inner of elementsIn(xml, 'Contents')) refusedIfUndefined(textIn(inner, 'Key'))
      refusedIfUndefined(textIn(xml, 'IsTruncated'))
    },
  }
}

const KEY = 'key'

/** Frames with a line end between them; what is signed is made right again. */
function notebookMessages(): FuzzedDecoder {
  const header = { msg_id: 'm', msg_type: 'execute_request', session: 's', username: 'u', date: 'd', version: '5.3' }
  const frames = new Wire(KEY).frames({
    identities: [Buffer.from('client')],
    header,
    parentHeader: {},
    metadata: {},
    content: { code: 'graph: []', silent: false, user_expressions: { a: [1, { b: null }] } },
  })
  return {
    name: 'messages of notebooks',
    samples: [Buffer.concat(frames.flatMap((frame) => [frame, Buffer.from('\n')]).slice(0, -1))],
    decode(bytes) {
      const mutated = splitAt(bytes, 10)
      const [identity = bytes, delimiter = bytes, , ...parts] = mutated
      const hmac = createHmac('sha256', KEY)
      for (const part of parts.slice(0, 4)) hmac.update(part)
      const signed = [identity, delimiter, Buffer.from(hmac.digest('hex')), ...parts]
      refusedIfUndefined('message' in new Wire(KEY).read(signed) ? true : undefined)
    },
  }
}

function splitAt(bytes: Buffer, separator: number): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at <= bytes.length; ) {
    const found = bytes.indexOf(separator, at)
    const end = found < 0 ? bytes.length : found
    parts.push(bytes.subarray(at, end))
    at = end + 1
  }
  return parts
}
