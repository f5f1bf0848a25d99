import { expect, test } from 'vitest'
import type { DruidDatasourceSpec } from '../../../../operator/druid/druid-datasource.ts'
import { specProblems } from '../../../../operator/druid/validate-spec.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

const kafka = { brokers: 'k:9092', topic: 't' }

function nested(depth: number): Readonly<Record<string, unknown>> {
  let value: Readonly<Record<string, unknown>> = { type: 'count', name: 'x' }
  for (let level = 0; level < depth; level += 1) value = { type: 'filtered', name: 'x', aggregator: value }
  return value
}

test('a name or a text that says javascript is only a name', () => {
  const metrics = [{ type: 'longSum', name: 'javascript', fieldName: 'javascript' }]
  expect(specProblems(sampleDatasource({ metrics }))).toEqual([])
})

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
  [
    'an aggregator that is code within another',
    { metrics: [{ type: 'filtered', name: 'x', aggregator: { type: 'javascript', name: 'y' } }] },
    'spec.metrics[0].aggregator.type',
  ],
  [
    'a filter that is code within an aggregator',
    { metrics: [{ type: 'filtered', name: 'x', filter: { type: 'and', fields: [{ type: 'JavaScript' }] } }] },
    'spec.metrics[0].filter.fields[0].type',
  ],
  [
    'an extraction function that is code',
    { metrics: [{ type: 'filtered', name: 'x', filter: { type: 'in', extractionFn: { type: 'javascript' } } }] },
    'spec.metrics[0].filter.extractionFn.type',
  ],
  [
    'code within the tuning',
    { tuning: { indexSpec: { bitmap: { type: 'javascript' } } } },
    'spec.tuning.indexSpec.bitmap.type',
  ],
  ['a value that nests without end', { metrics: [nested(20_000)] }, 'spec.metrics'],
  ['a port that there is not', { kafka: { ...kafka, brokers: 'k:9092,k:65536' } }, 'spec.kafka.brokers'],
  ['port 0', { kafka: { ...kafka, brokers: 'k:0' } }, 'spec.kafka.brokers'],
  [
    'a word where the tuning has a truth value',
    { tuning: { logParseExceptions: 'yes' } },
    'spec.tuning.logParseExceptions',
  ],
  ['a text where the tuning has a mapping', { tuning: { indexSpec: 'lz4' } }, 'spec.tuning.indexSpec'],
  [
    'a duration of ours where Druid takes a period',
    { tuning: { offsetFetchPeriod: '5s' } },
    'spec.tuning.offsetFetchPeriod',
  ],
  [
    'a wait that holds up all supervisors for an hour',
    { tuning: { shutdownTimeout: 'PT1H' } },
    'spec.tuning.shutdownTimeout',
  ],
  ['a million threads', { tuning: { workerThreads: 1_000_000 } }, 'spec.tuning.workerThreads'],
  ['a name that every object inherits', { tuning: { constructor: 1 } }, 'spec.tuning[constructor]'],
  ['a column that is there twice', { metrics: [{ type: 'count', name: 'page' }] }, 'spec.metrics[0].name'],
])('%s is refused', (_, changes, path) => {
  expect(specProblems(sampleDatasource(changes)).map((problem) => problem.path)).toContain(path)
})
