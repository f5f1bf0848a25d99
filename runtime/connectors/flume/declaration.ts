import type { RecordFormat } from '../../formats/format.ts'
import type { ConnectorDeclaration, Options } from '../../graph/connector-declaration.ts'
import { fieldsByHeader } from '../kit/fields-by-header.ts'
import { formatProblems, recordFormat } from '../kit/format-option.ts'
import { metadataFieldsOf, valueSchema } from '../kit/metadata-fields.ts'
import { mapping, OptionSet } from '../kit/option-set.ts'
import { byteSize, choice, count, port, text } from '../kit/option-types.ts'
import { checkFits, log, warnOfNoLog, type LogOption } from '../kit/write-ahead-log/log-option.ts'
import { receivedProblems, type ReceivedFields } from '../kit/write-ahead-log/received-rows.ts'

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
      type: mapping({
        receivedAt: { type: text, doc: 'The field for the time at which the event came: a `timestamp`.' },
        sender: { type: text, doc: 'The field for the address of the agent: a `string`.' },
        headers: {
          type: fieldsByHeader,
          doc: 'Fields for headers of the event, by the name of the header: each a `string`, null for an event without it if the schema lets it be.',
        },
      }),
      doc: 'Fields of the schema that hold what an event says beside its body. A header with an id (UUIDInterceptor), and `dedupe` by that field, make rows of events that come again come once.',
    },
    maxBatchBytes: { type: byteSize('64Ki'), default: '8Mi', doc: 'A connection with a larger batch is closed.' },
    maxConnections: { type: count(65_535), default: 256, doc: 'Connections at once in a slot.' },
  },
  (values, _written, report) => {
    checkFits(values.log, 'maxBatchBytes', values.maxBatchBytes, report)
  },
)

export const declaration: ConnectorDeclaration = {
  name: 'flume',
  doc: 'Receives events from Avro sinks of Flume 1.x agents. A batch is answered with OK once it is in the write-ahead log: from then on each of its events becomes one row. Agents send a batch without an answer again, and its events then come twice.',
  source: {
    options: sourceOptions,
    checkSchema: (options, schema) => {
      const { format, metadata } = sourceOptions.read(options)
      return [
        ...receivedProblems(schema, metadata),
        ...formatProblems(format, valueSchema(schema, metadataFieldsOf(metadata)), 'read'),
      ]
    },
    warnings: (options) => warnOfNoLog(sourceOptions.read(options).log),
    listens: (options) => [sourceOptions.read(options).port],
  },
}

export interface FlumeOptions {
  readonly port: number
  readonly log: LogOption
  readonly compression: 'none' | 'deflate'
  readonly format: RecordFormat
  readonly metadata: ReceivedFields | undefined
  readonly maxBatchBytes: number
  readonly maxConnections: number
}

/** Throws OPTIONS_INVALID. */
export function readSourceOptions(options: Options): FlumeOptions {
  return sourceOptions.read(options)
}
