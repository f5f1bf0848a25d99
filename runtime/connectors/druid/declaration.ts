import type { ConnectorDeclaration, Options } from '../../graph/connector-declaration.ts'
import { joinRelative } from '../../graph/problems.ts'
import type { ReportOption } from '../../graph/unknown-options.ts'
import { checkSasl, SINK_TABLE, toSinkOptions, type KafkaSinkOptions } from '../kafka/declaration.ts'
import { auth, checkAuth, type Auth } from '../kit/auth-option.ts'
import { recordFormat } from '../kit/format-option.ts'
import { isFields } from '../../model/fields.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import { mapping, OptionSet } from '../kit/option-set.ts'
import { duration, only, shown, text, type OptionType } from '../kit/option-types.ts'
import { tls } from '../kit/tls-option.ts'
import { httpUrl } from '../kit/url-option.ts'
import { checkReplace, replace, replaceProblems, type ReplaceOptions } from './declared/replace-option.ts'
import { FIRST_MS, LAST_MS, time } from './declared/time-option.ts'

const READ_AS_JSON = 'the supervisor of the datasource reads JSON'

const json: OptionType<'json'> = only('json', READ_AS_JSON)

export const sinkOptions = new OptionSet(
  {
    datasource: {
      type: text,
      required: 'the name of a DruidDatasource of this namespace, or with replace of a datasource',
      doc: 'A DruidDatasource of this namespace; the operator fills in its brokers and topic. With `replace` the name of the datasource in Druid.',
    },
    replace,
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
    if (written['replace'] !== undefined) {
      const ofReplace: ReportOption = (path, message, hint) => {
        report(joinRelative('replace', path), message, hint)
      }
      for (const name of Object.keys(written))
        if (!['datasource', 'replace'].includes(name))
          report(name, 'has no meaning beside replace, which loads without Kafka', 'leave it out')
      if (isFields(written['replace'])) checkAuth(written['replace'], ofReplace)
      if (values.replace !== undefined) checkReplace(values.replace, ofReplace)
      return
    }
    if (written['topic'] !== undefined && written['brokers'] === undefined) report('brokers', 'is needed beside topic')
    if (written['brokers'] !== undefined && written['topic'] === undefined) report('topic', 'is needed beside brokers')
  },
)

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
  doc: 'Reads the published segments of a Druid datasource or the result of a query; writes rows into the Kafka topic that a datasource reads, or has Druid replace what a datasource has of a time by all rows of a bounded job. All exactly once.',
  source: { options: sourceOptions },
  sink: {
    options: sinkOptions,
    checkSchema: (options, schema) => {
      const { replace: replaced } = sinkOptions.read(options)
      return replaced === undefined ? [] : replaceProblems(replaced.timestamp, schema)
    },
    slots: (options) => (sinkOptions.read(options).replace === undefined ? undefined : 1),
  },
}

export type DruidSinkOptions =
  | {
      readonly kind: 'topic'
      readonly datasource: string
      /** Undefined until the operator has filled in brokers and topic. */
      readonly kafka: KafkaSinkOptions | undefined
    }
  | { readonly kind: 'replace'; readonly replace: ReplaceOptions }

/** Throws OPTIONS_INVALID. */
export function readSinkOptions(options: Options): DruidSinkOptions {
  const { datasource, brokers, topic, format: written, replace: replaced, ...values } = sinkOptions.read(options)
  if (replaced !== undefined) {
    const { from, to, tls: files, ...others } = replaced
    const tlsFiles = files === false ? undefined : files
    return { kind: 'replace', replace: { ...others, datasource, fromMs: from, toMs: to, tls: tlsFiles } }
  }
  const format = recordFormat.read(written, () => undefined)
  if (brokers === undefined || topic === undefined || format === undefined)
    return { kind: 'topic', datasource, kafka: undefined }
  return { kind: 'topic', datasource, kafka: toSinkOptions({ ...values, brokers, topic, format }) }
}
