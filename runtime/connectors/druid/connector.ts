import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import type { KafkaConnect } from '../kafka/client.ts'
import { kafkaSink } from '../kafka/sink.ts'
import type { Connector } from '../registry.ts'
import type { SinkConnector } from '../sink.ts'
import { BatchWriter } from './batch-writer.ts'
import { readSinkOptions, readSourceOptions, type DruidSinkOptions } from './declaration.ts'
import { DruidService } from './druid-service.ts'
import type { ReplaceOptions } from './declared/replace-option.ts'
import { druidSource } from './source.ts'

/**
 * The source asks Druid itself (`source.ts`). `sink: { druid: { datasource: NAME } }`: rows reach Druid through the
 * Kafka topic that the DruidDatasource NAME reads, in one transaction per checkpoint. Druid reads committed records only
 * and stores offsets and segments together, so the whole path is exactly once. The operator writes the datasource's
 * brokers and topic into the options; without a cluster they are given inline. All other options are those of the Kafka
 * sink. With `replace` all rows of a bounded job replace an interval, without Kafka (`batch-writer.ts`).
 */
export function druidConnector(connect: KafkaConnect): Pick<Required<Connector>, 'source' | 'sink'> {
  return {
    source: (options) => druidSource(readSourceOptions(options)),
    sink: (written) => {
      const options = readSinkOptions(written)
      return options.kind === 'replace' ? batchSink(options.replace) : topicSink(connect, options)
    },
  }
}

function batchSink(options: ReplaceOptions): SinkConnector {
  return {
    writer: (context) => new BatchWriter(context, options),
    probe: async ({ ports, stopping }) => {
      const leader = await new DruidService(options, ports, stopping).call('GET', '/druid/indexer/v1/leader')
      return `overlord ${clipped(leader)} takes tasks for ${options.datasource}`
    },
  }
}

function topicSink(
  connect: KafkaConnect,
  { datasource, kafka }: Extract<DruidSinkOptions, { kind: 'topic' }>,
): SinkConnector {
  const topicOf = (operatorId: string): SinkConnector => {
    if (kafka === undefined) throw unresolved(operatorId, datasource)
    return kafkaSink(connect, kafka)
  }
  return {
    writer: (context) => topicOf(context.operatorId).writer(context),
    probe: async (context) => (await topicOf(context.operatorId).probe?.(context)) ?? `topic of ${datasource}`,
  }
}

function unresolved(operatorId: string, datasource: string): MillraceError {
  return new MillraceError(
    'DRUID_SINK_UNRESOLVED',
    `sink '${operatorId}' names the DruidDatasource '${datasource}', whose brokers and topic only the operator knows`,
    { domain: 'user', hint: 'Without a cluster write brokers and topic beside datasource.' },
  )
}
