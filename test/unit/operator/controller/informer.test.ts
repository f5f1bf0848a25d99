import { describe, expect, test } from 'vitest'
import { Informer, type InformerOptions } from '../../../../operator/controller/informer.ts'
import { OperatorMetrics } from '../../../../operator/controller/metrics.ts'
import { KubeError } from '../../../../operator/kube/errors.ts'
import type { WatchEvent } from '../../../../operator/kube/kube.ts'
import type { Pod } from '../../../../operator/kube/objects.ts'
import { pods } from '../../../../operator/kube/resource-type.ts'
import { FakeKube } from '../../../harness/fake-kube.ts'
import { ManualClock, settle } from '../../../harness/manual-clock.ts'
import { silentLogger } from '../../../harness/silent-logger.ts'

const ref = (name: string): { namespace: string; name: string } => ({ namespace: 'shop', name })
const pod = (name: string): Pod => ({ apiVersion: 'v1', kind: 'Pod', metadata: ref(name), spec: {} })

async function started(
  names: string[] = [],
  kept?: (object: Pod) => Pod,
  more: Partial<InformerOptions<Pod>> & { kube?: FakeKube; clock?: ManualClock } = {},
): Promise<{ kube: FakeKube; clock: ManualClock; informer: Informer<Pod>; seen: string[]; told: Pod[] }> {
  const { clock = new ManualClock(), kube = new FakeKube(() => clock.now()), ...options } = more
  for (const name of names) await kube.create(pods, pod(name))
  const seen: string[] = []
  const told: Pod[] = []
  const informer = new Informer<Pod>(
    { kube, clock, rng: { next: () => 0, id: () => 'x' }, logger: silentLogger, metrics: new OperatorMetrics() },
    {
      resource: pods,
      scope: { namespace: 'shop' },
      onChange: (object) => {
        seen.push(object.metadata.name)
        told.push(object)
      },
      ...(kept === undefined ? {} : { kept }),
      ...options,
    },
  )
  informer.start()
  await settle()
  return { kube, clock, informer, seen, told }
}

describe('an informer', () => {
  test('reports what is there and then what changes', async () => {
    const { kube, seen, informer } = await started(['a'])
    await kube.create(pods, pod('b'))
    await kube.delete(pods, ref('a'))
    expect(seen).toEqual(['a', 'b', 'a'])
    expect(informer.items().map((one) => one.metadata.name)).toEqual(['b'])
    expect(informer.hasSynced()).toBe(true)
  })

  test('goes on from the last version when the server ends the watch, without a list', async () => {
    const { kube, seen } = await started(['a'])
    await kube.create(pods, pod('b'))
    kube.endWatches({ kind: 'closed' })
    await settle()
    expect(kube.calls.filter((call) => call.startsWith('list'))).toHaveLength(1)
    await kube.create(pods, pod('c'))
    expect(seen).toEqual(['a', 'b', 'c'])
  })

  test('keeps nothing of who manages which field, but tells all', async () => {
    const { kube, informer, told } = await started()
    const managedFields = [{ manager: 'kubectl' }]
    await kube.create(pods, { ...pod('a'), metadata: { ...ref('a'), managedFields } })
    expect(told.map(({ metadata }) => metadata.managedFields)).toEqual([managedFields])
    expect(informer.find(ref('a'))?.metadata).not.toHaveProperty('managedFields')
  })

  test('keeps what it is told to', async () => {
    const { kube, informer } = await started([], ({ apiVersion, kind, metadata }) => ({
      apiVersion,
      kind,
      metadata,
      spec: {},
    }))
    await kube.create(pods, { ...pod('a'), spec: { nodeName: 'n' } })
    expect(informer.find(ref('a'))?.spec).toEqual({})
  })

  test('lists again after 410 and tells what vanished in the gap', async () => {
    const { kube, seen, informer } = await started(['a', 'b'])
    kube.objects.delete('pods/shop/a')
    kube.endWatches({ kind: 'gone' })
    await settle()
    expect(seen).toEqual(['a', 'b', 'a'])
    expect(informer.items().map((one) => one.metadata.name)).toEqual(['b'])
  })

  test('tries again with back-off when the API server does not answer', async () => {
    const { kube, clock, seen } = await started()
    let refusals = 2
    kube.before = () => {
      if (refusals-- > 0) throw new Error('connection refused')
    }
    kube.endWatches({ kind: 'failed', error: new Error('reset') })
    await settle()
    await clock.advance(5_000)
    await kube.create(pods, pod('late'))
    expect(seen).toContain('late')
  })

  test('keeps the newer state of an object when a late list shows an older one', async () => {
    const { kube, informer } = await started(['a'])
    const old = structuredClone(kube.peek(pods, ref('a')))
    kube.update(pods, ref('a'), (one) => {
      one.metadata.labels = { is: 'new' }
    })
    if (old !== undefined) kube.objects.set('pods/shop/a', old)
    kube.endWatches({ kind: 'gone' })
    await settle()
    expect(informer.items()[0]?.metadata.labels).toEqual({ is: 'new' })
  })

  test('that is stopped reports no more', async () => {
    const { kube, seen, informer } = await started(['a'])
    informer.stop()
    await kube.create(pods, pod('b'))
    expect(seen).toEqual(['a'])
  })

  test('backs off from a server that ends every watch at once', async () => {
    const { kube, clock } = await started(['a'])
    const watch = kube.watch.bind(kube)
    kube.watch = (resource, options, onEvent) => {
      const begun = watch(resource, options, onEvent)
      begun.stop()
      return begun
    }
    kube.endWatches({ kind: 'closed' })
    await clock.advance(60_000)
    expect(kube.calls.filter((call) => call.startsWith('watch')).length).toBeLessThan(15)
  })

  test('lists again after a refusal not before the server wants it', async () => {
    const { kube, clock } = await started(['a'])
    kube.endWatches({
      kind: 'failed',
      error: new KubeError('too many', { status: 429, reason: 'TooManyRequests', retryAfterMs: 7_000 }),
    })
    const lists = (): number => kube.calls.filter((call) => call.startsWith('list')).length
    await clock.advance(6_999)
    expect(lists()).toBe(1)
    await clock.advance(1)
    expect(lists()).toBe(2)
  })

  test('keeps an answer that is newer than what the watch has told, and not an older one', async () => {
    const { kube, informer } = await started(['a'])
    const old = structuredClone(kube.peek(pods, ref('a')) as Pod)
    informer.learn(versioned('a', { version: 7, labels: { is: 'new' } }))
    informer.learn(old)
    expect(informer.find(ref('a'))?.metadata.labels).toEqual({ is: 'new' })
  })

  test('tells an answer like a change, and not once more when the watch tells it', async () => {
    const { kube, informer, seen } = await started()
    const answer = await kube.create(pods, pod('a'))
    informer.learn(answer)
    expect(seen).toEqual(['a'])
  })

  test('does not take back what has gone since its answer was sent', async () => {
    const { kube, informer } = await started()
    const answer = await kube.create(pods, pod('a'))
    await kube.delete(pods, ref('a'))
    informer.learn(answer)
    expect(informer.items()).toEqual([])
  })

  test('keeps a namesake that it knows when the end of the one before is told late', async () => {
    const clock = new ManualClock()
    const kube = new FakeKube(() => clock.now())
    const tellers: ((event: WatchEvent<Pod>) => void)[] = []
    kube.watch = (_, __, onEvent) => {
      tellers.push(onEvent as unknown as (event: WatchEvent<Pod>) => void)
      return { ended: new Promise(() => undefined), stop: () => undefined }
    }
    const { informer } = await started(['a'], undefined, { kube, clock })
    informer.learn(versioned('a', { version: 9, uid: 'second' }))
    tellers[0]?.({ type: 'DELETED', object: versioned('a', { version: 8, uid: 'first' }) })
    expect(informer.find(ref('a'))?.metadata.uid).toBe('second')
  })

  test.each([
    ['', {}, true],
    ['job', { job: 'x' }, true],
    ['job', {}, false],
    ['!class', {}, true],
    ['!class', { class: 'blue' }, false],
    ['class=blue', { class: 'blue' }, true],
    ['class=blue', { class: 'green' }, false],
    ['class=blue', { constructor: 'blue' }, false],
  ])('with the selector %j keeps an answer with the labels %j: %j', async (labelSelector, labels, isKept) => {
    const { informer } = await started([], undefined, { scope: { namespace: 'shop', labelSelector } })
    informer.learn(versioned('a', { version: 9, labels }))
    expect(informer.items().length === 1).toBe(isKept)
  })

  test('finds objects under the keys that they have now', async () => {
    const { kube, informer } = await started(['a'], undefined, {
      keys: (one) => Object.keys(one.metadata.labels ?? {}),
    })
    const label = (labels: Record<string, string>): void => {
      kube.update(pods, ref('a'), (one) => {
        one.metadata.labels = labels
      })
    }
    const under = (): number[] => ['x', 'y'].map((key) => informer.under(key).length)
    label({ x: '1' })
    expect(under()).toEqual([1, 0])
    label({ y: '1' })
    expect(under()).toEqual([0, 1])
    await kube.delete(pods, ref('a'))
    expect(under()).toEqual([0, 0])
  })
})

function versioned(
  name: string,
  { version, uid = 'uid', labels = {} }: { version: number; uid?: string; labels?: Record<string, string> },
): Pod {
  return { ...pod(name), metadata: { ...ref(name), uid, labels, resourceVersion: String(version) } }
}
