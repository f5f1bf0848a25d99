import type { TimestampFormat } from '../../formats/format.ts'
import type { ConnectorDeclaration, Options } from '../../graph/connector-declaration.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import { isFields } from '../../model/fields.ts'
import { auth, checkAuth, type Auth } from '../kit/auth-option.ts'
import { timestampFormat } from '../kit/format-option.ts'
import { OptionSet } from '../kit/option-set.ts'
import { choice, count, duration, shown, type OptionType } from '../kit/option-types.ts'
import { tls } from '../kit/tls-option.ts'
import { httpUrl } from '../kit/url-option.ts'

/** Headers that the connection itself or the options decide. */
const TAKEN: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-type',
  'transfer-encoding',
  'connection',
  'authorization',
  'idempotency-key',
])

const headers: OptionType<Readonly<Record<string, string>>> = {
  name: 'mapping of texts',
  read: (value, report) => {
    if (!isFields(value)) {
      report('', `must be a mapping of header: text, found ${shown(value)}`)
      return undefined
    }
    const wrong = Object.entries(value).filter(
      ([name, text]) =>
        !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || typeof text !== 'string' || /[^\t\x20-\x7e\x80-\xff]/.test(text),
    )
    for (const [name] of wrong) report(name, 'is no header of a text')
    const taken = Object.keys(value).filter((name) => TAKEN.has(name.toLowerCase()))
    for (const name of taken) report(name, 'is set by the sink', 'logins are written under auth, by reference')
    return wrong.length + taken.length === 0 ? (value as Readonly<Record<string, string>>) : undefined
  },
}

export const sinkOptions = new OptionSet(
  {
    url: { type: httpUrl, required: 'the address to send rows to', doc: 'The address that every request goes to.' },
    method: { type: choice('POST', 'PUT'), default: 'POST', doc: 'The method of the requests.' },
    headers: { type: headers, default: {}, doc: 'Headers of every request. Nothing secret belongs here.' },
    auth,
    tls: {
      type: tls,
      default: false,
      doc: 'For https: whom to trust and who the job is. The files are read again for each connection.',
    },
    body: {
      type: choice('lines', 'array', 'row'),
      default: 'lines',
      doc: 'What a request carries: JSON lines, a JSON array, or one row as a JSON object.',
    },
    rows: { type: count(10_000), default: 100, doc: 'The most rows of a request; not with `body: row`.' },
    linger: { type: duration('0ms'), default: '100ms', doc: 'How long rows wait for more of them.' },
    timeout: {
      type: duration('10ms'),
      default: '30s',
      doc: 'How long an answer may take before the request is sent again.',
    },
    timestampFormat: { type: timestampFormat, default: 'iso', doc: 'How timestamps are printed.' },
  },
  (_values, written, report) => {
    checkAuth(written, report)
    if (written['body'] === 'row' && written['rows'] !== undefined) report('rows', 'has no meaning with body: row')
  },
)

export const declaration: ConnectorDeclaration = {
  name: 'http',
  doc: 'Sends rows to a service, at least once and in order. Each request has an `Idempotency-Key`, the same in all its repetitions by one attempt. Answers 408, 425, 429 and 5xx are waited out (`Retry-After` is kept, up to 5 minutes); another answer than 2xx ends the attempt with the words of the service.',
  sink: { options: sinkOptions },
}

export interface HttpSinkOptions {
  readonly url: string
  readonly method: 'POST' | 'PUT'
  readonly headers: Readonly<Record<string, string>>
  readonly auth: Auth | undefined
  readonly tls: TlsFiles | undefined
  readonly body: 'lines' | 'array' | 'row'
  /** The most rows of a request. */
  readonly rows: number
  readonly lingerMs: number
  readonly timeoutMs: number
  readonly timestampFormat: TimestampFormat
}

/** Throws OPTIONS_INVALID. */
export function readSinkOptions(options: Options): HttpSinkOptions {
  const { linger, timeout, tls: files, rows, ...values } = sinkOptions.read(options)
  return {
    ...values,
    tls: files === false ? undefined : files,
    rows: values.body === 'row' ? 1 : rows,
    lingerMs: linger,
    timeoutMs: timeout,
  }
}
