import { expect, test } from 'vitest'
import type { JobClient } from '../../../operator/job-client.ts'
import type { Kube } from '../../../operator/kube/kube.ts'
import { startOperator, type OperatorParts, type RunningOperator } from '../../../operator/operator.ts'
import { ManualClock, settle } from '../../harness/manual-clock.ts'
import { jobConnectors, OperatorWorld } from '../../harness/operator-world.ts'
import { silentLogger } from '../../harness/silent-logger.ts'

const WRITES = /^(create|patch|patchStatus|apply|delete|putTarget|requestSavepoint)$/
const STEP_MS = 250

/** A process that stands still when the answer to its n-th call arrives: neither that nor its timers go on. */
class Freezer {
  left = Infinity
  isFrozen = false
  hasWoken = false
  readonly writesSinceWaking: string[] = []
  #thaw: (() => void)[] = []

  around<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function' || name === 'now' || name === 'watch')
          return typeof member === 'function' ? (member.bind(target) as unknown) : member
        return async (...args: unknown[]): Promise<unknown> => {
          const what = `${String(name)} ${(args[0] as { plural?: string }).plural ?? 'coordinator'}`
          if (this.hasWoken && WRITES.test(String(name))) this.writesSinceWaking.push(what)
          const answer: unknown = await (member.apply(target, args) as Promise<unknown>)
          // Renewing the lease goes on beside a pass; only calls of passes are counted.
          if (!what.endsWith('leases') && this.left-- === 0) this.isFrozen = true
          if (this.isFrozen)
            await new Promise<void>((resolve) => {
              this.#thaw.push(resolve)
            })
          return answer
        }
      },
    })
  }

  wake(): void {
    this.isFrozen = false
    this.hasWoken = true
    for (const thaw of this.#thaw) thaw()
    this.#thaw = []
  }
}

function start(world: OperatorWorld, identity: string, ports: Pick<OperatorParts, 'kube' | 'clock' | 'jobClient'>) {
  return startOperator({
    ...ports,
    rng: { next: () => 0.5, id: () => identity },
    logger: silentLogger,
    connectors: jobConnectors,
    druids: () => ({ find: () => undefined }),
    settings: {
      tokenKeys: world.tokenKeys,
      rolloutLimit: 1,
      leaderElection: { lease: { namespace: 'ops', name: 'millrace' }, identity, onLost: () => undefined },
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
}

async function frozenAt(call: number): Promise<'not reached' | readonly string[]> {
  const world = new OperatorWorld()
  await world.create()
  const own = new ManualClock()
  const freezer = new Freezer()
  const operators: RunningOperator[] = []
  const pass = async (holds: () => boolean, most: number): Promise<boolean> => {
    for (let step = 0; step < most && !holds(); step += 1) {
      if (!freezer.isFrozen) await own.advance(STEP_MS)
      await world.clock.advance(STEP_MS)
      world.kubelet()
    }
    return holds()
  }
  const isSettled = (): boolean => {
    const { status, metadata } = world.job() ?? {}
    return (
      status?.phase === 'Running' &&
      status.observedGeneration === metadata?.generation &&
      (status?.operation ?? null) === null
    )
  }
  const edit = (replicas: number): void => {
    world.edit((spec) => {
      spec['replicas'] = replicas
    })
  }
  operators.push(
    start(world, 'a', {
      kube: freezer.around<Kube>(world.kube),
      clock: own,
      jobClient: freezer.around<JobClient>(world),
    }),
  )
  expect(await pass(isSettled, 100)).toBe(true)
  operators.push(start(world, 'b', { kube: world.kube, clock: world.clock, jobClient: world }))
  await pass(() => false, 4)
  freezer.left = call
  edit(3)
  await pass(() => freezer.isFrozen || isSettled(), 100)
  if (!freezer.isFrozen) return 'not reached'
  edit(1)
  expect(await pass(isSettled, 400), 'the other one goes on').toBe(true)

  own.setBack(world.clock.now())
  freezer.wake()
  await settle()
  await own.advance(60_000)
  await Promise.all(operators.map((operator) => operator.stop()))
  return freezer.writesSinceWaking.filter((what) => !what.endsWith('leases'))
}

test('a leader that is frozen at any call, and wakes when another one has gone on, sends no write', async () => {
  const sent: unknown[] = []
  let call = 0
  for (; ; call += 1) {
    const writes = await frozenAt(call)
    if (writes === 'not reached') break
    if (writes.length > 0) sent.push({ call, writes })
  }
  expect(sent).toEqual([])
  expect(call).toBeGreaterThan(20)
})
