import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import { connector } from '../../../../runtime/connectors/file/connector.ts'
import { sinkOptions } from '../../../../runtime/connectors/file/declaration.ts'
import { MOST_BLOCK_BYTES, writeBlock, writeHeader } from '../../../../runtime/formats/avro-container.ts'
import { AvroWriter } from '../../../../runtime/formats/avro-file-writer.ts'
import { avroSchemaOf } from '../../../../runtime/formats/avro-schema.ts'
import { RowBatch } from '../../../../runtime/memory/batch.ts'
import type { MillraceError } from '../../../../runtime/model/errors.ts'
import type { Row, Schema } from '../../../../runtime/model/schema.ts'
import { expectExactRestores, readAll } from '../../../harness/connector-conformance.ts'
import { schemaOf } from '../../../harness/formats.ts'
import { sourceContext } from '../../../harness/source-context.ts'

const SCHEMA = schemaOf({ id: 'long', name: 'string?' })
const MARKER = Buffer.from('00112233445566778899aabbccddeeff', 'hex')

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-avro-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

function fileOf(schema: Schema, blocks: readonly (readonly Row[])[]): Buffer {
  const writer = new AvroWriter(schema, MARKER)
  return Buffer.concat(
    blocks.map((rows) => {
      for (const row of rows) writer.add(row)
      return writer.take()
    }),
  )
}

function numbered(from: number, count: number): Row[] {
  return Array.from({ length: count }, (_, n) => ({ id: from + n, name: n % 3 === 0 ? null : 'é'.repeat(n % 9) }))
}

interface Read {
  rows: object[]
  bad: { reason: string; where: string }[]
}

async function read(schema: Schema, split = 'x.avro:0-1000000', eventTime?: string): Promise<Read> {
  const found: Read = { rows: [], bad: [] }
  const context = {
    ...sourceContext({
      verb: {
        connector: 'file',
        ...(eventTime === undefined ? {} : { eventTime: { field: eventTime, outOfOrdernessMs: 0 } }),
      },
      schema,
      baseDir: folder,
    }),
    slot: 0,
    parallelism: 1,
    onBadRecord: (error: Error, where: string) => {
      found.bad.push({ reason: error.message, where })
    },
  }
  const reader = connector.source({ path: 'x.avro', format: 'avro' }).reader(context, compileRowClass(schema))
  await reader.open([{ id: split, position: null, finished: false }])
  while (!reader.isFinished()) {
    const rows = (await reader.poll(2))?.batch.rows() ?? []
    found.rows.push(...rows.map((row) => ({ ...row })))
  }
  await reader.close()
  return found
}

function write(bytes: Uint8Array): Promise<void> {
  return writeFile(join(folder, 'x.avro'), bytes)
}

describe('files of Avro', () => {
  test('what a sink writes, a source reads, with every type', async () => {
    const schema = schemaOf({
      id: 'long',
      price: 'decimal(9,2)',
      big: 'bigint',
      day: 'date',
      time: 'time',
      at: 'timestamp',
      raw: 'bytes',
      part: 'double?',
      yes: 'boolean',
      tags: 'array<string>',
      counts: 'map<long>',
      any: 'json?',
    })
    const rows = [1, 2, 3].map((id) => ({
      id,
      price: '-12.30',
      big: '-9007199254740993',
      day: 20_000,
      time: 86_399_999,
      at: 1_700_000_000_123,
      raw: '\0\xff',
      part: id === 2 ? null : 0.1,
      yes: id === 1,
      tags: ['a', ''],
      counts: { x: id },
      any: id === 3 ? null : { deep: [1, null, 'x'] },
    }))
    const sink = connector.sink({ path: '.', format: 'avro' }).writer({
      ...sourceContext({ verb: { connector: 'file' }, schema, baseDir: folder }),
      jobUid: 'job',
      predecessors: [],
      slot: 0,
      attempt: 1,
      stopping: new AbortController().signal,
    })
    await sink.open([])
    await sink.write(new RowBatch(rows))
    await sink.commit(await sink.prepareCommit(1))
    const [name = ''] = (await readdir(folder)).filter((file) => file.endsWith('.avro'))
    await write(await readFile(join(folder, name)))
    expect(await read(schema)).toEqual({ rows, bad: [] })
  })

  test('wherever a file is cut, every record is read by exactly one split', async () => {
    const bytes = fileOf(SCHEMA, [numbered(0, 3), numbered(3, 1), numbered(4, 8)])
    await write(bytes)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const parts = [await read(SCHEMA, `x.avro:0-${cut}`), await read(SCHEMA, `x.avro:${cut}-${bytes.length}`)]
      expect(
        parts.flatMap(({ rows }) => rows.map((row) => (row as { id: number }).id)),
        `cut at ${cut}`,
      ).toEqual(Array.from({ length: 12 }, (_, n) => n))
    }
  })

  test('any interruption with any change of parallelism gives every row once', async () => {
    for (const [index, name] of ['a', 'b', 'c'].entries())
      await writeFile(
        join(folder, `${name}.avro`),
        fileOf(SCHEMA, [numbered(index * 100, 17), numbered(index * 100 + 17, 1), numbered(index * 100 + 18, 30)]),
      )
    const context = sourceContext({ verb: { connector: 'file' }, schema: SCHEMA, baseDir: folder })
    const source = {
      connector: connector.source({ path: '*.avro', format: 'avro' }),
      context,
      maxRows: 3,
      interruptions: 25,
    }
    expect(await readAll(source)).toHaveLength(144)
    await expectExactRestores(source, 1, 3)
    await expectExactRestores(source, 3, 2)
  })

  test('fields that the job does not name are passed over, and a nullable one that the file lacks is null', async () => {
    await write(fileOf(schemaOf({ id: 'long', more: 'json?', name: 'string?' }), [[{ id: 1, more: [1], name: 'x' }]]))
    expect((await read(schemaOf({ name: 'string?', other: 'long?' }))).rows).toEqual([{ name: 'x', other: null }])
  })

  test('a record with a null that its field cannot hold is an error of that record, and the others come', async () => {
    await write(fileOf(SCHEMA, [numbered(1, 3), numbered(4, 2)]))
    const { rows, bad } = await read(schemaOf({ name: 'string', id: 'long' }))
    expect(rows.map((row) => (row as { id: number }).id)).toEqual([2, 3, 5])
    expect(bad.map(({ where }) => where)).toEqual([
      expect.stringMatching(/x\.avro, record 1 /),
      expect.stringMatching(/record 4 /),
    ])
    expect(bad[0]?.reason).toContain("field 'name'")
  })

  test('a record without event time is an error of that record', async () => {
    const schema = schemaOf({ id: 'long', at: 'timestamp?' })
    await write(
      fileOf(schema, [
        [
          { id: 1, at: null },
          { id: 2, at: 5 },
        ],
      ]),
    )
    const { rows, bad } = await read(schema, undefined, 'at')
    expect(rows).toEqual([{ id: 2, at: 5 }])
    expect(bad).toHaveLength(1)
  })
})

describe('a file that is none of Avro, or is damaged', () => {
  const HEADER = writeHeader(avroSchemaOf(SCHEMA.fields, 'Row'), MARKER)

  test.each([
    ['is empty', Buffer.alloc(0), /does not begin as files of Avro do/],
    ['is JSON', Buffer.from('{"id":1}'), /does not begin as files of Avro do/],
    ['has a codec that is not known', renamed(HEADER, 'deflate', 'bzip222'), /packed with bzip222/],
    ['has a schema of one number', renamed(HEADER, '{"type":"record"', '{"type":"recorX"'), /schema cannot be read/],
    [
      'says that a block has 2^40 records',
      Buffer.concat([HEADER, varints(2 ** 40, 10), Buffer.alloc(26)]),
      /1099511627776 records/,
    ],
    ['says that a block has -1 records', Buffer.concat([HEADER, Buffer.from([1, 2])]), /a length of -1/],
    ['has a block of 2^40 bytes', Buffer.concat([HEADER, varints(1, 2 ** 40)]), /of 1099511627776 bytes/],
    [
      'has a block that unpacks without end',
      Buffer.concat([HEADER, writeBlock(1, Buffer.alloc(MOST_BLOCK_BYTES + 1), MARKER)]),
      /a block of deflate cannot be read/,
    ],
    [
      'has a block with bytes that belong to no record',
      Buffer.concat([HEADER, writeBlock(1, Buffer.from([2, 0, 9]), MARKER)]),
      /1 bytes are left/,
    ],
    [
      'has more records than bytes in a block',
      Buffer.concat([HEADER, writeBlock(3, Buffer.from([2, 0]), MARKER)]),
      /3 records in 2 bytes/,
    ],
    [
      'has a block without the marker',
      Buffer.concat([HEADER, writeBlock(1, Buffer.from([2, 0]), Buffer.alloc(16))]),
      /does not end with the marker/,
    ],
  ])('when it %s, the error names the file and that', async (_, bytes, why) => {
    await write(bytes)
    const failure = await read(SCHEMA).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'FILE_UNREADABLE', message: expect.stringContaining('x.avro') })
    expect(String((failure as MillraceError).cause)).toMatch(why)
  })

  test('wherever it ends too early, whole blocks are read and the rest is an error', async () => {
    const bytes = fileOf(SCHEMA, [numbered(0, 3), numbered(3, 3)])
    const ends = [fileOf(SCHEMA, [numbered(0, 3)]).length, HEADER.length, bytes.length]
    for (let length = 0; length <= bytes.length; length++) {
      await write(bytes.subarray(0, length))
      const failure = await read(SCHEMA).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (ends.includes(length)) expect(failure, `${length} bytes`).toBeUndefined()
      else expect(failure, `${length} bytes`).toMatchObject({ code: 'FILE_UNREADABLE' })
    }
  })

  test('a field that the file has with another type is refused with both types', async () => {
    await write(fileOf(SCHEMA, [numbered(0, 1)]))
    await expect(read(schemaOf({ id: 'boolean' }))).rejects.toMatchObject({ code: 'AVRO_SCHEMA_MISMATCH' })
  })
})

test('compression is for files of lines', () => {
  expect(sinkOptions.check({ path: 'x', format: 'avro', compression: 'zstd' })).toMatchObject([{ path: 'compression' }])
  expect(sinkOptions.check({ path: 'x', format: 'avro' })).toEqual([])
})

test('options of records of Avro are none of its files', () => {
  expect(sinkOptions.check({ path: 'x', format: { avro: { registry: 'http://r' } } })).toMatchObject([
    { path: 'format', hint: 'write format: avro' },
  ])
})

function renamed(bytes: Buffer, from: string, to: string): Buffer {
  return Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1')
}

function varints(...numbers: number[]): Buffer {
  const bytes: number[] = []
  for (const number of numbers) {
    let rest = BigInt(number) * 2n
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
    bytes.push(Number(rest))
  }
  return Buffer.from(bytes)
}
