import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KuduBed, kuduBedMissing, startKudu } from '../harness/beds/kudu-bed.ts'
import { createKuduTable, scanKuduTable } from '../harness/beds/kudu-tables.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { hasCheckpoint, killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'
import { ROOT } from '../harness/source-files.ts'

const why = kuduBedMissing()
const PATIENCE_MS = 60_000
const LONG_MS = 300_000

const TYPES = {
  columns: {
    k: 'INT64',
    s: 'STRING',
    i8: 'INT8?',
    i16: 'INT16?',
    i32: 'INT32?',
    b: 'BOOL?',
    f: 'FLOAT?',
    d: 'DOUBLE?',
    bin: 'BINARY?',
    t: 'UNIXTIME_MICROS?',
    d32: 'DECIMAL(9,2)?',
    d64: 'DECIMAL(18,4)?',
    d128: 'DECIMAL(38,6)?',
    v: 'VARCHAR(5)?',
    dt: 'DATE?',
  },
  keys: ['k', 's'],
  hash: [{ columns: ['k', 's'], num_buckets: 3, seed: 42 }],
}
const TYPES_SCHEMA = {
  k: 'bigint',
  s: 'string',
  i8: 'long?',
  i16: 'long?',
  i32: 'long?',
  b: 'boolean?',
  f: 'double?',
  d: 'double?',
  bin: 'bytes?',
  t: 'timestamp?',
  d32: 'decimal(9,2)?',
  d64: 'decimal(18,4)?',
  d128: 'decimal(38,6)?',
  v: 'string?',
  dt: 'date?',
}
const FULL_ROW = {
  k: '9007199254740993',
  s: 'a',
  i8: -128,
  i16: 32767,
  i32: -2147483648,
  b: true,
  f: 1.5,
  d: 0.1,
  bin: 'AP8=',
  t: '2026-11-23T00:00:00.123Z',
  d32: '-1234567.89',
  d64: '12345678901234.5678',
  d128: '-12345678901234567890123456789012.123456',
  v: 'ü€x',
  dt: '1969-12-31',
}
const EMPTY_ROW = { k: '-9223372036854775808', s: 'zwei\u0000x' }

describe.skipIf(why !== undefined)(`a real Kudu${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-kudu-'))
  let kudu: KuduBed
  const runs = new LocalRuns(dir)

  beforeAll(async () => {
    kudu = await startKudu({ dir: join(dir, 'kudu') })
  }, PATIENCE_MS)

  afterAll(async () => {
    await kudu?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  function table(name: string): { masters: string; table: string } {
    return { masters: kudu.masters, table: name }
  }

  async function write(rows: readonly object[], schema: object, sink: object): Promise<void> {
    const { code, stderr } = await runs.run([
      { id: 'rows', source: { values: rows }, schema },
      { id: 'out', from: 'rows', sink: { kudu: sink } },
    ])
    expect(code, stderr).toBe(0)
  }

  /** Kudu's own generator fills a table of its own: key, int_val, string_val. */
  async function generate(rows: number): Promise<string> {
    const flags = ['--num_threads=1', '--keep_auto_table', '--table_num_hash_partitions=4', '--table_num_replicas=1']
    const output = await kudu.command('perf', 'loadgen', kudu.masters, `--num_rows_per_thread=${rows}`, ...flags)
    return /'(default\.loadgen_auto_\w+)'/.exec(output)?.[1] ?? ''
  }

  const LOADGEN = { key: 'long', int_val: 'long?', string_val: 'string?' }

  test(
    'every type is written as Kudu itself reads it, and read back the same',
    async () => {
      await createKuduTable(kudu, 'types', TYPES)
      await write([FULL_ROW, EMPTY_ROW], TYPES_SCHEMA, table('types'))
      expect(await scanKuduTable(kudu, 'types')).toEqual([
        '(int64 k=-9223372036854775808, string s="zwei\\000x", int8 i8=NULL, int16 i16=NULL, int32 i32=NULL, bool b=NULL, float f=NULL, double d=NULL, binary bin=NULL, unixtime_micros t=NULL, decimal d32=NULL, decimal d64=NULL, decimal d128=NULL, varchar v=NULL, date dt=NULL)',
        '(int64 k=9007199254740993, string s="a", int8 i8=-128, int16 i16=32767, int32 i32=-2147483648, bool b=true, float f=1.5, double d=0.1, binary bin="\\x00\\xff", unixtime_micros t=2026-11-23T00:00:00.123000Z, decimal d32=-123456789_D32, decimal d64=123456789012345678_D64, decimal d128=-12345678901234567890123456789012123456_D128, varchar v="ü€x", date dt=1969-12-31)',
      ])
      const { stdout, stderr } = await runs.run([
        { id: 'rows', source: { kudu: table('types') }, schema: TYPES_SCHEMA },
        { id: 'out', from: 'rows', sink: 'console' },
      ])
      const read = stdout.trim().split('\n').sort()
      // the digits of a bigint are a number of JSON
      const full = JSON.stringify(FULL_ROW).replace(`"${FULL_ROW.k}"`, FULL_ROW.k)
      expect(read, stderr).toHaveLength(2)
      expect(read).toContain(full)
      expect(read.find((line) => line !== full)).toContain('"k":-9223372036854775808,"s":"zwei\\u0000x","i8":null')
    },
    LONG_MS,
  )

  test(
    'when job and tablet server are killed in the middle, each row of a snapshot is read once',
    async () => {
      const rows = 1_000_000
      const source = table(await generate(rows))
      const out = join(dir, 'snapshot')
      const file = runs.fileOf(
        [
          { id: 'rows', source: { kudu: source }, schema: LOADGEN },
          { id: 'out', from: 'rows', sink: { file: { path: out } } },
        ],
        2,
      )
      let millrace = startMillrace('run', file)
      await waitFor('rows are committed', PATIENCE_MS, async () => linesOf(out).length > 0, millrace.stderr)
      const id = runIdOf(millrace)
      await killRun(millrace)
      expect(linesOf(out).length).toBeLessThan(rows)
      // rows that come now are not those of the snapshot
      await write([{ key: 999_999_999, int_val: 1, string_val: 'late' }], LOADGEN, source)
      const [server] = kudu.tabletServers
      await server?.stop()
      millrace = startMillrace('run', file, '--resume', id)
      await waitFor(
        'the trouble is reported',
        PATIENCE_MS,
        async () => millrace.stderr().includes('KUDU_'),
        millrace.stderr,
      )
      await server?.start()
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      const keys = linesOf(out).map((line) => (JSON.parse(line) as { key: number }).key)
      expect(keys).toHaveLength(rows)
      expect(new Set(keys).size).toBe(rows)
      expect(keys).not.toContain(999_999_999)
    },
    LONG_MS,
  )

  test(
    'when job and tablet server are killed while rows go from table to table, the target is what a plain computation gives',
    async () => {
      const rows = 1_000_000
      const source = table(await generate(rows))
      await createKuduTable(kudu, 'copied', {
        columns: { key: 'INT64', doubled: 'INT64', text: 'STRING?' },
        keys: ['key'],
        hash: [{ columns: ['key'], num_buckets: 3 }],
      })
      const file = runs.fileOf(
        [
          { id: 'rows', source: { kudu: source }, schema: LOADGEN },
          { id: 'even', from: 'rows', filter: 'key % 2 === 0' },
          { id: 'mapped', from: 'even', map: { key: 'key', doubled: 'key * 2', text: 'string_val' } },
          { id: 'out', from: 'mapped', sink: { kudu: table('copied') } },
        ],
        2,
      )
      let millrace = startMillrace('run', file)
      await waitFor('it runs', PATIENCE_MS, async () => hasCheckpoint(file), millrace.stderr)
      const [server] = kudu.tabletServers
      await server?.stop()
      await server?.start()
      const id = runIdOf(millrace)
      await killRun(millrace)
      millrace = startMillrace('run', file, '--resume', id)
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      const wanted = (await scanKuduTable(kudu, source.table)).flatMap((line) => {
        const [, key = '', text = ''] = /int64 key=(\d+), .*string string_val=("[^"]*")/.exec(line) ?? []
        return BigInt(key) % 2n === 0n
          ? [`(int64 key=${key}, int64 doubled=${BigInt(key) * 2n}, string text=${text})`]
          : []
      })
      expect(wanted.length).toBeGreaterThan(rows / 3)
      expect(await scanKuduTable(kudu, 'copied')).toEqual(wanted.sort())
    },
    LONG_MS,
  )

  test(
    'a continuous source reads what is inserted and changed, and continues with it after it was killed',
    async () => {
      const schema = { id: 'long', name: 'string?' }
      await createKuduTable(kudu, 'changing', {
        columns: { id: 'INT64', name: 'STRING?' },
        keys: ['id'],
        hash: [{ columns: ['id'], num_buckets: 2 }],
      })
      await write(
        [...Array(100).keys()].map((id) => ({ id, name: 'first' })),
        schema,
        table('changing'),
      )
      const out = join(dir, 'changes')
      const file = runs.fileOf(
        [
          { id: 'rows', source: { kudu: { ...table('changing'), continuous: { every: '100ms' } } }, schema },
          { id: 'out', from: 'rows', sink: { file: { path: out } } },
        ],
        2,
      )
      let millrace = startMillrace('run', file)
      await waitFor('the first rows are there', PATIENCE_MS, async () => linesOf(out).length === 100, millrace.stderr)
      await write(
        [
          { id: 7, name: 'second' },
          { id: 1000, name: 'new' },
        ],
        schema,
        table('changing'),
      )
      await waitFor('changes are there', PATIENCE_MS, async () => linesOf(out).length === 102, millrace.stderr)
      const id = runIdOf(millrace)
      await killRun(millrace)
      await write([{ id: 8, name: 'third' }], schema, table('changing'))
      millrace = startMillrace('run', file, '--resume', id)
      await waitFor('later ones too', PATIENCE_MS, async () => linesOf(out).length >= 103, millrace.stderr)
      await write([{ id: 8 }], { id: 'long' }, { ...table('changing'), mode: 'deleteIgnore' })
      await waitFor(
        'a deletion is refused',
        PATIENCE_MS,
        async () => millrace.stderr().includes('KUDU_ROW_DELETED'),
        millrace.stderr,
      )
      await killRun(millrace)
      const changed = linesOf(out).filter((line) => !line.includes('"first"'))
      expect(changed.sort()).toEqual([
        '{"id":1000,"name":"new"}',
        '{"id":7,"name":"second"}',
        '{"id":8,"name":"third"}',
      ])
    },
    LONG_MS,
  )

  test(
    'the example of the tour keeps the large orders',
    async () => {
      const schema = { id: 'bigint', customer: 'string', amount: 'decimal(18,2)', at: 'timestamp' }
      const columns = { id: 'INT64', customer: 'STRING', amount: 'DECIMAL(18,2)', at: 'UNIXTIME_MICROS' }
      const shape = { columns, keys: ['id'], hash: [{ columns: ['id'], num_buckets: 2 }] }
      await createKuduTable(kudu, 'orders', shape)
      await createKuduTable(kudu, 'large_orders', shape)
      const at = '2026-11-23T00:00:00Z'
      const rows = ['999.99', '1000.00', '12345678901234.56'].map((amount, id) => ({ id, customer: 'c', amount, at }))
      await write(rows, schema, table('orders'))
      const file = join(dir, 'tour.yaml')
      const example = readFileSync(join(ROOT, 'examples/tour/kudu.yaml'), 'utf8')
      writeFileSync(file, example.replaceAll('kudu-master:7051', kudu.masters))
      const { code, stderr } = await startMillrace('run', file, '--in-process').ended
      expect(code, stderr).toBe(0)
      const amounts = (await scanKuduTable(kudu, 'large_orders')).map((line) => /amount=([^,]+),/.exec(line)?.[1])
      expect(amounts).toEqual(['100000_D64', '1234567890123456_D64'])
    },
    LONG_MS,
  )

  test(
    'each mode does to a row what its name says',
    async () => {
      const schema = { id: 'long', name: 'string?' }
      await createKuduTable(kudu, 'modes', {
        // deletes have to name columns that take no null, though they set the key alone
        columns: { id: 'INT64', name: 'STRING' },
        keys: ['id'],
        hash: [{ columns: ['id'], num_buckets: 2 }],
      })
      await write(
        [
          { id: 1, name: 'a' },
          { id: 2, name: 'b' },
        ],
        schema,
        table('modes'),
      )
      await write(
        [
          { id: 2, name: 'x' },
          { id: 3, name: 'c' },
        ],
        schema,
        { ...table('modes'), mode: 'insertIgnore' },
      )
      await write(
        [
          { id: 3, name: 'changed' },
          { id: 4, name: 'x' },
        ],
        schema,
        { ...table('modes'), mode: 'updateIgnore' },
      )
      await write([{ id: 1 }, { id: 9 }], { id: 'long' }, { ...table('modes'), mode: 'deleteIgnore' })
      expect(await scanKuduTable(kudu, 'modes')).toEqual([
        '(int64 id=2, string name="b")',
        '(int64 id=3, string name="changed")',
      ])
    },
    LONG_MS,
  )

  test(
    'a row that no range partition holds is waited for, and written once there is one',
    async () => {
      await createKuduTable(kudu, 'ranges', {
        columns: { day: 'INT64', name: 'STRING?' },
        keys: ['day'],
        range: { column: 'day', bounds: [['0', '10']] },
      })
      const file = runs.fileOf(
        [
          {
            id: 'rows',
            source: {
              values: [
                { day: 1, name: 'a' },
                { day: 11, name: 'b' },
              ],
            },
            schema: { day: 'long', name: 'string?' },
          },
          { id: 'out', from: 'rows', sink: { kudu: table('ranges') } },
        ],
        2,
      )
      const millrace = startMillrace('run', file, '--in-process')
      await waitFor(
        'it is reported',
        PATIENCE_MS,
        async () => millrace.stderr().includes('KUDU_RANGE_MISSING'),
        millrace.stderr,
      )
      await kudu.command('table', 'add_range_partition', kudu.masters, 'ranges', '[10]', '[20]')
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      expect(await scanKuduTable(kudu, 'ranges')).toEqual(
        ['(int64 day=11, string name="b")', '(int64 day=1, string name="a")'].sort(),
      )
    },
    LONG_MS,
  )

  test.each([
    ['a column that the table does not have', { keey: 'long' }, /COLUMN_MISSING.*has no column keey/],
    [
      'a type that does not fit',
      { k: 'string' },
      /KUDU_TYPE_MISMATCH.*column k of the Kudu table types is int64, the field is string/,
    ],
    [
      'a decimal of fewer digits',
      { d64: 'decimal(18,2)' },
      /KUDU_TYPE_MISMATCH.*d64 of the Kudu table types is decimal\(18,4\)/,
    ],
  ])(
    '%s ends the job with the reason',
    async (_what, schema, reason) => {
      const { code, stderr } = await runs.run([
        { id: 'rows', source: { kudu: table('types') }, schema },
        { id: 'out', from: 'rows', sink: 'console' },
      ])
      expect(code).toBe(1)
      expect(stderr).toMatch(reason)
    },
    LONG_MS,
  )

  test.each([
    ['a number beyond its column', { k: '1', s: 'x', i8: 128 }, 'i8: 128 does not fit into int8'],
    ['a number beyond a float', { k: '1', s: 'x', f: 1e300 }, 'f: 1e+300 does not fit into float'],
    ['a varchar that is too long', { k: '1', s: 'x', v: '123456' }, 'v: "123456" does not fit into varchar(5)'],
    ['a text beyond 64 KiB', { k: '1', s: 'x'.repeat(70_000) }, 's: "a text of 70000 bytes" does not fit into string'],
  ])(
    '%s ends the job with both values',
    async (_what, row, reason) => {
      const { code, stderr } = await runs.run([
        { id: 'rows', source: { values: [row] }, schema: TYPES_SCHEMA },
        { id: 'out', from: 'rows', sink: { kudu: table('types') } },
      ])
      expect(code).toBe(1)
      expect(stderr).toContain(reason)
    },
    LONG_MS,
  )

  test(
    'a table and a master that do not exist are named',
    async () => {
      const missing = runs.fileOf(
        [
          { id: 'rows', source: { kudu: table('nowhere') }, schema: { k: 'long' } },
          { id: 'out', from: 'rows', sink: 'console' },
        ],
        2,
      )
      const unknown = startMillrace('run', missing, '--in-process')
      await waitFor(
        'it is reported',
        PATIENCE_MS,
        async () => unknown.stderr().includes('has no table "nowhere"'),
        unknown.stderr,
      )
      await killRun(unknown)
      const nobody = runs.fileOf(
        [
          { id: 'rows', source: { kudu: { masters: '127.0.0.1:1', table: 'x' } }, schema: { k: 'long' } },
          { id: 'out', from: 'rows', sink: 'console' },
        ],
        2,
      )
      const refused = startMillrace('run', nobody, '--in-process')
      await waitFor(
        'it is reported',
        PATIENCE_MS,
        async () => refused.stderr().includes('the Kudu server 127.0.0.1:1 cannot be reached'),
        refused.stderr,
      )
      await killRun(refused)
    },
    LONG_MS,
  )

  test(
    'a table that is dropped and created again while rows are written has the rows that come after it',
    async () => {
      const shape = { columns: { id: 'INT64' }, keys: ['id'] }
      await createKuduTable(kudu, 'again', shape)
      const count = 12_000
      const input = join(dir, 'again.json')
      writeFileSync(input, Array.from({ length: count }, (_, id) => `${JSON.stringify({ id })}\n`).join(''))
      const file = runs.fileOf([
        { id: 'rows', source: { file: { path: input, format: 'json', rate: '1000/s' } }, schema: { id: 'long' } },
        { id: 'out', from: 'rows', sink: { kudu: { masters: kudu.masters, table: 'again' } } },
      ])
      const millrace = startMillrace('run', file, '--in-process')
      await waitFor('a checkpoint is complete', PATIENCE_MS, async () => hasCheckpoint(file), millrace.stderr)
      await kudu.command('table', 'delete', kudu.masters, 'again')
      await createKuduTable(kudu, 'again', shape)
      const { code, stderr } = await millrace.ended
      expect(code, stderr).toBe(0)
      const ids = (await scanKuduTable(kudu, 'again')).map((row) => Number(/int64 id=(\d+)/.exec(row)?.[1]))
      ids.sort((a, b) => a - b)
      const [first = 0] = ids
      expect(ids).toEqual(Array.from({ length: count - first }, (_, index) => first + index))
      expect(first).toBeLessThan(count / 2)
    },
    LONG_MS,
  )
})
