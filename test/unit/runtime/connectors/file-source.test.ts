import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connector } from '../../../../runtime/connectors/file/connector.ts'
import { byteRanges } from '../../../../runtime/connectors/file/line-split.ts'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import type { Schema } from '../../../../runtime/model/schema.ts'
import type { Clock } from '../../../../runtime/ports/clock.ts'
import { expectExactRestores, readAll } from '../../../harness/connector-conformance.ts'
import { bytesOf, contextOf, formatOf, schemaOf } from '../../../harness/formats.ts'
import { parquetFile } from '../../../harness/parquet-file.ts'
import { quietPorts, sourceContext } from '../../../harness/source-context.ts'

const SCHEMA: Schema = {
  fields: [
    { name: 'id', type: 'long', nullable: false },
    { name: 'at', type: 'timestamp', nullable: false },
  ],
}
const FLIGHTS: Schema = {
  fields: [
    { name: 'date', type: 'timestamp', nullable: false },
    { name: 'delay', type: 'double', nullable: true },
    { name: 'origin', type: 'string', nullable: false },
  ],
}

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-files-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

async function writeLines(name: string, first: number, count: number, separator: string): Promise<void> {
  const lines = Array.from({ length: count }, (_, index) =>
    JSON.stringify({ id: first + index, at: 1000 * (first + index), more: 'é'.repeat(index % 7) }),
  )
  await writeFile(join(folder, name), lines.join(separator))
}

const jsonSource = (...paths: readonly string[]) => connector.source({ paths, format: 'json' })
const jsonLines = jsonSource('*.jsonl')

function jsonContext() {
  return sourceContext({
    verb: { connector: 'file', eventTime: { field: 'at', outOfOrdernessMs: 0 } },
    schema: SCHEMA,
    baseDir: folder,
  })
}

describe('JSON lines', () => {
  test('any interruption with any change of parallelism gives every row once', async () => {
    await writeLines('a.jsonl', 0, 40, '\n')
    await writeLines('b.jsonl', 100, 25, '\r\n')
    await writeLines('c.jsonl', 200, 1, '\n')
    const source = { connector: jsonLines, context: jsonContext(), maxRows: 3, interruptions: 25 }
    expect(await readAll(source)).toHaveLength(66)
    await expectExactRestores(source, 1, 3)
    await expectExactRestores(source, 3, 2)
  })

  test('wherever a file is cut, every line is read by exactly one split', async () => {
    const text = '{"id":1,"at":1}\n{"id":2,"at":2}\r\n\n{"id":3,"at":3}'
    await writeFile(join(folder, 'x.jsonl'), text)
    for (let target = 1; target <= text.length; target++) {
      const ids: unknown[] = []
      for (const { start, end } of byteRanges(text.length, target)) {
        const context = { ...jsonContext(), slot: 0, parallelism: 1 }
        const reader = jsonLines.reader(context, compileRowClass(SCHEMA))
        await reader.open([{ id: `x.jsonl:${start}-${end}`, position: null, finished: false }])
        while (!reader.isFinished()) ids.push(...((await reader.poll(2))?.batch.rows() ?? []).map((row) => row['id']))
      }
      expect(ids, `cut every ${target} bytes`).toEqual([1, 2, 3])
    }
  })

  test('a CSV file with a head, wherever it is cut, gives every line but the head once, columns by name', async () => {
    const text = 'at,"id"\r\n10001,1\n10002,2\n\n10003,3'
    await writeFile(join(folder, 'x.csv'), text)
    const source = connector.source({ path: 'x.csv', format: { csv: { header: true } } })
    const context = { ...jsonContext(), slot: 0, parallelism: 1 }
    for (let target = 1; target <= text.length; target++) {
      const ids: unknown[] = []
      for (const { start, end } of byteRanges(text.length, target)) {
        const reader = source.reader(context, compileRowClass(context.schema))
        await reader.open([{ id: `x.csv:${start}-${end}`, position: null, finished: false }])
        while (!reader.isFinished()) ids.push(...((await reader.poll(2))?.batch.rows() ?? []).map((row) => row['id']))
      }
      expect(ids, `cut every ${target} bytes`).toEqual([1, 2, 3])
    }
    expect(context.bad).toEqual([])
    expect(await source.enumerator(context).discover([], 1)).toMatchObject([{ position: { headTime: 10001 } }])
  })

  test('a line beyond the limit is one bad record, wherever the file is cut, and no line around it is lost', async () => {
    const long = `{"id":2,"at":2,"more":"${'x'.repeat(18 * 1024 * 1024)}"}`
    const text = `{"id":1,"at":1}\n${long}\n{"id":3,"at":3}\n{"id":4,"at":4}\n`
    await writeFile(join(folder, 'x.jsonl'), text)
    for (const target of [text.length, 6 * 1024 * 1024, long.length + 17]) {
      const ids: unknown[] = []
      const context = { ...jsonContext(), slot: 0, parallelism: 1 }
      for (const { start, end } of byteRanges(text.length, target)) {
        const reader = jsonLines.reader(context, compileRowClass(SCHEMA))
        await reader.open([{ id: `x.jsonl:${start}-${end}`, position: null, finished: false }])
        while (!reader.isFinished()) ids.push(...((await reader.poll(2))?.batch.rows() ?? []).map((row) => row['id']))
      }
      expect(ids, `cut every ${target} bytes`).toEqual([1, 3, 4])
      expect(context.bad.map((record) => record.reason)).toEqual([expect.stringContaining('longer than')])
    }
  })

  test('a file that begins with a byte order mark gives its first record too', async () => {
    await writeFile(join(folder, 'x.jsonl'), '\uFEFF{"id":1,"at":1}\n{"id":2,"at":2}\n')
    const context = jsonContext()
    const rows = await readAll({ connector: jsonSource('x.jsonl'), context, maxRows: 10, interruptions: 0 })
    expect(rows).toHaveLength(2)
    expect(context.bad).toEqual([])
  })

  test('a record that cannot be read is reported with path and byte offset and left out', async () => {
    await writeFile(join(folder, 'bad.jsonl'), '{"id":1,"at":1}\n{"id":"x","at":2}\nnonsense\n{"id":4,"at":4}\n')
    const context = jsonContext()
    expect(await readAll({ connector: jsonSource('bad.jsonl'), context, maxRows: 10, interruptions: 1 })).toHaveLength(
      2,
    )
    expect(context.bad.map((record) => record.where)).toEqual([
      `${folder}/bad.jsonl at byte 16`,
      `${folder}/bad.jsonl at byte 34`,
    ])
    expect(context.bad.map((record) => record.raw)).toEqual(['{"id":"x","at":2}', 'nonsense'])
  })

  test('a pattern that matches nothing is an error that names it', async () => {
    await expect(jsonSource('*.none').enumerator(jsonContext()).discover([], 1)).rejects.toMatchObject({
      code: 'FILE_MISSING',
    })
  })

  test('a folder is not a file, and is passed over by a pattern that matches it', async () => {
    await mkdir(join(folder, 'more'))
    await expect(jsonSource('more').enumerator(jsonContext()).discover([], 1)).rejects.toMatchObject({
      code: 'FILE_MISSING',
      hint: expect.stringContaining('folder/*.jsonl'),
    })
    await writeFile(join(folder, 'more.jsonl'), '{"id":1,"at":1}\n')
    expect(await jsonSource('more*').enumerator(jsonContext()).discover([], 1)).toHaveLength(1)
  })
})

describe('CSV with line ends in cells', () => {
  const TEXTS: Schema = {
    fields: [
      { name: 'id', type: 'long', nullable: false },
      { name: 'text', type: 'string', nullable: false },
    ],
  }
  const sourceOf = (csv: object) => connector.source({ path: 'x.csv', format: { csv } })
  const multiline = sourceOf({ multiline: true, header: true })
  const context = () => sourceContext({ verb: { connector: 'file' }, schema: TEXTS, baseDir: folder })

  /** The rows of the file, and the text of each bad record with the reason. */
  async function read(source: typeof multiline, text: string) {
    await writeFile(join(folder, 'x.csv'), text)
    const here = context()
    const rows = await readAll({ connector: source, context: here, maxRows: 2, interruptions: 0 })
    return { rows: rows.map((row) => JSON.parse(row) as unknown), bad: here.bad }
  }

  test('cells in quotes hold line ends, delimiters and quotes, as RFC 4180 has them', async () => {
    const text = 'id,text\r\n1,"a\r\nb"\r\n2,"c,\n\n""d"""\r\n3,e\r\n4,"f\n"'
    expect(await read(multiline, text)).toEqual({
      rows: [
        { id: 1, text: 'a\r\nb' },
        { id: 2, text: 'c,\n\n"d"' },
        { id: 3, text: 'e' },
        { id: 4, text: 'f\n' },
      ],
      bad: [],
    })
  })

  test('a quote that is never closed makes its line a bad record and no other', async () => {
    expect(await read(multiline, 'id,text\n1,a\n2,"b\n3,c\n4,d\n')).toMatchObject({
      rows: [{ id: 1 }, { id: 3 }, { id: 4 }],
      bad: [{ raw: '2,"b' }],
    })
  })

  test('a file is one split whatever its size, and an interruption anywhere gives every record once', async () => {
    const record = (id: number): string => `${id},"line\nof ${'x'.repeat(2000)}\n${id}"\n`
    await writeFile(join(folder, 'x.csv'), `id,text\n${Array.from({ length: 2000 }, (_, id) => record(id)).join('')}`)
    expect(await multiline.enumerator(context()).discover([], 8)).toHaveLength(1)
    expect((await sourceOf({ header: true }).enumerator(context()).discover([], 8)).length).toBeGreaterThan(1)
    await expectExactRestores({ connector: multiline, context: context(), maxRows: 300, interruptions: 4 }, 1, 2)
  })

  test('without the option such a record is an error that names the option', async () => {
    const { bad } = await read(sourceOf({ header: true }), 'id,text\n1,"a\nb"\n2,c\n')
    expect(bad[0]?.reason).toContain('multiline: true')
  })

  test('what a file sink writes, a source reads', async () => {
    const rows = compileRowClass(TEXTS)
    const writer = await formatOf({ csv: {} }).writer(contextOf(TEXTS))
    const texts = ['a\nb', '"\r\n"', '\n', 'plain']
    const records = texts.map((text, id) => bytesOf(writer, new rows(id, text)).toString())
    expect(await read(multiline, `id,text\n${records.join('\n')}\n`)).toEqual({
      rows: texts.map((text, id) => ({ id, text })),
      bad: [],
    })
  })
})

describe('Parquet', () => {
  const flights = connector.source({
    path: 'node_modules/vega-datasets/data/flights-3m.parquet',
    format: 'parquet',
  })
  const context = () =>
    sourceContext({
      verb: { connector: 'file', eventTime: { field: 'date', outOfOrdernessMs: 0 } },
      schema: FLIGHTS,
      baseDir: process.cwd(),
    })

  test('one split per row group, each knowing the event time of its first row', async () => {
    const splits = await flights.enumerator(context()).discover([], 4)
    expect(splits).toHaveLength(11)
    expect(splits[1]).toEqual({
      id: 'node_modules/vega-datasets/data/flights-3m.parquet#1',
      finished: false,
      position: { headTime: Date.UTC(2001, 0, 17, 15, 35), originTime: Date.UTC(2001, 0, 1, 0, 1) },
    })
  })

  test('a reader restored in the middle of a row group goes on with the next row', async () => {
    const open = async (position: unknown) => {
      const reader = flights.reader({ ...context(), slot: 0, parallelism: 1 }, compileRowClass(FLIGHTS))
      await reader.open([
        { id: 'node_modules/vega-datasets/data/flights-3m.parquet#3', position: position as null, finished: false },
      ])
      return reader
    }
    const whole = await open(null)
    const first = (await whole.poll(1000))?.batch.rows() ?? []
    const second = (await whole.poll(24))?.batch.rows() ?? []
    const restored = await open({ next: 1000 })
    expect((await restored.poll(24))?.batch.rows()).toEqual(second)
    expect(first).toHaveLength(1000)
    expect(typeof first[0]?.['date']).toBe('number')
    expect(whole.snapshot()[0]?.position).toEqual({ next: 1024 })
  })
})

describe('decimals of Parquet', () => {
  /** Two's complement, of so many bytes. */
  const bigEndian = (value: bigint, size: number): Buffer =>
    Buffer.from(
      BigInt.asUintN(size * 8, value)
        .toString(16)
        .padStart(size * 2, '0'),
      'hex',
    )
  const littleEndian = (value: bigint, size: number): Buffer => bigEndian(value, size).reverse()

  test('keep all their digits, whatever they are stored as', async () => {
    const units = [115n, -115n, 0n, 99_999_999n]
    const large = [12_345_678_901_234_567_890_123_456_789_012_345_678n, -1n, 0n, 115n]
    const decimal = { precision: 9, scale: 2 }
    await writeFile(
      join(folder, 'x.parquet'),
      parquetFile([
        { name: 'small', type: 'INT32', decimal, values: units.map((value) => littleEndian(value, 4)) },
        {
          name: 'middle',
          type: 'INT64',
          decimal: { precision: 18, scale: 2 },
          values: large.map((value) => littleEndian(value % 10n ** 18n, 8)),
        },
        {
          name: 'large',
          type: 'FIXED_LEN_BYTE_ARRAY',
          decimal: { precision: 38, scale: 4 },
          values: large.map((value) => bigEndian(value, 16)),
        },
        { name: 'ratio', type: 'INT32', decimal, values: units.map((value) => littleEndian(value, 4)) },
      ]),
    )
    const schema = schemaOf({ small: 'decimal(9,2)', middle: 'decimal(20,3)', large: 'decimal(38,4)', ratio: 'double' })
    const rows = await readAll({
      connector: connector.source({ path: 'x.parquet', format: 'parquet' }),
      context: sourceContext({ verb: { connector: 'file' }, schema, baseDir: folder }),
      maxRows: 10,
      interruptions: 0,
    })
    expect(rows.map((row) => JSON.parse(row) as unknown)).toEqual([
      { small: '-1.15', middle: '-0.010', large: '-0.0001', ratio: -1.15 },
      { small: '0.00', middle: '0.000', large: '0.0000', ratio: 0 },
      { small: '1.15', middle: '1234567890123456.780', large: '1234567890123456789012345678901234.5678', ratio: 1.15 },
      { small: '999999.99', middle: '1.150', large: '0.0115', ratio: 999999.99 },
    ])
  })
})

describe('rate', () => {
  function steppedClock(): { clock: Clock; advance: (ms: number) => void } {
    let now = 1_000_000
    return {
      clock: { ...quietPorts().clock, now: () => now },
      advance: (ms) => {
        now += ms
      },
    }
  }

  async function readerWith(
    rate: { kind: 'replay'; speed: number } | { kind: 'records'; perSecond: number },
    clock: Clock,
    slot: number,
    parallelism: number,
  ) {
    const base = sourceContext({
      verb: {
        connector: 'file',
        eventTime: { field: 'at', outOfOrdernessMs: 0 },
        rate,
      },
      schema: SCHEMA,
      baseDir: folder,
      ports: { ...quietPorts(), clock },
    })
    const splits = await jsonLines.enumerator(base).discover([], parallelism)
    const reader = jsonLines.reader({ ...base, slot, parallelism }, compileRowClass(SCHEMA))
    await reader.open(splits.filter((_, index) => index % parallelism === slot))
    return async () => {
      const ids: unknown[] = []
      for (let batch = await reader.poll(100); batch; batch = await reader.poll(100))
        ids.push(...batch.batch.rows().map((row) => row['id']))
      return ids
    }
  }

  test('a replay gives each slot the rows whose event time has come on the clock of all', async () => {
    await writeLines('a.jsonl', 10, 3, '\n')
    await writeLines('b.jsonl', 11, 3, '\n')
    const { clock, advance } = steppedClock()
    const pollA = await readerWith({ kind: 'replay', speed: 10 }, clock, 0, 2)
    const pollB = await readerWith({ kind: 'replay', speed: 10 }, clock, 1, 2)
    expect([await pollA(), await pollB()]).toEqual([[10], []])
    advance(100)
    expect([await pollA(), await pollB()]).toEqual([[11], [11]])
    advance(200)
    expect([await pollA(), await pollB()]).toEqual([[12], [12, 13]])
  })

  test('a record rate is shared by the slots', async () => {
    await writeLines('a.jsonl', 0, 50, '\n')
    const { clock, advance } = steppedClock()
    const poll = await readerWith({ kind: 'records', perSecond: 20 }, clock, 0, 2)
    expect(await poll()).toEqual([])
    advance(500)
    expect(await poll()).toEqual([0, 1, 2, 3, 4])
    advance(60_000)
    expect(await poll()).toHaveLength(10)
  })
})
