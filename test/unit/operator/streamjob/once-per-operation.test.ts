import { expect, test } from 'vitest'
import type { Operation } from '../../../../operator/api/stream-job.ts'
import { OncePerOperation } from '../../../../operator/streamjob/once-per-operation.ts'

const operation = (id: string): Operation => ({
  id,
  type: 'Deploy',
  step: 'deploy',
  tries: 0,
  startedAt: '2026-11-25T00:00:00.000Z',
  deadline: '2026-11-25T00:05:00.000Z',
})

test('what an operation has made is known to the same operation of the same job only', () => {
  const once = new OncePerOperation()
  once.done('job-1', operation('one'), 'service')
  expect(once.isDone('job-1', operation('one'), 'service')).toBe(true)
  expect(once.isDone('job-1', operation('one'), 'secret')).toBe(false)
  expect(once.isDone('job-1', operation('two'), 'service')).toBe(false)
  expect(once.isDone('job-2', operation('one'), 'service')).toBe(false)
})

test('the next operation begins with nothing made, and a job that is forgotten too', () => {
  const once = new OncePerOperation()
  once.done('job', operation('one'), 'service')
  once.done('job', operation('two'), 'secret')
  expect(once.isDone('job', operation('one'), 'service')).toBe(false)
  expect(once.isDone('job', operation('two'), 'secret')).toBe(true)
  once.forget('job')
  expect(once.isDone('job', operation('two'), 'secret')).toBe(false)
})

test('outside of an operation nothing is remembered', () => {
  const once = new OncePerOperation()
  once.done('job', null, 'service')
  expect(once.isDone('job', null, 'service')).toBe(false)
})
