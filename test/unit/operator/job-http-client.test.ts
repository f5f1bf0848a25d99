import { expect, test } from 'vitest'
import type { CheckpointReport } from '../../../runtime/model/job.ts'
import { CoordinatorRefusal } from '../../../operator/job-client.ts'
import { JobHttpClient } from '../../../operator/real/job-http-client.ts'
import { CHECKPOINT, runningReport } from '../../harness/running-report.ts'

const AT = { host: '10.0.0.1', port: 8081, jobUid: 'job', token: 'secret', encryption: 'off' } as const

function answering(status: number, text: string): JobHttpClient {
  return new JobHttpClient({ send: () => Promise.resolve({ status, text }), close: () => Promise.resolve() })
}

test.each([
  [422, '{"error":{"code":"SPEC_INVALID","message":"spec.graph: no"}}', 'SPEC_INVALID', 'spec.graph: no', false],
  [500, '{"error":{"code":"STORE_DOWN","message":"m"}}', 'STORE_DOWN', 'm', true],
  [502, '<html>gateway</html>', 'COORDINATOR_REFUSED', '<html>gateway</html>', true],
  [422, '{"error":"text"}', 'COORDINATOR_REFUSED', '{"error":"text"}', false],
])(
  'an answer of %s is a refusal with what the coordinator said, if it did',
  async (status, text, code, words, retriable) => {
    const refusal = await answering(status, text)
      .report(AT)
      .catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(CoordinatorRefusal)
    expect(refusal).toMatchObject({ status, retriable, told: { code, message: words } })
    expect(String(refusal)).not.toContain('secret')
  },
)

function reportAt(checkpoint: Partial<CheckpointReport>): string {
  return JSON.stringify(runningReport({ checkpoint: { ...CHECKPOINT, ...checkpoint } }))
}

test.each([
  ['no JSON', '<html>'],
  ['nothing', ''],
  ['null', 'null'],
  ['a list', '[]'],
  ['a nesting without end', '['.repeat(1_000_000)],
  ['an empty object', '{}'],
  ['no phase', JSON.stringify({ ...runningReport(), phase: 7 })],
  ['workers that are no list', JSON.stringify({ ...runningReport(), runningWorkers: 'count-0' })],
  ['an error that is a text', JSON.stringify({ ...runningReport(), error: 'STORE_DOWN' })],
  ['a refusal without its error', JSON.stringify({ ...runningReport(), refused: { revision: 'r' } })],
  ['a figure that is a text', JSON.stringify({ ...runningReport(), recordsIn: 'many' })],
  ['a checkpoint without a path', JSON.stringify({ ...runningReport(), checkpoint: {} })],
  ['a checkpoint in the folder of another job', reportAt({ path: 'checkpoints/../../bank/1-7/manifest.json' })],
  ['a checkpoint after the end of time', reportAt({ completedAt: 9e15 })],
  ['a checkpoint of half an attempt', reportAt({ attempt: 0.5 })],
  ['losses that are no list', JSON.stringify({ ...runningReport(), losses: 5 })],
])('when a coordinator answers %s, that is an error of the job, which its pass reports', async (_, text) => {
  const client = answering(200, text)
  for (const asked of [client.report(AT), client.reportUnlike(AT, { digest: '', waitMs: 0 })])
    await expect(asked).rejects.toMatchObject({ code: 'COORDINATOR_ANSWER_INVALID', retriable: true })
})

test('when a coordinator answers with a report, it is taken', async () => {
  const report = runningReport({ checkpoint: CHECKPOINT })
  expect(await answering(200, JSON.stringify(report)).report(AT)).toEqual(report)
})

test.each([
  ['an unknown phase', { id: 's', phase: 'done' }],
  ['a failure without an error', { id: 's', phase: 'failed' }],
  ['a path that leads elsewhere', { id: 's', phase: 'completed', checkpoint: { ...CHECKPOINT, path: '../x/m' } }],
  ['a time that there is not', { id: 's', phase: 'completed', checkpoint: { ...CHECKPOINT, completedAt: 1e300 } }],
])('when a coordinator answers about a savepoint with %s, that is an error of the job', async (_, answer) => {
  const client = answering(200, JSON.stringify(answer))
  for (const asked of [client.savepoint(AT, 's'), client.requestSavepoint(AT, { id: 's' })])
    await expect(asked).rejects.toMatchObject({ code: 'COORDINATOR_ANSWER_INVALID' })
})

test.each([
  { id: 's', phase: 'inProgress' },
  { id: 's', phase: 'completed', checkpoint: CHECKPOINT },
  { id: 's', phase: 'failed', error: { code: 'STORE_DOWN', message: 'm', domain: 'dependency', retriable: true } },
])('when a coordinator answers about a savepoint that it is $phase, that is taken', async (answer) => {
  expect(await answering(200, JSON.stringify(answer)).savepoint(AT, 's')).toEqual(answer)
})
