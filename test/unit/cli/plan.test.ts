import { expect, test } from 'vitest'
import { plan, type Running } from '../../../cli/plan.ts'
import type { StreamJobSpec } from '../../../operator/api/stream-job.ts'
import { anyConnectors } from '../../harness/any-connectors.ts'
import { countsSpec, OperatorWorld, REF } from '../../harness/operator-world.ts'

const HOUR = { every: '1h' }

async function planned(spec: StreamJobSpec, running: Running, output: 'text' | 'json' = 'text') {
  const told = { out: '', err: '' }
  const io = {
    out: (text: string) => {
      told.out += text
    },
    err: (text: string) => {
      told.err += text
    },
  }
  return {
    code: await plan({ name: REF.name, spec, output }, running, anyConnectors('nexmark', 'console'), io),
    ...told,
  }
}

const against = (changes: object, before: object = {}) =>
  planned(countsSpec(changes), { kind: 'file', spec: countsSpec(before) }, 'json').then(({ code, out }) => ({
    code,
    ...(JSON.parse(out) as { class: string; steps: { field: string; what: string }[] }),
  }))

const { graph } = countsSpec()
const withFilter = [
  ...graph.slice(0, 1),
  { id: 'dear', from: 'bids', filter: 'price > 1' },
  { id: 'shown', from: 'dear', sink: { console: {} } },
  ...graph.slice(1),
]
const keyedOtherwise = graph.map((entry) =>
  (entry as { id: string }).id === 'hot' ? { ...(entry as object), keyBy: 'price' } : entry,
)

test.each<[string, object, object, string, string[]]>([
  ['nothing', {}, {}, 'none', []],
  ['replicas', { replicas: 3 }, {}, 'rescale', ['spec']],
  ['new operators', { graph: withFilter }, {}, 'graph', ['spec.graph', 'spec.graph']],
  ['another key', { graph: keyedOtherwise }, {}, 'incompatible', ['spec.graph']],
  ['the image', { image: 'millrace:2' }, { image: 'millrace:1' }, 'pods', ['spec.image']],
  ['a variable', { env: [{ name: 'A', value: 'secret' }] }, {}, 'pods', ['spec.env']],
  ['the interval of checkpoints', { checkpoints: { interval: '1m' } }, {}, 'graph', ['spec']],
  ['savepoints', { savepoints: HOUR }, {}, 'settings', ['spec.savepoints']],
  ['the autoscaler', { autoscaler: { maxReplicas: 4 } }, {}, 'settings', ['spec.autoscaler']],
  ['what the API server fills in', {}, { upgrade: { rollback: 'Enabled' }, desiredState: 'Running' }, 'none', []],
  ['a suspension', { desiredState: 'Suspended' }, { desiredState: 'Running' }, 'settings', ['spec.desiredState']],
  ['where it starts from', { restore: { savepoint: 's' } }, {}, 'incompatible', ['spec.restore']],
  ['image and replicas', { image: 'b', replicas: 3 }, {}, 'pods', ['spec', 'spec.image']],
])('an edit of %s is classed, and each field is named', async (_, after, before, gravest, fields) => {
  const { code, class: found, steps } = await against(after, before)
  expect([found, steps.map(({ field }) => field)]).toEqual([gravest, fields])
  expect(code).toBe(gravest === 'incompatible' ? 1 : 0)
})

test('values that may be secret are not shown', async () => {
  const { steps } = await against({ env: [{ name: 'A', value: 'secret' }] }, { env: [{ name: 'A', value: 'older' }] })
  expect(JSON.stringify(steps)).not.toMatch(/secret|older/)
})

test('a plan is a table for people, with what follows', async () => {
  const { out } = await planned(countsSpec({ image: 'b', savepoints: HOUR }), {
    kind: 'file',
    spec: countsSpec({ image: 'a' }),
  })
  expect(out).toBe(`counts: pods

  pods      spec.image       image a → b
  settings  spec.savepoints  savepoints is new

New pods start beside those that run; when they are ready, the job stops at a savepoint and goes on in them.
`)
})

test('with a cluster, an edit is compared with the spec that runs, not with one that was refused', async () => {
  const world = new OperatorWorld()
  await world.create()
  await world.untilRunning()
  world.edit((spec) => Object.assign(spec, { graph: keyedOtherwise }))
  await world.until('refused', () => world.condition('Ready').startsWith('False'))
  const cluster = { kind: 'cluster', kube: world.kube, namespace: REF.namespace } as const
  expect((await planned(countsSpec({ replicas: 3 }), cluster)).out).toContain('replicas 2 → 3')
  expect((await planned(countsSpec(), cluster)).out).toBe('counts: nothing changes.\n')
})

test('of a job that is not there it is said that it would be created', async () => {
  const cluster = { kind: 'cluster', kube: new OperatorWorld().kube, namespace: REF.namespace } as const
  expect(await planned(countsSpec(), cluster)).toEqual({
    code: 1,
    out: '',
    err: 'There is no StreamJob counts to compare with: an apply would create it.\n',
  })
})
