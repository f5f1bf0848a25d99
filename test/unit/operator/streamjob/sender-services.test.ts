import { describe, expect, test } from 'vitest'
import { networkPolicies } from '../../../../operator/resources/network-policy.ts'
import { senderServiceName } from '../../../../operator/resources/sender-service.ts'
import { services } from '../../../../operator/kube/resource-type.ts'
import type { Service } from '../../../../operator/kube/objects.ts'
import { OperatorWorld, REF } from '../../../harness/operator-world.ts'

const SERVICE = { namespace: REF.namespace, name: `${REF.name}-events-in` }

function graphOn(port: number): object[] {
  return [
    { id: 'events', source: { webhook: { port, log: 'none' } }, schema: { id: 'string' } },
    { id: 'out', from: 'events', sink: { console: {} } },
  ]
}

async function worldOn(port: number): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  world.network = { http: [] }
  world.isForgetful = false
  world.restartOperator()
  await world.create({ graph: graphOn(port) })
  await world.untilRunning()
  return world
}

const serviceIn = (world: OperatorWorld): Service | undefined => world.kube.peek(services, SERVICE)
const openPorts = (world: OperatorWorld): unknown => {
  const policy = world.kube.peek(networkPolicies, { namespace: REF.namespace, name: `${REF.name}-pods` })
  return (policy?.spec['ingress'] as object[] | undefined)?.at(-1)
}

describe('a source that listens', () => {
  test('has a Service over the pods of its chain and an open port, before its first pod', async () => {
    const world = await worldOn(8088)
    expect(serviceIn(world)).toMatchObject({
      metadata: { ownerReferences: [{ name: REF.name }] },
      spec: {
        selector: { 'millrace.dev/job': REF.name, 'millrace.dev/role': 'worker', 'millrace.dev/chain': 'events' },
        ports: [{ name: 'in-8088', port: 8088, targetPort: 8088, protocol: 'TCP' }],
      },
    })
    expect(openPorts(world)).toEqual({ ports: [{ protocol: 'TCP', port: 8088 }] })
    const writes = world.kube.calls.filter((call) => /^create (services|pods)/.test(call))
    expect(writes[0]).toContain('services')
    expect(writes[0]).toContain('services')
  })

  test('is reached by the peers that the settings name, and by nobody when they name none', async () => {
    const world = await worldOn(8088)
    const ingress = { podSelector: { matchLabels: { app: 'ingress' } } }
    world.network = { http: [], senders: [ingress] }
    world.restartOperator()
    await world.pass()
    expect(openPorts(world)).toEqual({ from: [ingress], ports: [{ protocol: 'TCP', port: 8088 }] })
    world.network = { http: [], senders: [] }
    world.restartOperator()
    await world.pass()
    // a rule with an empty list of peers would let everybody in
    expect(openPorts(world)).not.toHaveProperty('ports')
  })

  test('keeps both up with its port, and loses them with the source', async () => {
    const world = await worldOn(8088)
    world.edit((spec) => (spec['graph'] = graphOn(8089)))
    await world.untilRunning()
    await world.pass()
    expect(serviceIn(world)?.spec).toMatchObject({ ports: [{ port: 8089 }] })
    expect(openPorts(world)).toEqual({ ports: [{ protocol: 'TCP', port: 8089 }] })
    world.edit((spec) => {
      spec['graph'] = [
        { id: 'events', source: { nexmark: {} }, schema: { id: 'string' } },
        { id: 'out', from: 'events', sink: { console: {} } },
      ]
    })
    await world.untilRunning()
    await world.pass()
    expect(serviceIn(world)).toBeUndefined()
    expect(openPorts(world)).not.toHaveProperty('ports')
  })

  test('leaves a Service of that name that belongs to somebody else, and says so', async () => {
    const world = new OperatorWorld()
    const foreign: Service = { apiVersion: 'v1', kind: 'Service', metadata: SERVICE, spec: { selector: {} } }
    await world.kube.create(services, foreign)
    await world.create({ graph: graphOn(8088) })
    for (let pass = 0; pass < 5; pass += 1) await world.pass()
    expect(serviceIn(world)?.spec).toEqual(foreign.spec)
    expect(world.condition('Stalled')).toBe('True/NameTaken')
  })
})

test('the name of a Service is never longer than a name may be, and differs where it was cut', () => {
  const [one, other] = ['a', 'b'].map((end) => senderServiceName('j'.repeat(50), `${'o'.repeat(29)}${end}`))
  expect(one?.length).toBe(63)
  expect(one).not.toBe(other)
  expect(senderServiceName('orders', 'events')).toBe('orders-events-in')
})
