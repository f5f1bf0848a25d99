import { expect, test } from 'vitest'
import { API_VERSION, streamJobs } from '../../../operator/api/stream-job.ts'
import type { JobClient } from '../../../operator/job-client.ts'
import { startOperator } from '../../../operator/operator.ts'
import { MillraceError } from '../../../runtime/model/errors.ts'
import { countsSpec, jobConnectors, OperatorWorld } from '../../harness/operator-world.ts'
import { silentLogger } from '../../harness/silent-logger.ts'

const HANGING = 100
/** As long as the client waits for a coordinator. */
const TIMEOUT_MS = 5_000
const EDITED = 'edited'

/** A hundred jobs whose coordinators accept connections and never answer, and one that is suspended. */
async function hangingCluster(): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  const hangs = (): Promise<never> =>
    new Promise((_, reject) => {
      world.clock.after(TIMEOUT_MS, () => {
        reject(new MillraceError('COORDINATOR_UNREACHABLE', 'no answer', { domain: 'platform', retriable: true }))
      })
    })
  const jobClient: JobClient = {
    report: hangs,
    reportUnlike: hangs,
    putTarget: hangs,
    putAutoscaler: hangs,
    requestSavepoint: hangs,
    savepoint: hangs,
    deleteSavepoint: hangs,
  }
  for (const name of [...Array.from({ length: HANGING }, (_, index) => `job-${index}`), EDITED])
    await world.kube.create(streamJobs, {
      apiVersion: API_VERSION,
      kind: 'StreamJob',
      metadata: { namespace: 'shop', name, uid: `uid-of-${name}` },
      spec: countsSpec({ replicas: 1, desiredState: name === EDITED ? 'Suspended' : 'Running' }),
    })
  startOperator({
    kube: world.kube,
    clock: world.clock,
    rng: { next: () => 0.5, id: () => 'x' },
    logger: silentLogger,
    connectors: jobConnectors,
    jobClient,
    druids: () => ({ find: () => undefined }),
    settings: {
      tokenKeys: world.tokenKeys,
      rolloutLimit: 1,
      pods: {
        image: 'millrace:1',
        imagePullPolicy: 'IfNotPresent',
        store: 'file:///checkpoints',
        addressing: 'podIP',
        encryption: 'on',
        maxSubtasks: 1000,
      },
    },
  })
  for (let step = 0; step < 60; step += 1) {
    await world.clock.advance(500)
    world.kubelet()
  }
  return world
}

test('while a hundred coordinators hang, an edit of another job is acted on within 200 ms', async () => {
  const world = await hangingCluster()
  const created = (): string[] => world.kube.calls.filter((call) => call.startsWith(`create pods ${EDITED}`))
  expect(created()).toEqual([])
  world.kube.update(streamJobs, { namespace: 'shop', name: EDITED }, (job) => {
    job.spec.desiredState = 'Running'
  })
  await world.clock.advance(200)
  expect(created()).not.toEqual([])
})
