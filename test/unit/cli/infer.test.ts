import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { infer } from '../../../cli/infer.ts'
import { AvroWriter } from '../../../runtime/formats/avro-file-writer.ts'
import { loadRecordCodecs } from '../../../runtime/connectors/kit/record-codecs.ts'
import { RecordBatchWriter } from '../../../runtime/connectors/kafka/record-batch-writer.ts'
import { VirtualKafka } from '../../../runtime/connectors/kafka/virtual/cluster.ts'
import { schemaOf } from '../../harness/formats.ts'
import { jumpingPorts } from '../../harness/kafka/jumping-clock.ts'
import { quietPorts } from '../../harness/source-context.ts'

await loadRecordCodecs()

const RECORDS = [
  '{"id":1,"at":"2001-01-01T00:00:05Z","address":{"city":"Brno"},"a b":1}',
  '{"id":2.5,"at":"2001-01-01T00:00:01Z","address":{"city":"Praha","zip":1}}',
]
const kafka = new VirtualKafka()
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-infer-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

async function said(from: string, brokers?: string, output: 'text' | 'json' = 'text'): Promise<string> {
  let out = ''
  const ports = brokers === undefined ? quietPorts() : jumpingPorts()
  expect(
    await infer(
      { from, brokers, output },
      {
        ports,
        connect: (options) => kafka.connect(options),
        out: (text) => {
          out += text
        },
      },
    ),
  ).toBe(0)
  return out
}

describe('millrace infer', () => {
  test('of JSON lines it prints a schema block with the likely event time', async () => {
    const path = join(folder, 'x.jsonl')
    await writeFile(path, RECORDS.join('\n'))
    expect(await said(path)).toBe(`# from 2 records of ${path}
schema:
  id: double
  at: timestamp
  address: 'row{city: string, zip: long?}'
eventTime: { field: at, outOfOrderness: 4s }
# left out, no name of a field: "a b"
`)
  })

  test('of a file of Avro it prints what the schema in it says, and the time that is most in order', async () => {
    const schema = schemaOf({
      id: 'long',
      price: 'decimal(9,2)?',
      seen: 'timestamp',
      at: 'timestamp',
      tags: 'array<string>',
    })
    const writer = new AvroWriter(schema, Buffer.alloc(16, 1))
    for (const [id, seen] of [9000, 1000, 5000].entries())
      writer.add({ id, price: null, seen, at: 1000 * id, tags: [] })
    const path = join(folder, 'x.avro')
    await writeFile(path, writer.take())
    expect(await said(path)).toBe(`# from 3 records of ${path}
# format: avro
schema:
  id: long
  price: 'decimal(9,2)?'
  seen: timestamp
  at: timestamp
  tags: 'array<string>'
eventTime: { field: at }
`)
  })

  test('of CSV it takes the names from the first line and finds the delimiter', async () => {
    const path = join(folder, 'x.csv')
    await writeFile(path, 'a;b\r\n1;"x;y"\r\n;z\r\n')
    expect(JSON.parse(await said(path, undefined, 'json'))).toEqual({
      records: 2,
      schema: { a: 'long?', b: 'string' },
      eventTime: null,
      leftOut: [],
      broken: 0,
    })
    expect(await said(path)).toContain("# format: { csv: { header: true, delimiter: ';' } }\nschema:\n")
  })

  test('of a topic it reads what is there now', async () => {
    kafka.createTopic('t', 1)
    const batch = new RecordBatchWriter(64)
    for (const record of RECORDS) batch.append(null, Buffer.from(record), 1_700_000_000_000)
    const { producerId, epoch } = kafka.initProducerId(null)
    kafka.produce(1, null, [
      {
        topic: 't',
        partition: 0,
        batch: batch.finish({ producerId, epoch, sequence: 0, transactional: false }, 'none'),
      },
    ])
    expect(await said('t', 'k:9092')).toContain('  id: double\n')
  })

  test('a record that cannot be read is left out and named, as a source does', async () => {
    const path = join(folder, 'x.jsonl')
    await writeFile(path, `${RECORDS.join('\n')}\n{"id":`)
    const text = await said(path)
    expect(text).toContain('# from 2 records')
    expect(text).toContain(`# left out, could not be read: ${path} line 3 is not JSON: {"id":\n`)
  })

  test('a folder is refused', async () => {
    await expect(said(folder)).rejects.toMatchObject({ code: 'FILE_MISSING' })
  })

  test.each([
    ['none.jsonl', undefined, 'FILE_MISSING'],
    ['empty.jsonl', '', 'SAMPLE_EMPTY'],
    ['bad.jsonl', '{"a"\n{a}', 'RECORD_INVALID'],
  ])('%s is refused', async (name, text, code) => {
    const path = join(folder, name)
    if (text !== undefined) await writeFile(path, text)
    await expect(said(path)).rejects.toMatchObject({ code })
  })
})
