import { describe, expect, test } from 'vitest'
import { API_VERSION } from '../../../../operator/api/stream-job.ts'
import { KubeError } from '../../../../operator/kube/errors.ts'
import { networkPolicies } from '../../../../operator/resources/network-policy.ts'
import type { NetworkPolicy } from '../../../../operator/resources/network-policy.ts'
import { OperatorWorld, REF } from '../../../harness/operator-world.ts'

const POLICY = { namespace: REF.namespace, name: `${REF.name}-pods` }
const OPERATOR = { podSelector: { matchLabels: { app: 'operator' } } }
const OF_JOB = { matchLabels: { 'millrace.dev/job': REF.name } }

async function worldWith(network: OperatorWorld['network']): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  world.network = network
  await world.create()
  return world
}

const policyIn = (world: OperatorWorld): NetworkPolicy | undefined => world.kube.peek(networkPolicies, POLICY)
const callsFor = (world: OperatorWorld): string[] => world.kube.calls.filter((call) => call.includes(POLICY.name))

describe('the NetworkPolicy of a job', () => {
  test('is there before its first pod, and lets in its own pods and, over HTTP, who is named', async () => {
    const world = await worldWith({ http: [OPERATOR] })
    await world.untilRunning()
    const creations = world.kube.calls.filter((call) => /^create (networkpolicies|pods)/.test(call))
    expect(creations[0]).toContain('networkpolicies')
    expect(policyIn(world)).toMatchObject({
      metadata: { ownerReferences: [{ apiVersion: API_VERSION, kind: 'StreamJob', name: REF.name }] },
      spec: {
        podSelector: OF_JOB,
        policyTypes: ['Ingress'],
        ingress: [{ from: [{ podSelector: OF_JOB }] }, { from: [OPERATOR], ports: [{ protocol: 'TCP', port: 8081 }] }],
      },
    })
  })

  test('with nobody named has no rule without peers, which would let everybody in', async () => {
    const world = await worldWith({ http: [] })
    await world.untilRunning()
    expect(policyIn(world)?.spec['ingress']).toEqual([{ from: [{ podSelector: OF_JOB }] }])
  })

  test('with rules for egress allows these, its own pods and DNS', async () => {
    const kafka = { to: [{ ipBlock: { cidr: '10.1.0.0/16' } }] }
    const world = await worldWith({ http: [], egress: [kafka] })
    await world.untilRunning()
    expect(policyIn(world)?.spec).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      egress: [
        { to: [{ podSelector: OF_JOB }] },
        {
          ports: [
            { protocol: 'UDP', port: 53 },
            { protocol: 'TCP', port: 53 },
          ],
        },
        kafka,
      ],
    })
  })

  test('is asked for once by an operator, not in every pass', async () => {
    const world = await worldWith({ http: [] })
    world.isForgetful = false
    world.restartOperator()
    await world.untilRunning()
    const before = callsFor(world).length
    for (let pass = 0; pass < 5; pass += 1) await world.pass()
    expect(callsFor(world)).toHaveLength(before)
    expect(before).toBeGreaterThan(0)
  })

  test('follows the settings of a newer operator while the job runs, and goes when they say off', async () => {
    const world = await worldWith(undefined)
    await world.untilRunning()
    expect(policyIn(world)).toBeUndefined()
    world.network = { http: [OPERATOR] }
    await world.pass()
    expect(policyIn(world)?.spec['ingress']).toHaveLength(2)
    world.network = { http: [] }
    await world.pass()
    expect(policyIn(world)?.spec['ingress']).toHaveLength(1)
    world.network = 'off'
    await world.pass()
    expect(policyIn(world)).toBeUndefined()
  })

  test('that is refused keeps the first pods from being created, and is reported', async () => {
    const world = await worldWith({ http: [] })
    world.kube.admit = ({ kind }) => {
      if (kind === 'NetworkPolicy') throw new KubeError('not here', { status: 403, reason: 'Forbidden' })
    }
    for (let pass = 0; pass < 5; pass += 1) await world.pass()
    expect(world.podNames()).toEqual([])
    expect(world.condition('Stalled')).toBe('True/NetworkPolicyRefused')
  })

  test('that is refused for a job that runs is reported, and the job runs on', async () => {
    const world = await worldWith(undefined)
    await world.untilRunning()
    world.network = { http: [] }
    world.kube.admit = ({ kind }) => {
      if (kind === 'NetworkPolicy') throw new KubeError('not here', { status: 403, reason: 'Forbidden' })
    }
    await world.pass()
    expect(await world.eventReasons()).toContain('NetworkPolicyRefused')
    expect(world.job()?.status?.phase).toBe('Running')
  })

  test('of that name which belongs to somebody else is left as it is, and no pod is created', async () => {
    const world = await worldWith({ http: [] })
    const foreign: NetworkPolicy = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: POLICY,
      spec: { podSelector: {} },
    }
    await world.kube.create(networkPolicies, foreign)
    for (let pass = 0; pass < 5; pass += 1) await world.pass()
    expect(policyIn(world)?.spec).toEqual(foreign.spec)
    expect(world.podNames()).toEqual([])
    expect(world.condition('Stalled')).toBe('True/NameTaken')
  })
})
