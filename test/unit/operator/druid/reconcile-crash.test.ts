import { afterEach, beforeEach, expect, test } from 'vitest'
import { UNCONTESTED } from '../../../../operator/controller/leadership.ts'
import { configuredDruids } from '../../../../operator/druid/configured-druids.ts'
import type { DruidDatasource } from '../../../../operator/druid/druid-datasource.ts'
import { druidReconciler } from '../../../../operator/druid/reconcile.ts'
import { conditionOf } from '../../../../operator/druid/status.ts'
import type { Kube } from '../../../../operator/kube/kube.ts'
import { FakeDruid } from '../../../harness/fake-druid.ts'
import { OneObjectKube } from '../../../harness/one-object-kube.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

class Crash extends Error {}

/** The operator process dies at its n-th call to the outside, before or after the call was carried out. */
class CrashAt {
  readonly #left: { calls: number }
  readonly #when: 'before' | 'after'

  constructor(call: number, when: 'before' | 'after') {
    this.#left = { calls: call }
    this.#when = when
  }

  get happened(): boolean {
    return this.#left.calls <= 0
  }

  around<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name, target)
        if (typeof method !== 'function' || name === 'now') return method
        return async (...args: unknown[]): Promise<unknown> => {
          if (this.happened) throw new Crash('a dead process makes no calls')
          this.#left.calls -= 1
          if (this.happened && this.#when === 'before') throw new Crash('died before the call')
          const answer: unknown = await (method.apply(target, args) as Promise<unknown>)
          if (this.happened) throw new Crash('died after the call')
          return answer
        }
      },
    })
  }
}

const ref = { namespace: 'shop', name: 'clicks' }
let druid: FakeDruid
let routerUrl: string
let now = 0

beforeEach(async () => {
  druid = new FakeDruid()
  routerUrl = await druid.start()
  now = Date.parse('2026-11-21T08:00:00Z')
})
afterEach(() => druid.stop())

/** Passes until a pass asks for no immediate other one; a crash ends it, as it ends a process. */
async function run(kube: OneObjectKube, crash?: CrashAt): Promise<void> {
  now += 60_000
  const druids = configuredDruids({ default: { routerUrl } })
  const port: Kube = kube.asKube(() => now)
  const reconcile = druidReconciler({
    kube: crash?.around(port) ?? port,
    events: kube.recorder,
    clock: { now: () => now, after: () => () => undefined, nextTurn: () => undefined },
    leadership: UNCONTESTED,
    druids: {
      client: (name) => {
        const client = druids.client(name)
        return client && (crash?.around(client) ?? client)
      },
    },
  })
  try {
    for (let pass = 0; pass < 5 && (await reconcile(ref)).requeueAfterMs === 0; ) pass += 1
  } catch (error) {
    if (!(error instanceof Crash)) throw error
  }
}

function ready(kube: OneObjectKube): string | undefined {
  return conditionOf((kube.object as DruidDatasource | undefined)?.status, 'Ready')?.reason
}

const STORIES: Readonly<Record<string, { edit: object; reason: string; restarts: number; contains: string }>> = {
  'an update': { edit: { ingestion: { taskCount: 2 } }, reason: 'Running', restarts: 1, contains: '"taskCount":2' },
  'an update that Druid refuses': {
    edit: { metrics: [{ type: 'nonsense', name: 'x' }] },
    reason: 'Rejected',
    restarts: 0,
    contains: 'longSum',
  },
  'an update that makes Druid lose the supervisor': {
    edit: { metrics: [{ type: 'deadly', name: 'x' }] },
    reason: 'Rejected',
    restarts: 0,
    contains: 'longSum',
  },
  'a suspension': { edit: { suspended: true }, reason: 'Suspended', restarts: 0, contains: 'longSum' },
}

test.each(Object.entries(STORIES))('%s ends the same wherever the operator dies on the way', async (_, story) => {
  for (const when of ['before', 'after'] as const) {
    for (let call = 1; ; call += 1) {
      druid.supervisors.clear()
      druid.history.clear()
      const kube = new OneObjectKube(sampleDatasource())
      await run(kube)
      kube.edit({ spec: story.edit })
      const crash = new CrashAt(call, when)
      await run(kube, crash)
      await run(kube)
      await run(kube)
      const supervisor = druid.supervisors.get('clicks')
      const where = `died ${when} call ${call}`
      expect({ where, reason: ready(kube), restarts: supervisor?.restarts }).toEqual({
        where,
        reason: story.reason,
        restarts: story.restarts,
      })
      expect(JSON.stringify(supervisor?.spec), where).toContain(story.contains)
      if (!crash.happened) break
    }
  }
})

test('a creation ends with one supervisor that never restarted, wherever the operator dies on the way', async () => {
  for (const when of ['before', 'after'] as const) {
    for (let call = 1; ; call += 1) {
      druid.supervisors.clear()
      druid.history.clear()
      const kube = new OneObjectKube(sampleDatasource())
      const crash = new CrashAt(call, when)
      await run(kube, crash)
      await run(kube)
      expect({ call, when, reason: ready(kube), restarts: druid.supervisors.get('clicks')?.restarts }).toEqual({
        call,
        when,
        reason: 'Running',
        restarts: 0,
      })
      if (!crash.happened) break
    }
  }
})

test('a deletion ends with a suspended supervisor and no resource, wherever the operator dies on the way', async () => {
  for (const when of ['before', 'after'] as const) {
    for (let call = 1; ; call += 1) {
      druid.supervisors.clear()
      druid.history.clear()
      const kube = new OneObjectKube(sampleDatasource())
      await run(kube)
      kube.delete(new Date(now).toISOString())
      const crash = new CrashAt(call, when)
      await run(kube, crash)
      await run(kube)
      expect({
        call,
        when,
        gone: kube.object === undefined,
        suspended: druid.supervisors.get('clicks')?.suspended,
      }).toEqual({ call, when, gone: true, suspended: true })
      if (!crash.happened) break
    }
  }
})
