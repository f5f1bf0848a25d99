import { describe, expect, test } from 'vitest'
import { RunProgress } from '../../../cli/run-progress.ts'
import type { JobReport } from '../../../runtime/control/job-report.ts'
import { runningReport } from '../../harness/running-report.ts'

const REPORT = runningReport({ job: 'hot' })
const error = (retriable: boolean): JobReport['error'] => ({
  code: 'SINK_OUTPUT_LOST',
  message: 'part 1 is gone',
  domain: 'platform',
  retriable,
})

/** The lines shown for reports a quarter of a second apart. */
function shown(reports: readonly Partial<JobReport>[]): string[] {
  const progress = new RunProgress()
  return reports.flatMap((report, index) => progress.next({ ...REPORT, ...report }, index * 250) ?? [])
}

describe('what millrace run shows', () => {
  test('when one error ends attempt after attempt, it is told once, and the end is left to the command', () => {
    const attempts = Array.from({ length: 40 }, (_, attempt): Partial<JobReport>[] => [
      { phase: 'deploying', attempt },
      { phase: 'recovering', attempt, error: error(false) },
      { phase: 'deploying', attempt: attempt + 1, error: error(false) },
    ]).flat()
    expect(shown([...attempts, { phase: 'failed', error: error(false) }])).toEqual([
      'hot: deploying, attempt 0',
      'hot: recovering, attempt 0, SINK_OUTPUT_LOST',
    ])
  })

  test('when an error lasts that may pass, it is told in full, and again once a minute', () => {
    const lines = shown(
      Array.from({ length: 500 }, (_, index) => ({ phase: 'recovering' as const, attempt: index, error: error(true) })),
    )
    expect(lines).toEqual(
      [0, 240, 480].map((attempt) => `hot: recovering, attempt ${attempt}, SINK_OUTPUT_LOST: part 1 is gone`),
    )
  })

  test('when records flow, each new number of them is told', () => {
    expect(shown([{ recordsIn: 1 }, { recordsIn: 1 }, { recordsIn: 2 }])).toHaveLength(2)
  })

  test.each(['bug', 'dependency'] as const)(
    'an error of domain %s, with which the job tries on for up to minutes, is told in full',
    (domain) => {
      const long: JobReport['error'] = { code: 'UNEXPECTED', message: 'n is undefined', domain, retriable: false }
      expect(shown([{ phase: 'recovering', error: long }])).toEqual([
        'hot: recovering, attempt 1, UNEXPECTED: n is undefined',
      ])
    },
  )

  test('when the job gets on after an error, that is told', () => {
    expect(shown([{ phase: 'recovering', error: error(true) }, { phase: 'deploying' }, { recordsIn: 5 }]).at(-1)).toBe(
      'hot: running, attempt 1, 5 in, 0 out',
    )
  })
})

test('an operator that leaves out records is named once, with the first reason', () => {
  const progress = new RunProgress()
  const report: JobReport = {
    ...REPORT,
    losses: [{ operator: 'parse', seen: 9, skipped: 2, deadLettered: 1, firstReason: 'no number' }],
  }
  expect(progress.losses(report)).toEqual([
    'hot: parse skipped 2 of 9 records and put 1 of 9 records into dead letters; the first: no number',
  ])
  expect(progress.losses(report)).toEqual([])
})
