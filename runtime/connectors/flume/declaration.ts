import type { RecordFormat, TimestampFormat } from '../../formats/format.ts'
import type { ConnectorDeclaration, OptionProblem, Options } from '../../graph/connector-declaration.ts'
import { fieldOf, type Schema } from '../../model/schema.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import { fieldsByHeader } from '../kit/fields-by-header.ts'
import { formatProblems, recordFormat, timestampFormat } from '../kit/format-option.ts'
import { hostList } from '../kit/host-list.ts'
import { mapping, OptionSet } from '../kit/option-set.ts'
import { byteSize, choice, count, duration, port } from '../kit/option-types.ts'
import { serverTls, tls } from '../kit/tls-option.ts'
import { checkFits, log, warnOfNoLog } from '../kit/write-ahead-log/log-option.ts'
import type { LoggedOptions } from '../kit/write-ahead-log/logged-source.ts'
import { RECEIVED_WITH_HEADERS, receivedProblems } from '../kit/write-ahead-log/received-option.ts'

export const sourceOptions = new OptionSet(
  {
    port: {
      type: port,
      required: 'the port to listen on',
      doc: 'The port that Avro sinks of agents connect to; every slot listens on it.',
    },
    log,
    compression: {
      type: choice('none', 'deflate'),
      default: 'none',
      doc: 'As `compression-type` of the sinks; the two have to be the same.',
    },
    format: { type: recordFormat, default: 'json', doc: 'How the body of an event is written.' },
    metadata: {
      type: mapping(RECEIVED_WITH_HEADERS),
      doc: 'Fields of the schema that hold what an event says beside its body. A header with an id (UUIDInterceptor), and `dedupe` by that field, make rows of events that come again come once.',
    },
    tls: {
      type: serverTls,
      doc: 'Encrypts the connections of agents (`ssl = true` of their sinks): files of a mounted Secret with the certificate of this server and its key, and with `caFile` the authority that agents need a certificate of. They are read again every minute.',
    },
    maxBatchBytes: { type: byteSize('64Ki'), default: '8Mi', doc: 'A connection with a larger batch is closed.' },
    maxBatchEvents: {
      type: count(1_000_000),
      default: 100_000,
      doc: 'A connection with a batch of more events is closed; at least `batch-size` of the sinks.',
    },
    maxConnections: { type: count(65_535), default: 256, doc: 'Connections at once in a slot.' },
  },
  (values, _written, report) => {
    checkFits(values.log, 'maxBatchBytes', values.maxBatchBytes, report)
  },
)

export const sinkOptions = new OptionSet({
  connect: {
    type: hostList,
    required: 'host:port, or a list of them',
    doc: 'Avro sources of agents; one that answers is taken.',
  },
  tls: {
    type: tls,
    default: false,
    doc: 'Encrypts the connections to the agents (`ssl = true` of their sources), and says whom to trust and who the job is. The files are read again for each connection.',
  },
  headers: { type: fieldsByHeader, default: {}, doc: 'Headers of the events, by name: the field whose text each has.' },
  format: { type: recordFormat, default: 'json', doc: 'How a row is written into the body of its event.' },
  timestampFormat: { type: timestampFormat, default: 'iso', doc: 'How timestamps are printed.' },
  rows: { type: count(10_000), default: 100, doc: 'The most rows of a batch.' },
  timeout: {
    type: duration('100ms'),
    default: '20s',
    doc: 'How long an agent may take to answer a batch before it is sent again over another connection.',
  },
})

export const declaration: ConnectorDeclaration = {
  name: 'flume',
  doc: 'Receives events from Avro sinks of Flume 1.x agents. A batch is answered with OK once it is in the write-ahead log: from then on each of its events becomes one row. Agents send a batch without an answer again, and its events then come twice. Sends rows to Avro sources of agents, at least once and in order.',
  source: {
    options: sourceOptions,
    checkSchema: (options, schema) => receivedProblems(schema, sourceOptions.read(options)),
    warnings: (options) => warnOfNoLog(sourceOptions.read(options).log),
    listens: (options) => [sourceOptions.read(options).port],
  },
  sink: {
    options: sinkOptions,
    checkSchema: (options, schema) => {
      const { format, headers } = sinkOptions.read(options)
      return [...headerProblems(headers, schema), ...formatProblems(format, schema, 'write')]
    },
  },
}

function headerProblems(headers: Readonly<Record<string, string>>, schema: Schema): OptionProblem[] {
  return Object.entries(headers).flatMap(([header, name]) => {
    const field = fieldOf(schema, name)
    if (field?.type === 'string' && field.logical === undefined) return []
    const message = field === undefined ? `there is no field "${name}"` : `"${name}" must be a string`
    return [{ path: `headers.${header}`, message }]
  })
}

export interface FlumeSinkOptions {
  readonly connect: readonly string[]
  readonly tls: false | TlsFiles
  readonly headers: Readonly<Record<string, string>>
  readonly format: RecordFormat
  readonly timestampFormat: TimestampFormat
  readonly rows: number
  readonly timeoutMs: number
}

/** Throws OPTIONS_INVALID. */
export function readSinkOptions(options: Options): FlumeSinkOptions {
  const { timeout, ...values } = sinkOptions.read(options)
  return { ...values, timeoutMs: timeout }
}

export interface FlumeOptions extends LoggedOptions {
  readonly port: number
  readonly compression: 'none' | 'deflate'
  readonly tls: TlsFiles | undefined
  readonly maxBatchBytes: number
  readonly maxBatchEvents: number
  readonly maxConnections: number
}

/** Throws OPTIONS_INVALID. */
export function readSourceOptions(options: Options): FlumeOptions {
  return sourceOptions.read(options)
}
