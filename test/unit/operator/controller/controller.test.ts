import { expect, onTestFinished, test } from 'vitest'
import { streamJobs, API_VERSION } from '../../../../operator/api/stream-job.ts'
import { type Aside, Controller, type ReconcileResult } from '../../../../operator/controller/controller.ts'
import { OperatorMetrics } from '../../../../operator/controller/metrics.ts'
import { FakeKube } from '../../../harness/fake-kube.ts'
import { ManualClock, settle } from '../../../harness/manual-clock.ts'
import { countsSpec, REF } from '../../../harness/operator-world.ts'
import { silentLogger } from '../../../harness/silent-logger.ts'

/** A controller over one job, and how many passes it has made. */
class World {
  readonly clock = new ManualClock()
  readonly kube = new FakeKube(() => this.clock.now())
  readonly metrics = new OperatorMetrics()
  passes = 0
  /** Of the pass under way. */
  aside: Aside = (wait) => wait()
  /** What a pass does. */
  pass: () => Promise<ReconcileResult> = () => Promise.resolve({})
  readonly #controller = new Controller(
    {
      kube: this.kube,
      clock: this.clock,
      rng: { next: () => 0, id: () => 'x' },
      logger: silentLogger,
      metrics: this.metrics,
    },
    {
      name: 'streamjob',
      resource: streamJobs,
      reconcile: (_, aside) => {
        this.aside = aside
        this.passes += 1
        return this.pass()
      },
    },
  )

  async start(): Promise<void> {
    const metadata = { ...REF, uid: 'uid' }
    await this.kube.create(streamJobs, { apiVersion: API_VERSION, kind: 'StreamJob', metadata, spec: countsSpec() })
    this.#controller.watch()
    this.#controller.begin()
    onTestFinished(() => this.#controller.stop())
    await this.quiet()
  }

  /** Of all passes, in seconds. */
  async durations(): Promise<{ whole: number; own: number }> {
    const text = await this.metrics.registry.metrics()
    const sum = (name: string): number =>
      Number(new RegExp(`^millrace_operator_${name}_duration_seconds_sum\\{.*\\} (.+)$`, 'm').exec(text)?.[1])
    return { whole: sum('reconcile'), own: sum('reconcile_own') }
  }

  /** Until no pass has been made for a while of turns. */
  async quiet(): Promise<void> {
    for (let before = -1; before !== this.passes; ) {
      before = this.passes
      for (let turn = 0; turn < 5; turn += 1) await settle()
    }
  }

  /** Writes down what it saw, and says whether anything is left to do. */
  async note(isSettled: boolean): Promise<ReconcileResult> {
    const { metadata } = await this.kube.patchStatus(streamJobs, REF, { status: { restarts: this.passes } })
    await settle()
    return isSettled ? { settledAt: metadata.resourceVersion ?? '' } : {}
  }

  edit(): void {
    this.kube.update(streamJobs, REF, (job) => {
      job.spec.replicas = 3
    })
  }
}

test('when a pass has only written down what it saw, what it wrote makes no other pass', async () => {
  const world = new World()
  world.pass = () => world.note(true)
  await world.start()
  expect(world.passes).toBe(1)
})

test('when a pass has something left to do, what it wrote makes another pass', async () => {
  const world = new World()
  world.pass = () => world.note(world.passes > 1)
  await world.start()
  expect(world.passes).toBe(2)
})

test('when somebody changes the object after a settled pass, another pass is made', async () => {
  const world = new World()
  world.pass = () => world.note(true)
  await world.start()
  world.edit()
  await world.quiet()
  expect(world.passes).toBe(2)
})

test('when somebody changes the object behind what a pass wrote, before it ends, another pass is made', async () => {
  const world = new World()
  world.pass = async () => {
    const result = await world.note(true)
    if (world.passes === 1) world.edit()
    return result
  }
  await world.start()
  expect(world.passes).toBe(2)
})

test('when the object is found gone after a gap in the watch, another pass is made', async () => {
  const world = new World()
  world.pass = () => (world.passes > 1 ? Promise.resolve({}) : world.note(true))
  await world.start()
  world.kube.objects.clear()
  world.kube.endWatches({ kind: 'gone' })
  await world.quiet()
  expect(world.passes).toBe(2)
})

test('when a pass waits aside, its own duration does not count the wait', async () => {
  const world = new World()
  world.pass = async () => {
    await world.clock.advance(3)
    await world.aside(() => world.clock.advance(40))
    return {}
  }
  await world.start()
  expect(await world.durations()).toEqual({ whole: 0.043, own: 0.003 })
})
