import { expect, test } from 'vitest'
import { referredDatasources, resolveDruidSinks } from '../../../../operator/druid/resolve-sinks.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

const datasources = new Map([['clicks', sampleDatasource()]])

function job(druid: object) {
  return {
    replicas: 2,
    graph: [
      { id: 'in', source: { kafka: {} } },
      { id: 'out', from: 'in', sink: { druid } },
    ],
  }
}

test('a sink that names a datasource gets its brokers and topic', () => {
  const { spec, problems } = resolveDruidSinks(job({ datasource: 'clicks', key: 'page' }), datasources)
  expect(problems).toEqual([])
  expect(spec).toEqual(job({ datasource: 'clicks', key: 'page', brokers: '127.0.0.1:19092', topic: 'clicks' }))
})

test('an unknown datasource is a problem with its path', () => {
  const { problems } = resolveDruidSinks(job({ datasource: 'clocks' }), datasources)
  expect(problems).toEqual([expect.objectContaining({ path: 'spec.graph[1].sink.druid.datasource' })])
})

test('an unknown datasource with brokers and topic beside it is none of our business', () => {
  const spec = job({ datasource: 'clocks', brokers: 'k:1', topic: 't' })
  expect(resolveDruidSinks(spec, datasources)).toEqual({ spec, problems: [] })
})

test('another topic than the datasource reads is a problem', () => {
  const { problems } = resolveDruidSinks(job({ datasource: 'clicks', brokers: 'k:1', topic: 'other' }), datasources)
  expect(problems).toEqual([expect.objectContaining({ path: 'spec.graph[1].sink.druid.topic' })])
})

test.each([{}, { graph: 'x' }, { graph: [null, 1, { sink: null }, { sink: { druid: null } }] }])(
  'a malformed graph is left to validation (%j)',
  (spec) => {
    expect(resolveDruidSinks(spec, datasources)).toEqual({ spec, problems: [] })
  },
)

test('the datasources a job refers to are known', () => {
  expect(referredDatasources(job({ datasource: 'clicks' }))).toEqual(['clicks'])
})

test('a sink that loads into Druid itself refers to no DruidDatasource', () => {
  const spec = job({ datasource: 'clocks', replace: { url: 'http://druid:8888' } })
  expect(resolveDruidSinks(spec, datasources)).toEqual({ spec, problems: [] })
  expect(referredDatasources(spec)).toEqual([])
})
