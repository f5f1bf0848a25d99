import type { RecordFormat, TimestampFormat } from '../../formats/format.ts'
import type { ConnectorDeclaration, OptionProblem, Options } from '../../graph/connector-declaration.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import type { Schema } from '../../model/schema.ts'
import type { Auth } from '../kit/auth-option.ts'
import { fieldsByHeader } from '../kit/fields-by-header.ts'
import { formatProblems, recordFormat, timestampFormat } from '../kit/format-option.ts'
import { hostList } from '../kit/host-list.ts'
import { messageFieldProblems, writtenSchema } from '../kit/message-fields.ts'
import { metadataFieldsOf, valueSchema } from '../kit/metadata-fields.ts'
import { mapping, OptionSet } from '../kit/option-set.ts'
import { choice, count, flag, text, textList, textOf } from '../kit/option-types.ts'
import { startFrom, type StartFrom } from '../kit/start-from-option.ts'
import { storagePath } from '../kit/storage-option.ts'
import { tls } from '../kit/tls-option.ts'
import { auth, checkAuth } from './declared/auth-option.ts'
import { natsMetadataProblems, type MetadataFields } from './declared/metadata-fields.ts'
import { LITERAL_SUBJECT, SUBJECT_PATTERN } from './declared/subjects.ts'

/** Where the servers are and how to connect to them. */
export interface NatsConnectionOptions {
  readonly servers: readonly string[]
  readonly tls: TlsFiles | false
  readonly auth: Auth | undefined
}

export interface NatsSourceOptions extends NatsConnectionOptions {
  readonly streams: readonly string[]
  readonly subjects: readonly string[] | undefined
  readonly startFrom: StartFrom
  readonly bounded: boolean
  readonly format: RecordFormat
  readonly metadata: MetadataFields | undefined
}

export interface NatsSinkOptions extends NatsConnectionOptions {
  readonly stream: string
  /** Exactly one of these is given. */
  readonly subject: string | undefined
  readonly subjectField: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly delivery: 'atLeastOnce' | 'effectivelyOnce'
  /** Where messages wait for their checkpoint; given with effectivelyOnce. */
  readonly files: string | undefined
  readonly whenUnsure: 'fail' | 'publish'
  readonly inFlight: number
  readonly format: RecordFormat
  readonly timestampFormat: TimestampFormat
}

const STREAM = /^[^\s.*>/\\]{1,255}$/
const streamName = textOf('name of a stream without spaces, dots and wildcards', STREAM)

const CONNECTION = {
  servers: {
    type: hostList,
    required: 'host:port of some servers, or a list of them',
    doc: 'Servers of the system, port 4222 by default of NATS; the first that answers is used, and no others than these.',
  },
  tls: {
    type: tls,
    default: false,
    doc: 'Whom to trust and who the job is, where the servers take encrypted connections. The files are read again for each connection.',
  },
  auth,
} as const

export const sourceOptions = new OptionSet(
  {
    ...CONNECTION,
    stream: { type: streamName, doc: 'The stream to read; either this or `streams` is needed.' },
    streams: {
      type: textList('name of a stream'),
      doc: 'Several streams to read as one. A stream is read by one slot: with fewer streams than slots some slots have nothing to read.',
    },
    subjects: {
      type: textList('subject, which may have wildcards'),
      doc: 'Reads messages of these subjects only; several need servers of 2.10 or newer.',
    },
    format: { type: recordFormat, default: 'json', doc: 'How the data of a message becomes a row.' },
    startFrom: {
      type: startFrom,
      default: 'earliest',
      doc: 'Where a job without checkpoint starts to read; a time is that at which the stream stored a message.',
    },
    bounded: {
      type: flag,
      default: false,
      doc: 'Ends the source at the messages that were the last ones when the job started.',
    },
    metadata: {
      type: mapping({
        subject: { type: text, doc: 'The field for the subject of a message: a `string`.' },
        stream: { type: text, doc: 'The field for its stream: a `string`.' },
        sequence: { type: text, doc: 'The field for its sequence in the stream: a `long` or `bigint`.' },
        timestamp: { type: text, doc: 'The field for the time at which it was stored: a `timestamp`.' },
        headers: {
          type: fieldsByHeader,
          doc: 'By the name of a header, the field for its value: a `string`, null where a message has no such header.',
        },
      }),
      doc: 'Fields of the schema that have what a message says beside its data.',
    },
  },
  (values, written, report) => {
    checkAuth(values, report)
    if ((written['stream'] === undefined) === (written['streams'] === undefined))
      report('stream', 'exactly one of stream and streams is needed')
    const names = values.streams ?? []
    for (const name of names) if (!STREAM.test(name)) report('streams', `${JSON.stringify(name)} is no stream`)
    if (new Set(names).size < names.length) report('streams', 'names a stream twice')
    for (const subject of values.subjects ?? [])
      if (!SUBJECT_PATTERN.test(subject)) report('subjects', `${JSON.stringify(subject)} is no subject`)
    if (values.bounded === true && values.startFrom?.kind === 'latest')
      report('startFrom', 'a bounded source that starts at the latest message reads nothing')
  },
)

export const sinkOptions = new OptionSet(
  {
    ...CONNECTION,
    stream: {
      type: streamName,
      required: 'the name of a stream',
      doc: 'The stream that stores the messages; another one that takes their subject is refused.',
    },
    subject: {
      type: textOf('subject without wildcards', LITERAL_SUBJECT),
      doc: 'The subject of all messages; either this or `subjectField` is needed.',
    },
    subjectField: {
      type: text,
      doc: 'The field that has the subject of its message: a `string`. It is left out of the data.',
    },
    headers: {
      type: fieldsByHeader,
      default: {},
      doc: 'By the name of a header, the field that has its value; where it is null the message has no such header. These fields are left out of the data.',
    },
    delivery: {
      type: choice('atLeastOnce', 'effectivelyOnce'),
      default: 'atLeastOnce',
      doc: 'At least once publishes rows as they come, and repeats some after a failure. With `effectivelyOnce` they wait in `files` until their checkpoint is complete, and are published under ids by which those that are stored already are recognised.',
    },
    files: {
      type: storagePath,
      doc: 'A folder or a URL of S3 or HDFS that every slot reaches, where rows wait with `delivery: effectivelyOnce`. They are deleted when they are published.',
    },
    whenUnsure: {
      type: choice('fail', 'publish'),
      default: 'fail',
      doc: 'What the job does when it cannot find out whether it has published rows: it was away for longer than half of the duplicate window of the stream, and the stream has removed messages since. It fails, or publishes them, perhaps a second time.',
    },
    inFlight: { type: count(10_000), default: 512, doc: 'Messages under way at most, per slot.' },
    format: { type: recordFormat, default: 'json', doc: 'How a row becomes the data of a message.' },
    timestampFormat: { type: timestampFormat, default: 'iso', doc: 'How JSON and CSV print timestamps.' },
  },
  (values, written, report) => {
    checkAuth(values, report)
    if ((written['subject'] === undefined) === (written['subjectField'] === undefined))
      report('subject', 'exactly one of subject and subjectField is needed')
    for (const name of Object.keys(values.headers ?? {}))
      if (!/^[!#-9;-~]+$/.test(name) || /^nats-/i.test(name))
        report(`headers.${name}`, 'is no name that a header may have: printable ASCII without colon, and not Nats-…')
    const needsFiles = values.delivery === 'effectivelyOnce'
    if (needsFiles && written['files'] === undefined)
      report('files', 'is required with delivery: effectivelyOnce: a folder or a URL that every slot reaches')
    if (!needsFiles && written['files'] !== undefined)
      report('files', 'has no effect without delivery: effectivelyOnce')
    if (!needsFiles && written['whenUnsure'] !== undefined)
      report('whenUnsure', 'has no effect without delivery: effectivelyOnce')
  },
)

export const declaration: ConnectorDeclaration = {
  name: 'nats',
  doc: 'Reads streams of NATS JetStream (2.9 or newer) by their sequences, exactly once, and publishes to them, at least once or effectively once.',
  source: {
    options: sourceOptions,
    checkSchema: (options, schema) => {
      const { format, metadata } = sourceOptions.read(options)
      return [
        ...natsMetadataProblems(schema, metadata),
        ...formatProblems(format, valueSchema(schema, metadataFieldsOf(metadata)), 'read'),
      ]
    },
  },
  sink: {
    options: sinkOptions,
    checkSchema: (options, schema) => {
      const read = sinkOptions.read(options)
      return [...besideProblems(read, schema), ...formatProblems(read.format, dataSchema(schema, read), 'write')]
    },
  },
}

/** Throws OPTIONS_INVALID. */
export function readSourceOptions(options: Options): NatsSourceOptions {
  const { stream, streams = [], ...values } = sourceOptions.read(options)
  return { ...values, streams: stream === undefined ? streams : [stream] }
}

/** The schema of the data of messages. */
export function dataSchema(schema: Schema, { headers, subjectField }: Beside): Schema {
  const { fields } = writtenSchema(schema, { headers })
  return { fields: fields.filter(({ name }) => name !== subjectField) }
}

type Beside = Pick<NatsSinkOptions, 'headers' | 'subjectField'>

function besideProblems({ headers, subjectField }: Beside, schema: Schema): OptionProblem[] {
  const named = subjectField === undefined ? {} : { subjectField }
  return [
    ...messageFieldProblems(schema, { headers }, { headers: 'headers', timestamp: '' }),
    ...messageFieldProblems(schema, { headers: named }, { headers: '', timestamp: '' }).map((problem) => ({
      ...problem,
      path: 'subjectField',
    })),
  ]
}
