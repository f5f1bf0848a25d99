import type { RecordFormat, TimestampFormat } from '../../formats/format.ts'
import type { ConnectorDeclaration, Options } from '../../graph/connector-declaration.ts'
import type { ReportOption } from '../../graph/unknown-options.ts'
import type { Field } from '../../model/schema.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import { fieldsByHeader } from '../kit/fields-by-header.ts'
import { formatProblems, recordFormat, timestampFormat } from '../kit/format-option.ts'
import { hostList } from '../kit/host-list.ts'
import { isLoopback } from '../../model/loopback.ts'
import { startFrom, type StartFrom } from '../kit/start-from-option.ts'
import { httpUrl } from '../kit/url-option.ts'
import type { TokenEndpoint } from '../kit/client-credentials.ts'
import { mapping, OptionSet, type OptionValues, type ValuesSoFar } from '../kit/option-set.ts'
import {
  byteSize,
  choice,
  count,
  duration,
  flag,
  secretFile,
  shown,
  text,
  type OptionType,
} from '../kit/option-types.ts'
import { tls } from '../kit/tls-option.ts'
import { tombstones, type Tombstones } from '../kit/tombstones-option.ts'
import { readPattern } from '../../expressions/pattern-syntax.ts'
import { metadataFieldsOf, valueSchema } from '../kit/metadata-fields.ts'
import { kafkaMetadataProblems, type MetadataFields } from './declared/metadata-fields.ts'
import { fieldsBesideValue, messageFieldProblems, writtenSchema } from '../kit/message-fields.ts'
import type { Isolation } from './client.ts'
import type { WritableCodec } from './compression.ts'

/** The security of a connection; password or token is read from its file when connecting and never kept in a spec. */
export interface KafkaSecurity {
  tls: false | TlsFiles
  sasl?: KafkaLogin
}

/** Where the secret of a login comes from: the file of a password, that of a token, or a server that gives tokens. */
export type KafkaLogin =
  | { mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; username: string; passwordFile: string }
  | { mechanism: 'OAUTHBEARER'; token: { file: string } | { endpoint: TokenEndpoint } }

/** Where the brokers are and how to connect to them. */
export interface KafkaConnectionOptions {
  brokers: readonly string[]
  security: KafkaSecurity
}

export interface KafkaSourceOptions extends KafkaConnectionOptions {
  /** Empty where `topicPattern` is given. */
  topics: readonly string[]
  topicPattern: string | undefined
  startFrom: StartFrom
  isolation: Isolation
  bounded: boolean
  format: RecordFormat
  /** How often new partitions are looked for. */
  partitionDiscoveryMs: number
  metadata: MetadataFields | undefined
  /** Records without a value are refused, or become rows. */
  tombstones: Tombstones
}

export interface KafkaSinkOptions extends KafkaConnectionOptions {
  topic: string
  delivery: 'exactlyOnce' | 'atLeastOnce'
  /** Field whose value becomes the record's key. */
  key: string | undefined
  /** Field whose value chooses the partition; the key does when it is absent. */
  partitionBy: string | undefined
  transactionTimeoutMs: number
  compression: WritableCodec
  createTopic: { partitions: number; replication: number } | undefined
  format: RecordFormat
  timestampFormat: TimestampFormat
  /** By the name of the header, the field that has its value. */
  headers: Readonly<Record<string, string>>
  /** Field whose value is the time of the record; the time of writing is when it is absent. */
  timestamp: string | undefined
  /** Field that says that the record has no value. */
  tombstone: string | undefined
}

export interface KafkaDeadLetterOptions extends KafkaConnectionOptions {
  topic: string
}

const MECHANISMS = { plain: 'PLAIN', 'scram-sha-256': 'SCRAM-SHA-256', 'scram-sha-512': 'SCRAM-SHA-512' } as const

const topicName: OptionType<string> = {
  name: 'topic name',
  read: (value, report) => {
    const topic = text.read(value, report)
    return topic !== undefined && isTopicName(topic, '', report) ? topic : undefined
  },
}

const topicNames: OptionType<readonly string[]> = {
  name: 'list of topic names',
  read: (value, report) => {
    if (!Array.isArray(value) || value.length === 0) {
      report('', 'must be a list of topic names')
      return undefined
    }
    const topics = value.map(String)
    const isSound = topics.map((topic, index) => isTopicName(topic, `[${index}]`, report)).every(Boolean)
    const isUnique = new Set(topics).size === topics.length
    if (!isUnique) report('', 'names a topic twice')
    return isSound && isUnique ? topics : undefined
  },
}

const topicPattern: OptionType<string> = {
  name: 'regular expression',
  read: (value, report) => {
    const pattern = text.read(value, report)
    if (pattern === undefined) return undefined
    const syntax = readPattern(pattern, '')
    if (!('problem' in syntax)) return pattern
    report('', `${shown(pattern)}: ${syntax.problem}`)
    return undefined
  },
}

const CONNECTION = {
  brokers: {
    type: hostList,
    required: 'host:port, or a list of them',
    doc: 'Where to find the cluster: some of its brokers are enough.',
  },
  tls: {
    type: tls,
    default: false,
    doc: 'Encrypts the connections. Files of a mounted Secret say whom to trust and who the job is; they are read again for each connection.',
  },
  sasl: {
    type: mapping({
      mechanism: {
        type: choice('plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'),
        default: 'scram-sha-512',
        doc: 'How the job authenticates.',
      },
      username: { type: text, doc: 'The Kafka user of the job; a token says itself whose it is.' },
      passwordFile: {
        type: secretFile,
        secret: true,
        doc: 'The path of a mounted Secret with the password; it is read when connecting.',
      },
      tokenFile: {
        type: secretFile,
        secret: true,
        doc: 'The path of a mounted token for `oauthbearer`, such as a projected service account token; it is read when connecting and whenever the broker wants a session renewed.',
      },
      tokenEndpoint: {
        type: mapping({
          url: { type: httpUrl, required: 'the address of the token endpoint', doc: 'The token endpoint.' },
          clientId: { type: text, required: 'the id of the client', doc: 'The id of the client.' },
          clientSecretFile: {
            type: secretFile,
            required: 'the path of a mounted Secret',
            secret: true,
            doc: 'The path of a mounted Secret with the secret of the client. The key `allowed-hosts` of the Secret says where it may go.',
          },
          scope: { type: text, doc: 'The scope that is asked for.' },
          tls: { type: tls, default: false, doc: 'For https: whom to trust and who the client is.' },
        }),
        doc: 'A server that gives tokens for `oauthbearer` to the job by client credentials (OAuth 2.0); it is asked again before a token ends.',
      },
      insecure: {
        type: flag,
        default: false,
        doc: 'Lets `plain` send the password, and `oauthbearer` the token, without TLS, where everybody on the way can read it.',
      },
    }),
    doc: 'Authentication; the job connects without it when it is absent.',
  },
} as const

/** A rule of option sets with the options of a connection. */
export function checkSasl(
  { brokers, tls: encrypts, sasl }: ValuesSoFar<typeof CONNECTION>,
  _written: Options,
  report: ReportOption,
): void {
  if (sasl === undefined) return
  const { mechanism, tokenFile, tokenEndpoint } = sasl
  const hasToken = mechanism === 'oauthbearer'
  for (const name of ['username', 'passwordFile'] as const) {
    if (!hasToken && sasl[name] === undefined) report(`sasl.${name}`, `is required with mechanism: ${mechanism}`)
    if (hasToken && sasl[name] !== undefined) report(`sasl.${name}`, `has no meaning with mechanism: ${mechanism}`)
  }
  for (const name of ['tokenFile', 'tokenEndpoint'] as const)
    if (!hasToken && sasl[name] !== undefined) report(`sasl.${name}`, `has no meaning with mechanism: ${mechanism}`)
  if (hasToken && (tokenFile === undefined) === (tokenEndpoint === undefined))
    report('sasl', 'needs either tokenFile or tokenEndpoint with mechanism: oauthbearer')
  if (tokenEndpoint !== undefined && !sasl.insecure && /^http:/i.test(tokenEndpoint.url) && !isLocal(tokenEndpoint.url))
    report('sasl.tokenEndpoint.url', 'is http: the secret of the client would travel as it is', 'take https')
  checkReadable({ brokers, encrypts, sasl }, report)
}

/** SASL/PLAIN is the password itself (RFC 4616), OAUTHBEARER the token (RFC 7628). To the same machine nobody reads it. */
function checkReadable(
  {
    brokers,
    encrypts,
    sasl: { mechanism, insecure },
  }: {
    brokers: readonly string[] | undefined
    encrypts: false | TlsFiles | undefined
    sasl: { mechanism: string; insecure: boolean }
  },
  report: ReportOption,
): void {
  const isReadable = (mechanism === 'plain' || mechanism === 'oauthbearer') && encrypts === false && !insecure
  if (!isReadable || (brokers !== undefined && brokers.every(isLoopback))) return
  const secret = mechanism === 'plain' ? 'password' : 'token'
  report(
    'sasl.mechanism',
    `is ${mechanism} and tls is false: the ${secret} would travel as it is`,
    'write tls: true, take scram-sha-512, or write sasl.insecure: true where the network is trusted',
  )
}

/** A topic in which a source keeps what it has acknowledged, and how to connect to its brokers. */
export interface KafkaLogTopic extends KafkaConnectionOptions {
  readonly topic: string
  readonly maxRecordBytes: number
  /** The most that waits for the brokers in the memory of a slot. */
  readonly maxBytes: number
  /** Whether records that a checkpoint covers are deleted. */
  readonly deletes: boolean
}

/** The most that waits in the memory of a slot, as of a source without a log. */
const LOG_WAITING_BYTES = 16 * 1024 * 1024

const LOG_TOPIC = mapping({
  ...CONNECTION,
  topic: {
    type: topicName,
    required: 'the name of a topic that only this source writes',
    doc: 'A topic of its own, with as many partitions as the source may have slots.',
  },
  delete: {
    type: flag,
    default: true,
    doc: 'Deletes the records that a complete checkpoint covers; otherwise the retention of the topic does.',
  },
  maxRecordBytes: {
    type: byteSize('1Ki'),
    default: '1000Ki',
    doc: 'A longer record is refused. `max.message.bytes` of the topic must allow a little more.',
  },
})

/** `log: { kafka: … }` of sources that cannot ask their senders again. */
export const logTopic: OptionType<KafkaLogTopic> & { readonly fields: typeof LOG_TOPIC.fields } = {
  ...LOG_TOPIC,
  read: (value, report) => {
    let isSound = true
    const values = LOG_TOPIC.read(value, report)
    if (values === undefined) return undefined
    checkSasl(values, {}, (path, message, hint) => {
      isSound = false
      report(path, message, hint)
    })
    const { tls: encrypts, sasl, delete: deletes, ...rest } = values
    if (!isSound) return undefined
    return { ...rest, deletes, maxBytes: LOG_WAITING_BYTES, security: securityOf({ tls: encrypts, sasl }) }
  },
}

const TOPIC = { type: topicName, required: 'the name of a topic' } as const

export const sourceOptions = new OptionSet(
  {
    ...CONNECTION,
    topic: { type: topicName, doc: 'The topic to read; either this, `topics` or `topicPattern` is needed.' },
    topics: { type: topicNames, doc: 'Several topics to read as one stream.' },
    topicPattern: {
      type: topicPattern,
      doc: 'A regular expression of the whole name: every topic that it matches is read, also one that is made while the job runs. Names that begin with `__` are those of Kafka itself and are left out.',
    },
    format: { type: recordFormat, default: 'json', doc: 'How the value of a record becomes a row.' },
    startFrom: {
      type: startFrom,
      default: 'earliest',
      doc: 'Where a job without checkpoint starts to read.',
    },
    isolation: {
      type: choice('read_committed', 'read_uncommitted'),
      default: 'read_committed',
      doc: 'Whether records of open and aborted transactions are skipped.',
    },
    bounded: {
      type: flag,
      default: false,
      doc: 'Ends the source at the offsets that were the last ones when the job started.',
    },
    metadata: {
      type: mapping({
        key: { type: text, doc: 'The field for the key of a record: a `string` or `bytes`.' },
        timestamp: { type: text, doc: 'The field for its time: a `timestamp`.' },
        topic: { type: text, doc: 'The field for its topic: a `string`.' },
        partition: { type: text, doc: 'The field for its partition: a `long`.' },
        offset: { type: text, doc: 'The field for its offset: a `long` or `bigint`.' },
        headers: {
          type: fieldsByHeader,
          doc: 'By the name of a header, the field for its value: a `string` or `bytes`, null where a record has no such header.',
        },
      }),
      doc: 'Fields of the schema that have what a record says beside its value.',
    },
    tombstones,
    partitionDiscovery: {
      type: duration('100ms'),
      default: '30s',
      doc: 'How often a running job looks for partitions that were added to the topic; it reads them from their start.',
    },
  },
  (values, written, report) => {
    checkSasl(values, written, report)
    const ways = ['topic', 'topics', 'topicPattern'].filter((name) => written[name] !== undefined)
    const [first, second] = ways
    if (first === undefined) report('topic', 'is required: the name of a topic')
    else if (second !== undefined) report(second, `give ${first} or ${second}, not both`)
    if (values.bounded === true && values.startFrom?.kind === 'latest')
      report('startFrom', 'a bounded source that starts at the latest offset reads nothing')
  },
)

/** Shared with the Druid sink, which writes to Kafka. */
export const SINK_TABLE = {
  ...CONNECTION,
  topic: { ...TOPIC, doc: 'The topic to write.' },
  format: { type: recordFormat, default: 'json', doc: 'How a row becomes the value of a record.' },
  delivery: {
    type: choice('exactlyOnce', 'atLeastOnce'),
    default: 'exactlyOnce',
    doc: 'Exactly once uses one transaction per checkpoint; at least once repeats records after a failure.',
  },
  key: { type: text, doc: 'The field whose value becomes the key of the record.' },
  partitionBy: { type: text, doc: 'The field whose value chooses the partition; without it the key does.' },
  transactionTimeout: {
    type: duration('1s'),
    // the broker's own limit (transaction.max.timeout.ms) is 15 minutes unless it is raised
    default: '15m',
    doc: 'How long Kafka keeps a transaction open while the job is down; it must be longer than any outage.',
  },
  compression: { type: choice('none', 'gzip', 'zstd'), default: 'none', doc: 'How batches are compressed.' },
  createTopic: {
    type: mapping({
      partitions: { type: count(10_000), required: 'the number of partitions', doc: 'The number of partitions.' },
      replication: { type: count(100), default: 1, doc: 'The number of copies of each partition.' },
    }),
    doc: 'Creates the topic when it does not exist.',
  },
  timestampFormat: { type: timestampFormat, default: 'iso', doc: 'How JSON and CSV print timestamps.' },
} as const

const BESIDE_VALUE = {
  headers: {
    type: fieldsByHeader,
    default: {},
    doc: 'By the name of a header, the field that has its value; where it is null the record has no such header. These fields are left out of the value.',
  },
  timestamp: {
    type: text,
    doc: 'The field that has the time of the record, which is that of writing without it. It is left out of the value.',
  },
  tombstone: {
    type: text,
    doc: 'A `boolean` field: where it is true the record has a key and no value, which deletes the key in a compacted topic. It is left out of the value.',
  },
} as const

export const sinkOptions = new OptionSet({ ...SINK_TABLE, ...BESIDE_VALUE }, checkSasl)

export const deadLetterOptions = new OptionSet(
  { ...CONNECTION, topic: { ...TOPIC, doc: 'The topic for the dead letters; it must exist.' } },
  checkSasl,
)

export const declaration: ConnectorDeclaration = {
  name: 'kafka',
  doc: 'Reads and writes the topics of an Apache Kafka cluster. A batch of records may unpack to 64 MB at most. A batch that is larger, damaged, or states impossible lengths ends the attempt with KAFKA_BATCH_CORRUPT, the partition and the offset: none of its records is read, so `onError` does not apply to it.',
  source: {
    options: sourceOptions,
    checkSchema: (options, schema) => {
      const { format, metadata, tombstones: wanted } = sourceOptions.read(options)
      return [
        ...kafkaMetadataProblems(schema, metadata, wanted),
        ...formatProblems(format, valueSchema(schema, metadataFieldsOf(metadata)), 'read'),
      ]
    },
    passesTexts: (options) => {
      const { format, metadata } = sourceOptions.read(options)
      return metadata === undefined && format.passesTexts === true
    },
    lookAgainMs: (options) => {
      const { bounded, partitionDiscovery } = sourceOptions.read(options)
      return bounded ? undefined : partitionDiscovery
    },
  },
  sink: {
    options: sinkOptions,
    checkSchema: (options, schema) => {
      const read = sinkOptions.read(options)
      const words = { headers: 'headers', timestamp: 'timestamp' }
      return [
        ...messageFieldProblems(schema, read, words),
        ...formatProblems(read.format, writtenSchema(schema, read), 'write'),
      ]
    },
    takesTexts: (options, schema) => {
      const read = sinkOptions.read(options)
      const { format, timestampFormat: printed, key, partitionBy } = read
      const beside = fieldsBesideValue(read)
      const isTaken = ({ name, type }: Field): boolean =>
        !beside.has(name) && name !== key && name !== partitionBy && (type !== 'timestamp' || printed === 'epochMillis')
      return new Set(format.passesTexts === true ? schema.fields.filter(isTaken).map(({ name }) => name) : [])
    },
  },
  deadLetters: { options: deadLetterOptions },
}

/** Throws OPTIONS_INVALID. */
export function readSourceOptions(options: Options): KafkaSourceOptions {
  const { topic, topics = [], partitionDiscovery, tls: encrypts, sasl, ...values } = sourceOptions.read(options)
  return {
    ...values,
    topics: topic === undefined ? topics : [topic],
    partitionDiscoveryMs: partitionDiscovery,
    security: securityOf({ tls: encrypts, sasl }),
  }
}

/** Throws OPTIONS_INVALID. */
export function readSinkOptions(options: Options): KafkaSinkOptions {
  const { headers, timestamp, tombstone, ...shared } = sinkOptions.read(options)
  return toSinkOptions(shared, { headers, timestamp, tombstone })
}

/** Without `beside` records have a key and a value alone. */
export function toSinkOptions(
  written: OptionValues<typeof SINK_TABLE>,
  beside: OptionValues<typeof BESIDE_VALUE> = { headers: {}, timestamp: undefined, tombstone: undefined },
): KafkaSinkOptions {
  const { transactionTimeout, tls: encrypts, sasl, ...values } = written
  return {
    ...values,
    ...beside,
    transactionTimeoutMs: transactionTimeout,
    security: securityOf({ tls: encrypts, sasl }),
  }
}

/** Throws OPTIONS_INVALID. */
export function readDeadLetterOptions(options: Options): KafkaDeadLetterOptions {
  const { brokers, topic, tls: encrypts, sasl } = deadLetterOptions.read(options)
  return { brokers, topic, security: securityOf({ tls: encrypts, sasl }) }
}

function securityOf({ tls: encrypts, sasl }: Pick<OptionValues<typeof CONNECTION>, 'tls' | 'sasl'>): KafkaSecurity {
  if (sasl === undefined) return { tls: encrypts }
  const { mechanism, username = '', passwordFile = '', tokenFile = '', tokenEndpoint } = sasl
  return {
    tls: encrypts,
    sasl:
      mechanism === 'oauthbearer'
        ? {
            mechanism: 'OAUTHBEARER',
            token: tokenEndpoint === undefined ? { file: tokenFile } : { endpoint: endpointOf(tokenEndpoint) },
          }
        : { mechanism: MECHANISMS[mechanism], username, passwordFile },
  }
}

function endpointOf({
  tls: files,
  ...endpoint
}: Omit<TokenEndpoint, 'tls'> & { tls: false | TlsFiles }): TokenEndpoint {
  return { ...endpoint, tls: files === false ? undefined : files }
}

function isLocal(url: string): boolean {
  const { host, port: named } = new URL(url)
  return isLoopback(named === '' ? `${host}:80` : host)
}

/** Kafka's own rule (kafka: Topic.java). */
function isTopicName(topic: string, path: string, report: ReportOption): boolean {
  const isSound = /^[a-zA-Z0-9._-]{1,249}$/.test(topic) && topic !== '.' && topic !== '..'
  if (!isSound) report(path, `${shown(topic)} is not a topic name: 1 to 249 of a-z A-Z 0-9 . _ -`)
  return isSound
}
