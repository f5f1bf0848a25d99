import type { RecordFormat, TimestampFormat } from '../../formats/format.ts'
import type { ConnectorDeclaration, Options } from '../../graph/connector-declaration.ts'
import type { ReportOption } from '../../graph/unknown-options.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import { fieldsByHeader } from '../kit/fields-by-header.ts'
import { formatProblems, recordFormat, timestampFormat } from '../kit/format-option.ts'
import { messageFieldProblems, writtenSchema, type MessageFields } from '../kit/message-fields.ts'
import { metadataFieldsOf, valueSchema } from '../kit/metadata-fields.ts'
import { mapping, OptionSet, type ValuesSoFar } from '../kit/option-set.ts'
import { choice, duration, flag, text, textOf } from '../kit/option-types.ts'
import { startFrom, type StartFrom } from '../kit/start-from-option.ts'
import { storagePath } from '../kit/storage-option.ts'
import { tls } from '../kit/tls-option.ts'
import { tombstones, type Tombstones } from '../kit/tombstones-option.ts'
import { auth, checkAuth, type PulsarAuth } from './declared/auth-option.ts'
import { metadataOption, pulsarMetadataProblems, type MetadataFields } from './declared/metadata-fields.ts'
import { serviceUrl, type ServiceUrl } from './declared/service-url-option.ts'
import { topicName, topicNames } from './declared/topic-option.ts'
import type { WritableCodec } from './compression.ts'
import type { Hashing } from './routing.ts'

/** Where the brokers are and how to connect to them. */
export interface PulsarConnectionOptions {
  readonly serviceUrl: ServiceUrl
  readonly tls: TlsFiles | undefined
  readonly auth: PulsarAuth | undefined
}

export interface PulsarSourceOptions extends PulsarConnectionOptions {
  readonly topics: readonly string[]
  /** The durable subscription; undefined: named after job and source. */
  readonly subscription: string | undefined
  readonly startFrom: StartFrom
  readonly bounded: boolean
  readonly format: RecordFormat
  readonly metadata: MetadataFields | undefined
  readonly tombstones: Tombstones
}

export interface PulsarSinkOptions extends PulsarConnectionOptions {
  readonly topic: string
  readonly delivery: 'atLeastOnce' | 'effectivelyOnce'
  /** Where messages wait for their checkpoint; given with effectivelyOnce. */
  readonly files: string | undefined
  readonly format: RecordFormat
  readonly timestampFormat: TimestampFormat
  readonly fields: MessageFields
  readonly hashing: Hashing
  readonly compression: WritableCodec
}

const CONNECTION = {
  serviceUrl: {
    type: serviceUrl,
    required: 'pulsar://host:port',
    doc: 'The brokers or proxies of the cluster; `pulsar+ssl://` encrypts the connections.',
  },
  tls: {
    type: tls,
    doc: 'Files of a mounted Secret that say whom to trust and who the job is, for `pulsar+ssl://`; they are read again for each connection.',
  },
  auth,
} as const

export const sourceOptions = new OptionSet(
  {
    ...CONNECTION,
    topic: { type: topicName, doc: 'The topic to read, single or partitioned; either this or `topics` is needed.' },
    topics: { type: topicNames, doc: 'Several topics to read as one stream.' },
    subscription: {
      type: textOf('name of a subscription without slashes', /^[^/\s]{1,200}$/),
      doc: 'The durable subscription that makes Pulsar keep what no checkpoint covers: `millrace.JOB.SOURCE` without it. Two jobs that read a topic must not share one.',
    },
    format: { type: recordFormat, default: 'json', doc: 'How the value of a message becomes a row.' },
    startFrom: {
      type: startFrom,
      default: 'earliest',
      doc: 'Where a job without checkpoint starts to read; a time is that of publishing.',
    },
    bounded: {
      type: flag,
      default: false,
      doc: 'Ends the source at the messages that were the last ones when the job started, and deletes the subscription.',
    },
    metadata: {
      type: mapping({
        key: { type: text, doc: 'The field for the key of a message: a `string` or `bytes`.' },
        eventTime: {
          type: text,
          doc: 'The field for the event time that its producer gave it: a `timestamp`, null without one.',
        },
        publishTime: { type: text, doc: 'The field for the time of publishing: a `timestamp`.' },
        topic: { type: text, doc: 'The field for its topic, with the partition: a `string`.' },
        messageId: { type: text, doc: 'The field for its id, `ledger:entry:index`: a `string`.' },
        properties: {
          type: fieldsByHeader,
          doc: 'By the name of a property, the field for its value: a `string`, null where a message has no such property.',
        },
      }),
      doc: 'Fields of the schema that have what a message says beside its value.',
    },
    tombstones,
    partitionDiscovery: {
      type: duration('100ms'),
      default: '30s',
      doc: 'How often a running job looks for partitions that were added to a topic; it reads them from their start.',
    },
  },
  (values, written, report) => {
    checkConnection(values, report)
    if ((written['topic'] === undefined) === (written['topics'] === undefined))
      report('topic', 'exactly one of topic and topics is needed')
    if (values.bounded === true && values.startFrom?.kind === 'latest')
      report('startFrom', 'a bounded source that starts at the latest message reads nothing')
  },
)

export const sinkOptions = new OptionSet(
  {
    ...CONNECTION,
    topic: { type: topicName, required: 'the name of a topic', doc: 'The topic to write, single or partitioned.' },
    delivery: {
      type: choice('atLeastOnce', 'effectivelyOnce'),
      default: 'atLeastOnce',
      doc: 'At least once sends rows as they come, and repeats some after a failure. With `effectivelyOnce` they wait in `files` until their checkpoint is complete, and Pulsar drops what it has stored already: its deduplication must be on for the namespace.',
    },
    files: {
      type: storagePath,
      doc: 'A folder or a URL of S3 or HDFS that every slot reaches, where rows wait with `delivery: effectivelyOnce`. They are deleted when they are sent.',
    },
    format: { type: recordFormat, default: 'json', doc: 'How a row becomes the value of a message.' },
    key: { type: text, doc: 'The field whose value becomes the key of the message and chooses the partition.' },
    properties: {
      type: fieldsByHeader,
      default: {},
      doc: 'By the name of a property, the field that has its value; where it is null the message has no such property. These fields are left out of the value.',
    },
    eventTime: { type: text, doc: 'The field that has the event time of the message. It is left out of the value.' },
    tombstone: {
      type: text,
      doc: 'A `boolean` field: where it is true the message has a key and no value, which deletes the key in a compacted topic. It is left out of the value.',
    },
    hashing: {
      type: choice('javaStringHash', 'murmur3'),
      default: 'javaStringHash',
      doc: 'How keys choose partitions; other producers of the topic must do the same. The first is the default of Java.',
    },
    compression: { type: choice('none', 'zlib', 'zstd'), default: 'none', doc: 'How batches are compressed.' },
    timestampFormat: { type: timestampFormat, default: 'iso', doc: 'How JSON and CSV print timestamps.' },
  },
  (values, written, report) => {
    checkConnection(values, report)
    const needsFiles = values.delivery === 'effectivelyOnce'
    if (needsFiles && written['files'] === undefined)
      report('files', 'is required with delivery: effectivelyOnce: a folder or a URL that every slot reaches')
    if (!needsFiles && written['files'] !== undefined)
      report('files', 'has no effect without delivery: effectivelyOnce')
  },
)

export const declaration: ConnectorDeclaration = {
  name: 'pulsar',
  doc: 'Reads topics of Apache Pulsar (2.8 or newer) by message id, exactly once, and writes them, at least once or effectively once. Messages that are encrypted by their producer or cut into chunks are refused by name.',
  source: {
    options: sourceOptions,
    checkSchema: (options, schema) => {
      const { format, metadata, tombstones: wanted } = sourceOptions.read(options)
      return [
        ...pulsarMetadataProblems(schema, metadata, wanted),
        ...formatProblems(format, valueSchema(schema, metadataFieldsOf(metadataOption(metadata))), 'read'),
      ]
    },
    lookAgainMs: (options) => {
      const { bounded, partitionDiscovery } = sourceOptions.read(options)
      return bounded ? undefined : partitionDiscovery
    },
  },
  sink: {
    options: sinkOptions,
    checkSchema: (options, schema) => {
      const { fields, format } = readSinkOptions(options)
      return [
        ...messageFieldProblems(schema, fields, { headers: 'properties', timestamp: 'eventTime' }),
        ...formatProblems(format, writtenSchema(schema, fields), 'write'),
      ]
    },
  },
}

/** Throws OPTIONS_INVALID. */
export function readSinkOptions(options: Options): PulsarSinkOptions {
  const { key, properties, eventTime, tombstone, tls: files, ...values } = sinkOptions.read(options)
  return {
    ...values,
    tls: files === false ? undefined : files,
    fields: { key, headers: properties, timestamp: eventTime, tombstone },
  }
}

/** Throws OPTIONS_INVALID. */
export function readSourceOptions(options: Options): PulsarSourceOptions {
  const { topic, topics = [], metadata, tls: files, ...values } = sourceOptions.read(options)
  return {
    ...values,
    tls: files === false ? undefined : files,
    topics: topic === undefined ? topics : [topic],
    metadata: metadataOption(metadata),
  }
}

function checkConnection(values: ValuesSoFar<typeof CONNECTION>, report: ReportOption): void {
  checkAuth(values, report)
  const { serviceUrl: url, tls: files } = values
  if (files !== undefined && files !== false && url?.encrypts === false)
    report('tls', 'has no effect: serviceUrl begins with pulsar://', 'take pulsar+ssl:// and its port, 6651 by default')
  if (files === false && url?.encrypts === true)
    report('tls', 'is false, and serviceUrl begins with pulsar+ssl://', 'leave one of them out')
}
