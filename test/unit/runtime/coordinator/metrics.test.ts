import { expect, test } from 'vitest'
import { metricsText } from '../../../../runtime/coordinator/metrics.ts'
import type { Series } from '../../../../runtime/telemetry/metric.ts'
import { runningReport } from '../../../harness/running-report.ts'

const REPORT = runningReport({
  attempt: 3,
  restarts: 2,
  lastPauseMs: 1_500,
  recordsIn: 10,
  recordsOut: 9,
  badRecords: 1,
})

const ENTRIES = { name: 'millrace_operator_entries', type: 'gauge', help: 'Entries', scope: 'subtask' } as const
const CALLS = { name: 'millrace_operator_calls_total', type: 'counter', help: 'Calls', scope: 'operator' } as const

async function linesOf(subtasks: Record<string, readonly Series[]>): Promise<string[]> {
  const text = await metricsText(
    REPORT,
    Object.entries(subtasks).map(([subtask, series]) => ({ subtask, series })),
  )
  return text.split('\n').filter((line) => line.includes('millrace_operator_'))
}

test('the metrics of the job are served with type and help, and without those that have no value', async () => {
  const text = await metricsText(REPORT, [])
  expect(text).toContain(
    '# HELP millrace_job_restarts_total Attempts lost since this coordinator started\n# TYPE millrace_job_restarts_total counter\nmillrace_job_restarts_total 2\n',
  )
  expect(text).toContain('\nmillrace_job_pause_seconds 1.5\n')
  expect(text).not.toMatch(/checkpoint_size|lag_records|state_/)
})

test('a metric of subtasks is served for each of them, under labels for operator and subtask', async () => {
  expect(
    await linesOf({
      'a-0': [{ ...ENTRIES, operator: 'windows', value: 5 }],
      'a-1': [{ ...ENTRIES, operator: 'windows', labels: { table: 'left' }, value: 7 }],
    }),
  ).toEqual([
    '# HELP millrace_operator_entries Entries',
    '# TYPE millrace_operator_entries gauge',
    'millrace_operator_entries{operator="windows",subtask="a-0"} 5',
    'millrace_operator_entries{operator="windows",subtask="a-1",table="left"} 7',
  ])
})

test('a metric of operators is the sum over the subtasks of each', async () => {
  expect(
    await linesOf({
      'a-0': [
        { ...CALLS, operator: 'lookup', value: 1 },
        { ...CALLS, operator: 'map', value: 4 },
      ],
      'a-1': [{ ...CALLS, operator: 'lookup', value: 2 }],
    }),
  ).toEqual([
    '# HELP millrace_operator_calls_total Calls',
    '# TYPE millrace_operator_calls_total counter',
    'millrace_operator_calls_total{operator="lookup"} 3',
    'millrace_operator_calls_total{operator="map"} 4',
  ])
})

test('when two versions of workers disagree on a metric, it is served once', async () => {
  expect(
    await linesOf({
      'a-0': [{ ...ENTRIES, operator: 'windows', value: 5 }],
      'a-1': [{ ...ENTRIES, type: 'counter', help: 'Other', operator: 'windows', value: 7 }],
    }),
  ).toEqual([
    '# HELP millrace_operator_entries Entries',
    '# TYPE millrace_operator_entries gauge',
    'millrace_operator_entries{operator="windows",subtask="a-0"} 5',
    'millrace_operator_entries{operator="windows",subtask="a-1"} 7',
  ])
})
