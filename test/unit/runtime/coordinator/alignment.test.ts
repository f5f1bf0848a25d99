import { expect, test } from 'vitest'
import type { JobReport } from '../../../../runtime/control/job-report.ts'
import { AlignmentGroups } from '../../../../runtime/coordinator/alignment.ts'
import type { Coordinator } from '../../../../runtime/coordinator/coordinator.ts'
import { httpApi } from '../../../../runtime/coordinator/http-api.ts'
import type { Chain } from '../../../../runtime/plan/execution-plan.ts'
import type { OperatorNode } from '../../../../runtime/graph/job-graph.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'

function source(id: string, parallelism: number, group?: string): Chain {
  const operator: OperatorNode = {
    id,
    from: [],
    schema: { fields: [] },
    verb: {
      kind: 'source',
      connector: 'file',
      options: {},
      eventTime: {
        field: 'at',
        outOfOrdernessMs: 0,
        ...(group === undefined ? {} : { align: { group, maxDriftMs: 1_000 } }),
      },
    },
  }
  return { id, parallelism, operators: [operator] }
}

function groupsOf(...chains: Chain[]) {
  const clock = new ManualClock()
  const told: string[] = []
  const groups = new AlignmentGroups({ chains }, clock, (subtask, minimum) => {
    told.push(`${subtask} ${String(minimum)}`)
  })
  return { clock, groups, told: () => told.splice(0) }
}

test('the least minimum of a group goes to all of its subtasks once each has told its own, and to nobody else', () => {
  const { groups, told } = groupsOf(source('a', 2, 'g'), source('b', 1, 'g'), source('c', 1, 'other'), source('d', 1))
  groups.onReport('a-0', 500)
  groups.onReport('a-1', null)
  groups.onReport('c-0', 1)
  groups.onReport('d-0', 1)
  expect(told()).toEqual(['c-0 1'])
  groups.onReport('b-0', 700)
  expect(told()).toEqual(['a-0 500', 'a-1 500', 'b-0 500'])
})

test('what changes nothing is not told, what changes often is told every 20 ms', async () => {
  const { groups, told, clock } = groupsOf(source('a', 1, 'g'), source('b', 1, 'g'))
  groups.onReport('a-0', 100)
  groups.onReport('b-0', 500)
  expect(told()).toHaveLength(2)
  groups.onReport('b-0', 600)
  for (let minimum = 101; minimum < 110; minimum++) groups.onReport('a-0', minimum)
  expect(told()).toEqual([])
  await clock.advance(20)
  expect(told()).toEqual(['a-0 109', 'b-0 109'])
})

test('when all are finished or idle nothing holds anybody back', () => {
  const { groups, told } = groupsOf(source('a', 1, 'g'))
  groups.onReport('a-0', null)
  expect(told()).toEqual(['a-0 null'])
})

test('how many splits wait, the lag, the watermark and where state lies are metrics; what nobody can tell is left out', async () => {
  const textOf = async (report: Partial<JobReport>): Promise<string> =>
    (
      await httpApi(
        {
          report: () => ({ lastPauseMs: null, checkpoint: null, ...report }),
          series: () => [],
        } as unknown as Coordinator,
        'token',
      )({ method: 'GET', path: '/metrics', token: undefined, body: () => Promise.resolve('') })
    ).body
  expect(await textOf({ pausedSplits: 3, lagRecords: 70, watermark: 1_700_000_000_500 })).toMatch(
    /^millrace_job_lag_records 70\n[^]*^millrace_job_watermark_timestamp_seconds 1700000000.5\n[^]*^millrace_job_paused_splits 3$/m,
  )
  expect(await textOf({ stateBytes: { memory: 5, disk: 6 } })).toMatch(
    /^millrace_job_state_memory_bytes 5\n[^]*^millrace_job_state_disk_bytes 6$/m,
  )
  expect(await textOf({ pausedSplits: 0, lagRecords: null, watermark: null })).not.toMatch(
    /lag_records|watermark|state_/,
  )
})
