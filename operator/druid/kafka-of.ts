import { isFields, membersOf } from '../../runtime/model/fields.ts'
import type { DruidDatasourceSpec } from './druid-datasource.ts'

/** Where the supervisor of that resource reads from, typed or raw; undefined while the resource does not say. Pure. */
export function kafkaOf({ kafka, rawSpec }: DruidDatasourceSpec): { brokers: string; topic: string } | undefined {
  if (kafka !== undefined) return { brokers: kafka.brokers, topic: kafka.topic }
  if (!isFields(rawSpec)) return undefined
  const { topic, consumerProperties } = membersOf(membersOf(rawSpec['spec'])['ioConfig'])
  const brokers = membersOf(consumerProperties)['bootstrap.servers']
  return typeof topic === 'string' && typeof brokers === 'string' ? { brokers, topic } : undefined
}
