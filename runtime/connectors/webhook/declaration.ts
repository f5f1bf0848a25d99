import type { ConnectorDeclaration, Options } from '../../graph/connector-declaration.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import { recordFormat } from '../kit/format-option.ts'
import { mapping, OptionSet } from '../kit/option-set.ts'
import { byteSize, choice, count, duration, port, secretFile, text, textOf } from '../kit/option-types.ts'
import { serverTls } from '../kit/tls-option.ts'
import { checkFits, log, warnOfNoLog } from '../kit/write-ahead-log/log-option.ts'
import type { LoggedOptions } from '../kit/write-ahead-log/logged-source.ts'
import { RECEIVED_WITH_HEADERS, receivedProblems } from '../kit/write-ahead-log/received-option.ts'

const headerName = textOf('name of a header', /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/)

export const sourceOptions = new OptionSet(
  {
    port: {
      type: port,
      required: 'the port to listen on',
      doc: 'The port that senders reach; every slot listens on it.',
    },
    path: {
      type: textOf('path of a URL', /^\/[^?#\s]*$/),
      default: '/',
      doc: 'The path of the URL; others are not found.',
    },
    log,
    body: {
      type: choice('row', 'lines', 'array'),
      default: 'row',
      doc: 'What a request carries: one record, one in each line, or a JSON array of records.',
    },
    format: { type: recordFormat, default: 'json', doc: 'How a record is written.' },
    metadata: {
      type: mapping(RECEIVED_WITH_HEADERS),
      doc: 'Fields of the schema that hold what a request says beside its records. A header with an id, and `dedupe` by that field, make rows of requests that come again come once.',
    },
    tokenFile: {
      type: secretFile,
      secret: true,
      doc: 'The path of a mounted Secret: requests need it as a bearer token.',
    },
    signature: {
      type: mapping({
        header: { type: headerName, required: 'the header with the signature', doc: 'The header with the signature.' },
        secretFile: {
          type: secretFile,
          required: 'the path of a mounted Secret',
          secret: true,
          doc: 'The path of a mounted Secret with the key that the sender signs with.',
        },
        algorithm: { type: choice('sha256', 'sha512', 'sha1'), default: 'sha256', doc: 'The hash of the HMAC.' },
        encoding: { type: choice('hex', 'base64'), default: 'hex', doc: 'How the signature is written.' },
        prefix: { type: text, doc: 'What stands before it in the header, for example `sha256=`.' },
      }),
      doc: 'Requests need the HMAC of their body in a header.',
    },
    tls: {
      type: serverTls,
      doc: 'Files of a mounted Secret: the certificate of this server and its key, and with `caFile` the authority that senders need a certificate of. They are read again every minute.',
    },
    maxBodyBytes: { type: byteSize('1Ki'), default: '1Mi', doc: 'A longer body, as it comes or unpacked, is refused.' },
    maxConnections: { type: count(65_535), default: 1024, doc: 'Connections at once in a slot.' },
    timeout: { type: duration('100ms'), default: '30s', doc: 'How long a sender may take to send a request.' },
  },
  (values, _written, report) => {
    checkFits(values.log, 'maxBodyBytes', values.maxBodyBytes, report)
  },
)

export const declaration: ConnectorDeclaration = {
  name: 'webhook',
  doc: 'Receives records by HTTP POST. A request is answered with 2xx once its records are in the write-ahead log: from then on each of them becomes one row. A request without an answer is to be sent again, and its records may then come twice. A request that cannot be taken is refused as a whole: 400 names the record that is wrong, 429 asks to come again when the log is full.',
  source: {
    options: sourceOptions,
    checkSchema: (options, schema) => receivedProblems(schema, sourceOptions.read(options)),
    warnings: (options) => warnOfNoLog(sourceOptions.read(options).log),
    listens: (options) => [sourceOptions.read(options).port],
  },
}

/** HMAC of the body of a request. */
export interface Signature {
  /** In small letters. */
  readonly header: string
  readonly secretFile: string
  readonly algorithm: 'sha256' | 'sha512' | 'sha1'
  readonly encoding: 'hex' | 'base64'
  readonly prefix: string
}

export interface WebhookOptions extends LoggedOptions {
  readonly port: number
  readonly path: string
  readonly body: 'row' | 'lines' | 'array'
  readonly tokenFile: string | undefined
  readonly signature: Signature | undefined
  readonly tls: TlsFiles | undefined
  readonly maxBodyBytes: number
  readonly maxConnections: number
  readonly timeoutMs: number
}

/** Throws OPTIONS_INVALID. */
export function readSourceOptions(options: Options): WebhookOptions {
  const { timeout, signature, ...values } = sourceOptions.read(options)
  return {
    ...values,
    timeoutMs: timeout,
    signature: signature && { ...signature, header: signature.header.toLowerCase(), prefix: signature.prefix ?? '' },
  }
}
