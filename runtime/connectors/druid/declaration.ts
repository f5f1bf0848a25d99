import type { ConnectorDeclaration, Options } from '../../graph/connector-declaration.ts'
import { checkPlainPassword, SINK_TABLE, toSinkOptions, type KafkaSinkOptions } from '../kafka/declaration.ts'
import { recordFormat } from '../kit/format-option.ts'
import { OptionSet } from '../kit/option-set.ts'
import { only, text, type OptionType } from '../kit/option-types.ts'

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
    checkPlainPassword(values, written, report)
    if (written['topic'] !== undefined && written['brokers'] === undefined) report('brokers', 'is needed beside topic')
    if (written['brokers'] !== undefined && written['topic'] === undefined) report('topic', 'is needed beside brokers')
  },
)

export const declaration: ConnectorDeclaration = {
  name: 'druid',
  doc: 'Writes rows into the Kafka topic that a Druid datasource reads, exactly once.',
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
