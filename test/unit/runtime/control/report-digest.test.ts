import { expect, test } from 'vitest'
import type { JobReport } from '../../../../runtime/control/job-report.ts'
import { reportDigest } from '../../../../runtime/control/report-digest.ts'
import { CHECKPOINT, runningReport } from '../../../harness/running-report.ts'

const LOSS = { operator: 'in', seen: 10, skipped: 1, deadLettered: 0, firstReason: 'no JSON' }
const BEFORE = runningReport({ checkpoint: CHECKPOINT, losses: [LOSS] })
const digestWith = (changes: Partial<JobReport>): string => reportDigest({ ...BEFORE, ...changes })

test.each<[string, Partial<JobReport>]>([
  ['records', { recordsIn: 10, recordsOut: 9, badRecords: 1, lateRecords: 2 }],
  ['lag and watermark', { lagRecords: 5, watermark: 1_700_000_000_000 }],
  ['held up functions', { blockedMs: { map: 1_200 } }],
  ['sizes of state', { stateBytes: { memory: 1, disk: 2 }, pausedSplits: 1 }],
  ['the next periodic checkpoint', { checkpoint: { ...CHECKPOINT, id: 8, sizeBytes: 11 } }],
  ['more of the same losses', { losses: [{ ...LOSS, seen: 20, skipped: 2 }] }],
])('when only %s went on, the digest of a report stays', (_, changes) => {
  expect(digestWith(changes)).toBe(reportDigest(BEFORE))
})

test.each<[string, Partial<JobReport>]>([
  ['the phase', { phase: 'recovering' }],
  ['an error', { error: { code: 'KAFKA_AWAY', message: 'm', domain: 'dependency', retriable: true } }],
  ['a failed checkpoint', { checkpointFailures: 1 }],
  ['the first checkpoint of an attempt', { checkpoint: null }],
  ['a savepoint that is kept', { checkpoint: { ...CHECKPOINT, savepoint: 'sp' } }],
  ['the pause that was learnt', { lastPauseMs: 12 }],
  ['a worker', { runningWorkers: [] }],
  ['the first loss of another operator', { losses: [LOSS, { ...LOSS, operator: 'out' }] }],
  ['a refusal', { refused: { revision: 'c', error: { code: 'X', message: 'm', domain: 'user', retriable: false } } }],
])('when %s changes, so does the digest of a report', (_, changes) => {
  expect(digestWith(changes)).not.toBe(reportDigest(BEFORE))
})
