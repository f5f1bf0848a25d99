import type { ConnectorDeclaration, Options } from '../../graph/connector-declaration.ts'
import { checkSasl, SINK_TABLE, toSinkOptions, type KafkaSinkOptions } from '../kafka/declaration.ts'
import { auth, checkAuth, type Auth } from '../kit/auth-option.ts'
import { recordFormat } from '../kit/format-option.ts'
import { isFields } from '../../model/fields.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import { mapping, OptionSet } from '../kit/option-set.ts'
import { duration, only, shown, text, type OptionType } from '../kit/option-types.ts'
import { tls } from '../kit/tls-option.ts'
import { httpUrl } from '../kit/url-option.ts'

const READ_AS_JSON = 'the supervisor of the datasource reads JSON'

const json: OptionType<'json'> = only('json', READ_AS_JSON)

export const sinkOptions = new OptionSet(
  {
    datasource: {
      type: text,
      required: 'the name of a DruidDatasource of this namespace',
      doc: 'A DruidDatasource of this namespace; the operator fills in its brokers and topic.',
    },
    ...SINK_TABLE,
    brokers: { type: SINK_TABLE.brokers.type, doc: 'Only without a cluster: the brokers of the datasource.' },
    topic: { type: SINK_TABLE.topic.type, doc: 'Only without a cluster: the topic of the datasource.' },
    format: { ...SINK_TABLE.format, type: json },
    delivery: {
      ...SINK_TABLE.delivery,
      type: only('exactlyOnce', 'Druid cannot remove a duplicate'),
      doc: 'One transaction per checkpoint.',
    },
  },
  (values, written, report) => {
    checkSasl(values, written, report)
    if (written['topic'] !== undefined && written['brokers'] === undefined) report('brokers', 'is needed beside topic')
    if (written['brokers'] !== undefined && written['topic'] === undefined) report('topic', 'is needed beside brokers')
  },
)

/** Read as milliseconds. */
const time: OptionType<number> = {
  name: 'time (ISO 8601)',
  read: (value, report) => {
    const ms = typeof value === 'string' ? Date.parse(value) : NaN
    if (ms >= FIRST_MS && ms <= LAST_MS) return ms
    report('', `must be a time of the years 1 to 9999 (ISO 8601), found ${shown(value)}`)
    return undefined
  },
}

const nativeFilter: OptionType<Readonly<Record<string, unknown>>> = {
  name: 'native filter of Druid',
  read: (value, report) => {
    if (isFields(value) && typeof value['type'] === 'string') return value
    report(
      '',
      `must be a native filter with its type, found ${shown(value)}`,
      'for example { type: equals, column: country, matchValueType: STRING, matchValue: NO }',
    )
    return undefined
  },
}

/** The years that both Druid's and JavaScript's ISO times write with four digits. */
const FIRST_MS = Date.parse('0001-01-01T00:00:00Z')
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z')

export const sourceOptions = new OptionSet(
  {
    url: {
      type: httpUrl,
      required: 'the address of a router or broker',
      doc: 'The router or a broker, as in `http://druid-router:8888`.',
    },
    tls: {
      type: tls,
      default: false,
      doc: 'For https: whom to trust and who the job is. The files are read again for each connection.',
    },
    auth,
    datasource: {
      type: text,
      doc: 'The datasource whose published segments are read; either this or `query` is needed.',
    },
    from: { type: time, doc: 'The first `__time` to read.' },
    to: { type: time, doc: 'The `__time` to end before.' },
    filter: { type: nativeFilter, doc: 'Rows to read; Druid leaves out the others.' },
    continuous: {
      type: mapping({
        every: { type: duration('1s'), default: '30s', doc: 'How often Druid is asked for segments.' },
        lag: {
          type: duration('0s'),
          required: 'how long rows may take until they are published',
          doc: 'Windows end so long ago. Rows that are published later than that are not seen.',
        },
      }),
      doc: 'Goes on with what is published, window after window, instead of ending.',
    },
    query: {
      type: text,
      doc: 'An SQL query whose result is read, once, up to 4 MB; its columns are the fields of the schema.',
    },
  },
  (values, written, report) => {
    checkAuth(written, report)
    if ((written['datasource'] === undefined) === (written['query'] === undefined))
      report('datasource', 'exactly one of datasource and query is needed')
    if (written['query'] !== undefined)
      for (const name of ['from', 'to', 'filter', 'continuous'])
        if (written[name] !== undefined) report(name, 'has no meaning beside query', 'write it into the query')
    if (values.continuous !== undefined && written['to'] !== undefined)
      report('to', 'has no meaning beside continuous, which never ends')
    if (values.from !== undefined && values.to !== undefined && values.from >= values.to)
      report('to', `must be later than from, which is ${new Date(values.from).toISOString()}`)
  },
)

/** A source that names a datasource reads its rows from `fromMs` to before `toMs`. */
export interface SegmentsToRead {
  readonly kind: 'segments'
  readonly datasource: string
  readonly fromMs: number
  readonly toMs: number
  readonly filter: Readonly<Record<string, unknown>> | undefined
  readonly continuous: { readonly everyMs: number; readonly lagMs: number } | undefined
}

export interface DruidSourceOptions {
  readonly url: string
  readonly auth: Auth | undefined
  readonly tls: TlsFiles | undefined
  readonly reads: SegmentsToRead | { readonly kind: 'query'; readonly query: string }
}

/** Throws OPTIONS_INVALID. */
export function readSourceOptions(options: Options): DruidSourceOptions {
  const {
    url: at,
    auth: login,
    tls: files,
    datasource = '',
    query,
    from,
    to,
    filter,
    continuous,
  } = sourceOptions.read(options)
  return {
    url: at,
    auth: login,
    tls: files === false ? undefined : files,
    reads:
      query !== undefined
        ? { kind: 'query', query }
        : {
            kind: 'segments',
            datasource,
            fromMs: from ?? FIRST_MS,
            toMs: to ?? LAST_MS,
            filter,
            continuous: continuous === undefined ? undefined : { everyMs: continuous.every, lagMs: continuous.lag },
          },
  }
}

export const declaration: ConnectorDeclaration = {
  name: 'druid',
  doc: 'Reads the published segments of a Druid datasource or the result of a query; writes rows into the Kafka topic that a datasource reads. Both exactly once.',
  source: { options: sourceOptions },
  sink: { options: sinkOptions },
}

export interface DruidSinkOptions {
  datasource: string
  /** Undefined until the operator has filled in brokers and topic. */
  kafka: KafkaSinkOptions | undefined
}

/** Throws OPTIONS_INVALID. */
export function readSinkOptions(options: Options): DruidSinkOptions {
  const { datasource, brokers, topic, format: written, ...values } = sinkOptions.read(options)
  const format = recordFormat.read(written, () => undefined)
  if (brokers === undefined || topic === undefined || format === undefined) return { datasource, kafka: undefined }
  return { datasource, kafka: toSinkOptions({ ...values, brokers, topic, format }) }
}
