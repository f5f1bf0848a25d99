import { describe, expect, test } from 'vitest'
import type { ContainerStatus, Pod, PodStatus } from '../../../../operator/kube/objects.ts'
import { newestFailure } from '../../../../operator/streamjob/pod-failure.ts'

const AT = '2026-11-22T10:00:00Z'

function pod(status: PodStatus, metadata: object = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'counts-in-0', creationTimestamp: '2026-11-22T09:00:00Z', ...metadata },
    spec: { containers: [{ name: 'worker', resources: { limits: { memory: '512Mi' } } }] },
    status,
  }
}

function ended(end: object, where: 'state' | 'lastState' = 'lastState'): PodStatus {
  const status: ContainerStatus = { name: 'worker', ready: false, restartCount: 1 }
  return { phase: 'Running', containerStatuses: [{ ...status, [where]: { terminated: { finishedAt: AT, ...end } } }] }
}

describe('why a pod died', () => {
  test.each([
    ['state', { reason: 'OOMKilled', exitCode: 137 }, 'OOMKilled', /killed for memory, its limit is 512Mi.*Raise/],
    ['lastState', { reason: 'OOMKilled', exitCode: 137 }, 'OOMKilled', /killed for memory, its limit is 512Mi.*Raise/],
    ['lastState', { reason: 'OOMKilled', exitCode: 0 }, 'OOMKilled', /exit code 0/],
    ['lastState', { reason: 'Error', exitCode: 139 }, 'ContainerKilled', /SIGSEGV \(exit code 139\)/],
    ['lastState', { reason: 'Error', exitCode: 150 }, 'ContainerKilled', /signal 22/],
    [
      'lastState',
      { reason: 'Error', exitCode: 1, message: 'no store\n' },
      'ContainerFailed',
      /exit code 1: no store\. See/,
    ],
  ] as const)('by its %s %j is %s', (where, end, reason, message) => {
    expect(newestFailure([pod(ended(end, where))])).toEqual({
      pod: 'counts-in-0',
      reason,
      message: expect.stringMatching(message) as unknown,
      at: AT,
    })
  })

  test('an eviction is told in the words of the node', () => {
    const evicted = pod({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on memory.', startTime: AT })
    expect(newestFailure([evicted])).toEqual({
      pod: 'counts-in-0',
      reason: 'PodEvicted',
      message: expect.stringContaining('low on memory. Request') as unknown,
      at: AT,
    })
  })

  test('an end with exit code 0, or of a pod that is deleted, is no failure', () => {
    expect(newestFailure([pod(ended({ reason: 'Completed', exitCode: 0 }))])).toBeUndefined()
    const deleted = pod(ended({ reason: 'Error', exitCode: 143 }), { deletionTimestamp: AT })
    expect(newestFailure([deleted])).toBeUndefined()
  })

  test('the newest end stays known when its pod is gone', () => {
    const known = newestFailure([pod(ended({ reason: 'OOMKilled', exitCode: 137 }))])
    expect(newestFailure([], known)).toEqual(known)
    const later = pod(ended({ reason: 'Error', exitCode: 1, finishedAt: '2026-11-22T11:00:00Z' }))
    expect(newestFailure([later], known)?.reason).toBe('ContainerFailed')
    const earlier = pod(ended({ reason: 'Error', exitCode: 1, finishedAt: '2026-11-22T09:30:00Z' }))
    expect(newestFailure([earlier], known)).toEqual(known)
  })
})
