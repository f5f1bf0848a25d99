import { describe, expect, test } from 'vitest'
import type { StreamJobSpec } from '../../../../operator/api/stream-job.ts'
import { readSpec } from '../../../../operator/streamjob/wanted.ts'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import type { KubeEvent } from '../../../../operator/kube/objects.ts'
import { countsSpec, OperatorWorld } from '../../../harness/operator-world.ts'

/** What an API server takes of a condition; a status with a longer one is refused as a whole. */
const MOST_OF_A_CONDITION = 32_768
const LONG = 'z'.repeat(100_000)

const repeated = (count: number, textOf: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => textOf(index)).join('')

const env = (count: number): object[] =>
  Array.from({ length: count }, (_, index) => ({ name: `E${index}`, value: 'v'.repeat(40) }))

/** The codes of what is wrong with a job that reads Kafka in this format. */
function codesOf(format: object, changes: object = {}): { code: string; message: string }[] {
  const source = { kafka: { brokers: 'k:9092', topic: 't', format } }
  const spec = {
    graph: [
      { id: 'in', source, schema: { a: 'long' } },
      { id: 'out', from: 'in', sink: 'console' },
    ],
    ...changes,
  } as unknown as StreamJobSpec
  const { problems } = readSpec(spec, builtinConnectors, { maxSubtasks: 1000, origin: 'written', reach: undefined })
  return problems.map(({ code, message }) => ({ code, message }))
}

const eventsOf = (world: OperatorWorld): KubeEvent[] =>
  [...world.kube.objects.values()].filter((one): one is KubeEvent => one.kind === 'Event')

const proto = (text: string): object => ({ protobuf: { schema: `syntax = "proto3"; ${text}` } })
const nested = (depth: number): string => `${'{"type":"array","items":'.repeat(depth)}"int"${'}'.repeat(depth)}`

describe('a spec that would hold up the operator', () => {
  test.each([
    ['env of podTemplate', { podTemplate: { spec: { containers: [{ name: 'millrace', env: env(9_000) }] } } }],
    ['env', { env: env(9_000) }],
    [
      'labels of podTemplate',
      { podTemplate: { metadata: { labels: Object.fromEntries(env(10_000).map((_, index) => [`l${index}`, 'v'])) } } },
    ],
  ])('because each of its many pods would have a large %s is refused, and no pod is made', async (_, changes) => {
    const world = new OperatorWorld()
    await world.create(countsSpec({ ...changes, maxParallelism: 400, replicas: 400 } as Partial<StreamJobSpec>))
    await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
    expect(world.job()?.status?.message).toMatch(/800 pods are made from \d+ bytes each .*PODS_TOO_LARGE/)
    expect(world.podNames()).toEqual([])
  })

  test('with a large podTemplate and a few pods is taken', async () => {
    const world = new OperatorWorld()
    await world.create(countsSpec({ podTemplate: { spec: { containers: [{ name: 'millrace', env: env(900) }] } } }))
    await world.until('running', () => world.condition('Ready') === 'True/Running')
  })

  test.each([
    ['messages in messages', proto('message M { '.repeat(20_000)), '32 parts'],
    ['oneofs in oneofs', proto(`message M { ${'oneof a { '.repeat(20_000)}`), 'nested more than 100 deep'],
    ['Avro types in Avro types', { avro: { schema: nested(20_000) } }, 'nested more than 100 deep'],
    ['a long .proto text', proto(`message M { ${repeated(30_000, (n) => `int64 f${n} = ${n + 1};`)} }`), 'characters'],
    ['a long name of a package', proto(`package ${'a.'.repeat(100)}b; message M { int64 a = 1; }`), '32 parts'],
  ])('for %s is refused', (_, format, said) => {
    const problems = codesOf(format)
    expect(problems).not.toEqual([])
    for (const { message } of problems) expect(message).toContain(said)
  })
})

describe('a spec whose own words are long', () => {
  test.each([
    ['a field', { [LONG]: 1 }],
    ['a field of podTemplate', { podTemplate: { [LONG]: 1, spec: { [LONG]: 1 } } }],
    [
      'an operator',
      {
        graph: [
          { id: 'in', source: { nexmark: {} }, [LONG]: 1 },
          { id: 'o', from: 'in', sink: 'console' },
        ],
      },
    ],
    ['the kind of a source', { graph: [{ id: 'in', source: { [LONG]: {} } }] }],
  ])('in %s is refused in a status and an Event that an API server takes', async (_, changes) => {
    const world = new OperatorWorld()
    await world.create(countsSpec(changes as Partial<StreamJobSpec>))
    await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
    const { message = '', conditions = [] } = world.job()?.status ?? {}
    expect(message).toMatch(/\[[A-Z_]+\]/)
    for (const text of [message, ...conditions.map((condition) => condition.message)])
      expect(text.length).toBeLessThan(MOST_OF_A_CONDITION)
    await world.until('told', () => eventsOf(world).some(({ reason }) => reason === 'Rejected'))
  })

  test('in an Avro union of many types is refused in a message of some length', () => {
    const schema = {
      type: 'record',
      name: 'R',
      fields: [{ name: 'a', type: Array.from({ length: 50_000 }, () => 'null') }],
    }
    const [problem] = codesOf({ avro: { schema } })
    expect(problem?.message.length).toBeLessThan(1_000)
  })

  test('in what a coordinator answers is cut in the status', async () => {
    const world = new OperatorWorld()
    world.afterReport = (report) => {
      report.error = { code: 'RECORD_REFUSED', message: LONG, domain: 'user' } as typeof report.error
    }
    await world.create()
    await world.until('told', (job) => (job?.status?.conditions ?? []).some(({ message }) => message.includes('zzz')))
    for (const { message } of world.job()?.status?.conditions ?? []) expect(message.length).toBeLessThan(5_000)
  })
})
