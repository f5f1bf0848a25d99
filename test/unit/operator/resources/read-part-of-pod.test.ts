import { expect, test } from 'vitest'
import type { Pod } from '../../../../operator/kube/objects.ts'
import { pods } from '../../../../operator/kube/resource-type.ts'
import { encryptionOf, imageOf, portOf } from '../../../../operator/resources/job-pod.ts'
import { tokenOf } from '../../../../operator/resources/job-token.ts'
import { readPartOfPod } from '../../../../operator/resources/read-part-of-pod.ts'
import { templateOf } from '../../../../operator/resources/template.ts'
import { subtaskOf } from '../../../../operator/resources/worker-pod.ts'
import { newestFailure } from '../../../../operator/streamjob/pod-failure.ts'
import { isReady } from '../../../../operator/streamjob/pod-sets.ts'
import { blockedPod } from '../../../../operator/streamjob/pod-trouble.ts'
import { OperatorWorld, REF } from '../../../harness/operator-world.ts'

const ENDED = { reason: 'OOMKilled', exitCode: 137, finishedAt: '2026-11-23T10:00:00Z' }

/** The pods of a job, each with limits, a container that was killed, and one that cannot start. */
async function podsOfJob(): Promise<{ world: OperatorWorld; all: readonly Pod[] }> {
  const world = new OperatorWorld()
  await world.create()
  await world.untilRunning()
  const { items } = await world.kube.list(pods, { namespace: REF.namespace })
  const all = items.map((pod): Pod => {
    const containers = pod.spec['containers'] as Record<string, unknown>[]
    const limited = containers.map((one) => ({ ...one, resources: { limits: { memory: '1Gi' } } }))
    return {
      ...pod,
      spec: { ...pod.spec, containers: limited, hostname: 'h', subdomain: 's' },
      status: {
        ...pod.status,
        containerStatuses: [
          {
            name: 'millrace',
            ready: false,
            restartCount: 2,
            state: { waiting: { reason: 'CrashLoopBackOff' } },
            lastState: { terminated: ENDED },
          },
        ],
      },
    }
  })
  return { world, all }
}

test('passes find the same in the part of a pod that is kept as in the whole pod', async () => {
  const { world, all } = await podsOfJob()
  const job = world.job()
  if (job === undefined) throw new Error('there is no job')
  const found = (pod: Pod): unknown => ({
    metadata: pod.metadata,
    image: imageOf(pod),
    port: portOf(pod, 'http'),
    encryption: encryptionOf(pod),
    token: tokenOf(world.tokenKeys, job, pod),
    subtask: subtaskOf(pod),
    template: templateOf(pod),
    failure: newestFailure([pod]),
    trouble: blockedPod([pod]),
    isReady: isReady(pod),
    names: [pod.spec['hostname'], pod.spec['subdomain']],
    address: pod.status?.podIP,
  })
  expect(all.length).toBe(5)
  expect(all.map((pod) => found(readPartOfPod(pod)))).toEqual(all.map(found))
  expect(found(all[0] as Pod)).toMatchObject({
    encryption: 'on',
    token: expect.any(String),
    failure: { reason: 'OOMKilled' },
    trouble: { reason: 'PodCrashLooping' },
  })
})

test('the part of a pod that is kept has nothing of its template that no pass reads', async () => {
  const { all } = await podsOfJob()
  for (const pod of all) {
    const { spec } = readPartOfPod(pod)
    expect(Object.keys(spec).sort()).toEqual(['containers', 'hostname', 'subdomain'])
    expect(JSON.stringify(spec).length).toBeLessThan(JSON.stringify(pod.spec).length / 2)
  }
})
