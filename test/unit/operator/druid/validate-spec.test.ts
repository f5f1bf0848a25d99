import { expect, test } from 'vitest'
import type { DruidDatasourceSpec } from '../../../../operator/druid/druid-datasource.ts'
import { specProblems } from '../../../../operator/druid/validate-spec.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

const kafka = { brokers: 'k:9092', topic: 't' }

test('a sound resource has no problems', () => {
  expect(specProblems(sampleDatasource())).toEqual([])
})

test.each<[string, Partial<DruidDatasourceSpec>, string]>([
  ['a name that would leave its place in the URL', { dataSource: '../shutdownAll' }, 'spec.dataSource'],
  [
    'a broker without a port, which Druid accepts and never reads from',
    { kafka: { ...kafka, brokers: 'kafka' } },
    'spec.kafka.brokers',
  ],
  [
    'a login module for the consumer',
    {
      kafka: {
        ...kafka,
        consumerProperties: { 'sasl.jaas.config': 'com.sun.security.auth.module.JndiLoginModule required;' },
      },
    },
    'spec.kafka.consumerProperties[sasl.jaas.config]',
  ],
  [
    'an interceptor class',
    { kafka: { ...kafka, consumerProperties: { 'interceptor.classes': 'x' } } },
    'spec.kafka.consumerProperties[interceptor.classes]',
  ],
  [
    'a dynamic configuration provider',
    { kafka: { ...kafka, consumerProperties: { 'druid.dynamic.config.provider': 'x' } } },
    'spec.kafka.consumerProperties[druid.dynamic.config.provider]',
  ],
  ['a task duration below a minute', { ingestion: { taskDuration: '10s' } }, 'spec.ingestion.taskDuration'],
  [
    'a negative number of tasks, which makes Druid lose the supervisor',
    { ingestion: { taskCount: -1 } },
    'spec.ingestion.taskCount',
  ],
  [
    'a negative number of threads, which makes Druid lose the supervisor',
    { tuning: { workerThreads: -1 } },
    'spec.tuning.workerThreads',
  ],
  [
    'a misspelt tuning name, which Druid ignores silently',
    { tuning: { maxRowsInMemroy: 1 } },
    'spec.tuning[maxRowsInMemroy]',
  ],
  [
    'automatic offset resets, which lose records',
    { tuning: { resetOffsetAutomatically: true } },
    'spec.tuning[resetOffsetAutomatically]',
  ],
  ['code for Druid to run', { metrics: [{ type: 'javascript', name: 'x' }] }, 'spec.metrics[0].type'],
  ['a column that is there twice', { metrics: [{ type: 'count', name: 'page' }] }, 'spec.metrics[0].name'],
])('%s is refused', (_, changes, path) => {
  expect(specProblems(sampleDatasource(changes)).map((problem) => problem.path)).toContain(path)
})
