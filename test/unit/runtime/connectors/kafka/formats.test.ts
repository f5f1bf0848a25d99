import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import { beforeEach, expect, test } from 'vitest'
import { kafkaConnector } from '../../../../../runtime/connectors/kafka/connector.ts'
import { declaration } from '../../../../../runtime/connectors/kafka/declaration.ts'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import type { Row } from '../../../../../runtime/model/schema.ts'
import type { Ports } from '../../../../../runtime/ports/ports.ts'
import { VirtualKafka } from '../../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { schemaOf } from '../../../../harness/formats.ts'
import { sinkContext, sourceContext } from '../../../../harness/kafka/connector-contexts.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'
import { registryPorts } from '../../../../harness/schema-registry.ts'

const PROTO = 'syntax = "proto3"; message R { int64 id = 1; optional string name = 2; repeated string tags = 3; }'
const REGISTRY = 'http://registry:8081'
const SCHEMA = schemaOf({ id: 'long', name: 'string?', tags: 'array<string>' })

let kafka: VirtualKafka
let ports: Ports
let registry: ReturnType<typeof registryPorts>

beforeEach(() => {
  kafka = new VirtualKafka()
  kafka.createTopic('t', 1)
  registry = registryPorts()
  ports = Object.defineProperty(jumpingPorts(), 'httpClient', { value: registry.ports.httpClient })
})

async function write(format: unknown, rows: readonly Row[], attempt: number, schema = SCHEMA): Promise<void> {
  const sink = kafkaConnector((options) => kafka.connect(options)).sink({ brokers: 'k:9092', topic: 't', format })
  const writer = sink.writer({ ...sinkContext(ports, { attempt }), schema })
  await writer.open([])
  await writer.write(new RowBatch([...rows]))
  await writer.commit?.(await writer.prepareCommit(attempt))
  await writer.close()
}

/** Reads all, stopping and going on from the snapshot after each `atOnce` rows. */
async function readAll(format: unknown, atOnce: number): Promise<{ rows: Row[]; bad: number }> {
  const connector = kafkaConnector((options) => kafka.connect(options))
  const source = connector.source({ brokers: 'k:9092', topic: 't', bounded: true, format })
  const context = { ...sourceContext(ports), schema: SCHEMA }
  let splits = await source.enumerator(context).discover([], 1)
  const rows: Row[] = []
  for (;;) {
    const reader = source.reader(context, compileRowClass(SCHEMA))
    await reader.open(splits)
    for (let given = 0; given < atOnce && !reader.isFinished(); ) {
      const batch = await reader.poll(atOnce - given)
      given += batch?.batch.count ?? 0
      rows.push(...(batch?.batch.rows() ?? []).map((row) => ({ ...row })))
    }
    splits = reader.snapshot()
    const isFinished = reader.isFinished()
    await reader.close()
    if (isFinished) return { rows, bad: context.reported.bad.length }
  }
}

const ROWS = Array.from({ length: 20 }, (_, id) => ({
  id,
  name: id % 3 === 0 ? null : `ž${id}`,
  tags: Array.from({ length: id % 4 }, (_unused, tag) => `t"${tag}`),
}))

test.each([
  ['json'],
  [{ csv: { delimiter: ';' } }],
  ['avro'],
  [{ avro: { registry: REGISTRY } }],
  [{ protobuf: { schema: PROTO } }],
  [{ protobuf: { schema: PROTO, registry: REGISTRY } }],
] as unknown[][])('what the sink writes as %j the source reads, over any number of stops', async (format) => {
  await write(format, ROWS, 1)
  for (const atOnce of [100, 7, 1]) expect(await readAll(format, atOnce)).toEqual({ rows: ROWS, bad: 0 })
})

test('when a producer goes on to another schema, the source looks it up and goes on', async () => {
  const avro = { avro: { registry: REGISTRY } }
  await write(avro, ROWS.slice(0, 5), 1)
  await write(
    avro,
    ROWS.slice(5, 10).map((row) => ({ more: 1.5, ...row })),
    2,
    schemaOf({ more: 'double', id: 'long', tags: 'array<string>', name: 'string?' }),
  )
  await write('raw', [{ record: 'no Avro' }], 3, schemaOf({ record: 'string' }))
  await write(avro, ROWS.slice(10), 4)
  expect(registry.subjects.get('t-value')).toEqual([1, 2, 1])
  for (const atOnce of [100, 3]) expect(await readAll(avro, atOnce)).toEqual({ rows: ROWS, bad: 1 })
})

test('when the registry is down, no record is skipped: reading fails and can be tried again', async () => {
  const avro = { avro: { registry: REGISTRY } }
  await write(avro, ROWS, 1)
  registry.isDown = true
  await expect(readAll(avro, 100)).rejects.toMatchObject({ code: 'REGISTRY_UNAVAILABLE', retriable: true })
  registry.isDown = false
  expect((await readAll(avro, 100)).rows).toEqual(ROWS)
})

test('when the format cannot carry the schema, the check names the option', () => {
  const check = declaration.sink?.checkSchema
  expect(check?.({ brokers: 'k:1', topic: 't', format: 'raw' }, SCHEMA)).toMatchObject([{ path: 'format' }])
  expect(
    check?.({ brokers: 'k:1', topic: 't', format: { protobuf: { schema: PROTO } } }, schemaOf({ other: 'long' })),
  ).toMatchObject([{ path: 'format' }])
  expect(check?.({ brokers: 'k:1', topic: 't' }, SCHEMA)).toEqual([])
})
