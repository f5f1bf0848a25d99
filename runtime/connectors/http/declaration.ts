import type { TimestampFormat } from '../../formats/format.ts'
import type { ConnectorDeclaration, Options } from '../../graph/connector-declaration.ts'
import { isFields } from '../../model/fields.ts'
import { auth, checkAuth } from '../kit/auth-option.ts'
import { timestampFormat } from '../kit/format-option.ts'
import { mapping, OptionSet } from '../kit/option-set.ts'
import { choice, count, duration, flag, shown, text, type OptionType } from '../kit/option-types.ts'
import { tls } from '../kit/tls-option.ts'
import { httpUrl } from '../kit/url-option.ts'
import type { ServiceOptions } from './service.ts'

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

/** `data.items`: members, the outer one first; an empty text is the whole answer. */
const memberPath: OptionType<readonly string[]> = {
  name: 'path of members, as in `data.items`',
  read: (value, report) => {
    if (typeof value === 'string' && value.length <= 512) return value === '' ? [] : value.split('.')
    report('', `must be a path of members, found ${shown(value)}`)
    return undefined
  },
}

export const sourceOptions = new OptionSet(
  {
    url: { type: httpUrl, required: 'the address to ask', doc: 'The address that is asked with GET.' },
    headers: { type: headers, default: {}, doc: 'Headers of every request. Nothing secret belongs here.' },
    auth,
    tls: {
      type: tls,
      default: false,
      doc: 'For https: whom to trust and who the job is. The files are read again for each connection.',
    },
    rows: {
      type: memberPath,
      default: '',
      doc: 'Where the answer has the list of rows; the answer itself is the list without it.',
    },
    cursor: {
      type: mapping({
        parameter: {
          type: text,
          required: 'the parameter of the query that takes the cursor',
          doc: 'The parameter of the query that takes the cursor.',
        },
        answer: { type: memberPath, doc: 'Where the answer has the next cursor.' },
        row: { type: memberPath, doc: 'Where the last row has it, for example `id`.' },
      }),
      doc: 'How the next request says where the last one ended; it is part of checkpoints. Without it every answer is taken as a whole, and left out while its `ETag` stays the same.',
    },
    next: { type: memberPath, doc: 'Where the answer has the address of the next page, when there is one.' },
    every: { type: duration('100ms'), default: '10s', doc: 'How long to wait behind the last page.' },
    bounded: { type: flag, default: false, doc: 'Ends behind the last page instead.' },
    timeout: {
      type: duration('10ms'),
      default: '30s',
      doc: 'How long an answer may take before it is asked for again.',
    },
  },
  (_values, written, report) => {
    checkAuth(written, report)
    const { cursor } = written
    if (isFields(cursor) && (cursor['answer'] === undefined) === (cursor['row'] === undefined))
      report('cursor', 'exactly one of answer and row is needed')
  },
)

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
  doc: 'Polls a service for rows: each comes once if the service gives the rows behind a cursor in the same order each time. Sends rows to a service, at least once and in order: each request has an `Idempotency-Key`, the same in all its repetitions by one attempt. Answers 408, 425, 429 and 5xx are waited out (`Retry-After` is kept, up to 5 minutes); another answer than 2xx ends the attempt with the words of the service.',
  source: { options: sourceOptions },
  sink: { options: sinkOptions },
}

export interface HttpSourceOptions extends ServiceOptions {
  readonly rows: readonly string[]
  readonly cursor:
    | { readonly parameter: string; readonly from: 'answer' | 'row'; readonly path: readonly string[] }
    | undefined
  readonly next: readonly string[] | undefined
  readonly everyMs: number
  readonly bounded: boolean
}

/** Throws OPTIONS_INVALID. */
export function readSourceOptions(options: Options): HttpSourceOptions {
  const { every, timeout, tls: files, cursor, ...values } = sourceOptions.read(options)
  return {
    ...values,
    tls: files === false ? undefined : files,
    cursor:
      cursor === undefined
        ? undefined
        : cursor.answer === undefined
          ? { parameter: cursor.parameter, from: 'row', path: cursor.row ?? [] }
          : { parameter: cursor.parameter, from: 'answer', path: cursor.answer },
    everyMs: every,
    timeoutMs: timeout,
  }
}

export interface HttpSinkOptions extends ServiceOptions {
  readonly method: 'POST' | 'PUT'
  readonly body: 'lines' | 'array' | 'row'
  /** The most rows of a request. */
  readonly rows: number
  readonly lingerMs: number
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
