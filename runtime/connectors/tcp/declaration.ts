import type { RecordFormat } from '../../formats/format.ts'
import type { ConnectorDeclaration, Options } from '../../graph/connector-declaration.ts'
import { formatProblems, recordFormat, timestampFormat } from '../kit/format-option.ts'
import { hostList } from '../kit/host-list.ts'
import { mapping, OptionSet } from '../kit/option-set.ts'
import { byteSize, choice, count, duration, port } from '../kit/option-types.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import { tls } from '../kit/tls-option.ts'
import type { TimestampFormat } from '../../formats/format.ts'
import { checkFits, log, warnOfNoLog } from '../kit/write-ahead-log/log-option.ts'
import type { LoggedOptions } from '../kit/write-ahead-log/logged-source.ts'
import { RECEIVED, receivedProblems } from '../kit/write-ahead-log/received-option.ts'
import type { Framing } from './frames.ts'

const framing = {
  type: choice('lines', 'length'),
  default: 'lines',
  doc: 'How records are told apart: a line end behind each, or its length before it (4 bytes, big-endian).',
} as const

const acknowledge = choice('none', 'count')

export const sourceOptions = new OptionSet(
  {
    listen: { type: port, doc: 'The port that senders connect to; every slot listens on it.' },
    connect: { type: hostList, doc: 'Servers to connect to instead, distributed over the slots.' },
    framing,
    tls: {
      type: tls,
      default: false,
      doc: 'Encrypts the connections, those that the source makes and those that it takes: files of a mounted Secret with its certificate and key, and with `caFile` the authority that the other side needs a certificate of. They are read again for each connection that is made, and every minute.',
    },
    log,
    acknowledge: {
      type: acknowledge,
      default: 'none',
      doc: 'With `count` the source writes how many records of the connection it keeps by now, as a number and a line end, so that a sender knows which to send again. Without it a sender cannot know.',
    },
    format: { type: recordFormat, default: 'json', doc: 'How a record is written.' },
    metadata: {
      type: mapping(RECEIVED),
      doc: 'Fields of the schema that hold what is known of a record beside its value.',
    },
    maxRecordBytes: { type: byteSize('1Ki'), default: '1Mi', doc: 'A connection with a longer record is closed.' },
    maxConnections: { type: count(65_535), default: 1024, doc: 'Connections at once in a slot.' },
  },
  (values, written, report) => {
    checkFits(values.log, 'maxRecordBytes', values.maxRecordBytes, report)
    if ((written['listen'] === undefined) === (written['connect'] === undefined))
      report('', 'exactly one of listen and connect is needed')
    const { listen, tls: encrypts = false } = values
    if (listen !== undefined && encrypts !== false && encrypts.certificateFile === undefined)
      report('tls', 'needs certificateFile and keyFile: a server shows a certificate')
  },
)

export const sinkOptions = new OptionSet({
  connect: { type: hostList, required: 'host:port, or a list of them', doc: 'Servers; one that answers is taken.' },
  tls: {
    type: tls,
    default: false,
    doc: 'Encrypts the connections, and says whom to trust and who the job is. The files are read again for each connection.',
  },
  framing,
  acknowledge: {
    type: acknowledge,
    default: 'none',
    doc: 'With `count` the receiver answers as the source of this connector does. Without it rows that it had received and not yet processed are lost with it.',
  },
  format: { type: recordFormat, default: 'json', doc: 'How a row is written.' },
  timestampFormat: { type: timestampFormat, default: 'iso', doc: 'How timestamps are printed.' },
  timeout: {
    type: duration('100ms'),
    default: '30s',
    doc: 'How long a receiver may take to accept or acknowledge before another connection is made.',
  },
})

export const declaration: ConnectorDeclaration = {
  name: 'tcp',
  doc: 'Takes records from TCP connections into the write-ahead log, and sends rows over one. TCP itself loses what a process that dies had received: with `acknowledge: count` on both sides nothing is lost, and what was not acknowledged comes again.',
  source: {
    options: sourceOptions,
    checkSchema: (options, schema) => receivedProblems(schema, sourceOptions.read(options)),
    warnings: (options) => {
      const { log: kept, acknowledge: answers } = sourceOptions.read(options)
      if (kept.kind === 'none' || answers === 'count') return warnOfNoLog(kept)
      return [
        {
          path: 'acknowledge',
          message: 'senders cannot know what was received: what is on its way is lost when a process dies',
          hint: 'set acknowledge: count where senders can read the answer',
        },
      ]
    },
    listens: (options) => {
      const { listen } = sourceOptions.read(options)
      return listen === undefined ? [] : [listen]
    },
  },
  sink: {
    options: sinkOptions,
    checkSchema: (options, schema) => formatProblems(sinkOptions.read(options).format, schema, 'write'),
  },
}

export interface TcpSourceOptions extends LoggedOptions {
  readonly listen: number | undefined
  readonly connect: readonly string[] | undefined
  /** Encrypts the connections that the source makes. */
  readonly tls: false | TlsFiles
  /** Encrypts the connections that it takes. */
  readonly serverTls: TlsFiles | undefined
  readonly framing: Framing
  readonly acknowledge: 'none' | 'count'
  readonly maxRecordBytes: number
  readonly maxConnections: number
}

/** Throws OPTIONS_INVALID. */
export function readSourceOptions(options: Options): TcpSourceOptions {
  const values = sourceOptions.read(options)
  return { ...values, serverTls: values.tls === false ? undefined : values.tls }
}

export interface TcpSinkOptions {
  readonly connect: readonly string[]
  readonly tls: false | TlsFiles
  readonly framing: Framing
  readonly acknowledge: 'none' | 'count'
  readonly format: RecordFormat
  readonly timestampFormat: TimestampFormat
  readonly timeoutMs: number
}

/** Throws OPTIONS_INVALID. */
export function readSinkOptions(options: Options): TcpSinkOptions {
  const { timeout, ...values } = sinkOptions.read(options)
  return { ...values, timeoutMs: timeout }
}
