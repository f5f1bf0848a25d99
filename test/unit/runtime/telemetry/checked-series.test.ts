import { expect, test } from 'vitest'
import { checkedSeries, MAX_SERIES } from '../../../../runtime/telemetry/checked-series.ts'
import type { Series } from '../../../../runtime/telemetry/metric.ts'
import { MetricRegistry } from '../../../../runtime/telemetry/metric-registry.ts'

const GOOD: Series = {
  name: 'millrace_operator_rows',
  type: 'counter',
  help: 'Rows',
  scope: 'subtask',
  operator: 'a',
  labels: { side: 'left' },
  value: 3,
}

test('what a registry collects is served, also after it has travelled as JSON', () => {
  const registry = new MetricRegistry()
  const { operator, labels, value, ...metric } = GOOD
  registry.collect(metric, () => [{ operator, ...(labels === undefined ? {} : { labels }), value }])
  const sent: unknown = JSON.parse(JSON.stringify(registry.series()))
  expect(checkedSeries(sent)).toEqual({ series: [GOOD], refused: 0 })
})

test('a heartbeat of an older worker has no series', () => {
  expect(checkedSeries(undefined)).toEqual({ series: [], refused: 0 })
})

test.each<[string, unknown]>([
  ['a name of the job', { ...GOOD, name: 'millrace_job_attempt' }],
  ['a name with a space', { ...GOOD, name: 'millrace_operator_a b' }],
  ['a long name', { ...GOOD, name: `millrace_operator_${'a'.repeat(100)}` }],
  ['another type', { ...GOOD, type: 'histogram' }],
  ['another scope', { ...GOOD, scope: 'job' }],
  ['a long help', { ...GOOD, help: 'a'.repeat(301) }],
  ['no operator', { ...GOOD, operator: undefined }],
  ['a value that is not a number', { ...GOOD, value: '3' }],
  ['a value that is not finite', { ...GOOD, value: Infinity }],
  ['a counter below 0', { ...GOOD, value: -1 }],
  ['a label that the coordinator adds', { ...GOOD, labels: { subtask: 'b-0' } }],
  ['a label with an upper case letter', { ...GOOD, labels: { Side: 'left' } }],
  ['a long label', { ...GOOD, labels: { side: 'a'.repeat(301) } }],
  ['too many labels', { ...GOOD, labels: Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`l${n}`, ''])) }],
  ['labels that are a text', { ...GOOD, labels: 'side' }],
  ['null', null],
])('a series with %s is left out, and the others stay', (_what, wrong) => {
  expect(checkedSeries([wrong, GOOD])).toEqual({ series: [GOOD], refused: 1 })
})

test('when something else than a list is sent, it is refused', () => {
  expect(checkedSeries({ length: 1 })).toEqual({ series: [], refused: 1 })
})

test('when more series are sent than are allowed, the first ones stay; a registry does not send more', () => {
  const many = Array.from({ length: MAX_SERIES + 5 }, (_, n) => ({ ...GOOD, value: n }))
  const { series, refused } = checkedSeries(many)
  expect({ first: series[0]?.value, kept: series.length, refused }).toEqual({ first: 0, kept: MAX_SERIES, refused: 5 })
  const registry = new MetricRegistry()
  registry.collect(GOOD, () => many)
  expect(registry.series()).toHaveLength(MAX_SERIES)
})
