import type { DruidDatasource, DruidDatasourceSpec } from '../../operator/druid/druid-datasource.ts'

/** The resource that asks for the supervisor recorded in supervisor-create.json, apart from its sketches. */
export function sampleDatasource(changes: Partial<DruidDatasourceSpec> = {}): DruidDatasource {
  return {
    apiVersion: 'millrace.dev/v1alpha1',
    kind: 'DruidDatasource',
    metadata: { name: 'clicks', namespace: 'shop', uid: 'uid-1', generation: 1, resourceVersion: '1' },
    spec: {
      kafka: { brokers: '127.0.0.1:19092', topic: 'clicks' },
      timestamp: { column: 'ts', format: 'millis' },
      dimensions: [{ name: 'page' }, { name: 'country' }, { name: 'code', type: 'long' }],
      metrics: [
        { type: 'count', name: 'cnt' },
        { type: 'longSum', name: 'bytes', fieldName: 'bytes' },
      ],
      granularity: { segment: 'HOUR', query: 'MINUTE', rollup: true },
      ingestion: { taskDuration: '10m', completionTimeout: '5m', startDelay: '1s', period: '2s' },
      tuning: { offsetFetchPeriod: 'PT5S' },
      ...changes,
    },
  }
}
