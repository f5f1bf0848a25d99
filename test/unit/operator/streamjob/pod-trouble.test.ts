import { describe, expect, test } from 'vitest'
import type { Pod } from '../../../../operator/kube/objects.ts'
import { blockedPod } from '../../../../operator/streamjob/pod-trouble.ts'

function unscheduled(message: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'counts-coordinator' },
    spec: {},
    status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }] },
  }
}

describe('a pod that no node takes', () => {
  test('when its claim is missing, says so and what to do', () => {
    expect(blockedPod([unscheduled('0/1 nodes are available: persistentvolumeclaim "shared" not found.')])).toEqual({
      reason: 'Unschedulable',
      message:
        'counts-coordinator: 0/1 nodes are available: persistentvolumeclaim "shared" not found. Create that claim in the job\'s namespace; for checkpoints it must be shared by all pods of the job (docs/checkpoints.md).',
    })
  })

  test("when anything else keeps it, gives the scheduler's own words", () => {
    expect(blockedPod([unscheduled('0/1 nodes are available: 1 Insufficient cpu.')])?.message).toBe(
      'counts-coordinator: 0/1 nodes are available: 1 Insufficient cpu.',
    )
  })
})
