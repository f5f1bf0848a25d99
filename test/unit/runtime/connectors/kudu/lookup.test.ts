import { describe, expect, test } from 'vitest'
import { KUDU_TYPE, type KuduColumn } from '../../../../../runtime/connectors/kudu/columns.ts'
import { kuduConnector } from '../../../../../runtime/connectors/kudu/connector.ts'
import { VirtualKudu } from '../../../../../runtime/connectors/kudu/virtual/cluster.ts'
import type { Field } from '../../../../../runtime/model/schema.ts'
import type { Table } from '../../../../../runtime/ports/table.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'

const plain = { isNullable: false, precision: 0, scale: 0, length: 0 }
const COLUMNS: readonly KuduColumn[] = [
  { ...plain, name: 'id', type: KUDU_TYPE.int64, isKey: true },
  { ...plain, name: 'name', type: KUDU_TYPE.string, isKey: false, isNullable: true },
]
const field = (name: string, type: Field['type'] = 'long'): Field => ({ name, type, nullable: false })
const NAME: Field = { name: 'name', type: 'string', nullable: true }
const { signal } = new AbortController()

function bed(rows: number, tablets = 3) {
  const kudu = new VirtualKudu(COLUMNS, tablets)
  for (let id = 0; id < rows; id++) kudu.upsert([BigInt(id), id % 3 === 0 ? null : `n${id % 10}`])
  const told: (string | null)[] = []
  const stopping = new AbortController()
  const open = (
    key: readonly { column: string; field: Field }[] = [{ column: 'id', field: field('buyer') }],
    output: readonly Field[] = [NAME],
  ): Promise<Table> =>
    kuduConnector(() => kudu.connect())
      .table({ masters: 'virtual:7051', table: 'table' })
      .open({
        operatorId: 'named',
        key,
        output,
        ports: jumpingPorts(),
        baseDir: '.',
        stopping: stopping.signal,
        reportTrouble: (error) => told.push(error?.message ?? null),
      })
  return { kudu, open, told }
}

describe('a lookup in Kudu', () => {
  test('finds the row of each key, and none where there is none', async () => {
    const { open } = bed(50)
    const table = await open()
    const found = await Promise.all(
      Array.from({ length: 60 }, async (_, id) => (await table.find([id], signal)).map((row) => row['name'])),
    )
    expect(found).toEqual(
      Array.from({ length: 60 }, (_, id) => (id >= 50 ? [] : [id % 3 === 0 ? null : `n${id % 10}`])),
    )
  })

  test('asked by a column that is no key, looks into every tablet and gives two rows at most', async () => {
    const { open } = bed(50)
    const table = await open([{ column: 'name', field: field('label', 'string') }], [field('id')])
    expect(await table.find(['n7'], signal)).toHaveLength(2)
    expect(await table.find(['nobody'], signal)).toEqual([])
  })

  test('a text with half of a character finds no row, least of all that of the character that stands for it', async () => {
    const { kudu, open } = bed(1)
    kudu.upsert([7n, '\ufffd'])
    const table = await open([{ column: 'name', field: field('label', 'string') }], [field('id')])
    await expect(table.find(['\ud800'], signal)).rejects.toMatchObject({ code: 'VALUE_INVALID' })
  })

  test('waits while the cluster cannot answer, and says so', async () => {
    const { kudu, open, told } = bed(10)
    const table = await open()
    kudu.mishaps.push(...Array.from({ length: 30 }, () => 'unreachable' as const))
    expect(await table.find([1], signal)).toEqual([{ name: 'n1' }])
    expect(told.at(-1)).toBe(null)
    expect(told.some((message) => message?.includes('unreachable') === true)).toBe(true)
  })

  test('finds rows of a table that was dropped and created again, with the columns that it has then', async () => {
    const { kudu, open, told } = bed(10)
    const table = await open()
    kudu.table = { ...kudu.table, id: 'another' }
    expect(await table.find([1], signal)).toEqual([{ name: 'n1' }])
    expect(told).toEqual([])
    kudu.table = { ...kudu.table, id: 'a third', columns: COLUMNS.slice(0, 1) }
    await expect(table.find([1], signal)).rejects.toMatchObject({ code: 'COLUMN_MISSING' })
  })

  test('ends with the time limit of the call, however long the cluster is away', async () => {
    const { kudu, open } = bed(10)
    const table = await open()
    kudu.mishaps.push(...Array.from({ length: 100_000 }, () => 'unreachable' as const))
    const limit = new AbortController()
    const found = table.find([1], limit.signal)
    limit.abort()
    await expect(found).rejects.toMatchObject({ code: 'KUDU_CLOSED' })
  })

  test.each([
    ['a key column that is not there', [{ column: 'ide', field: field('x') }], [NAME], 'COLUMN_MISSING'],
    ['a column that is not there', undefined, [{ ...NAME, name: 'nam' }], 'COLUMN_MISSING'],
    ['a key of another type', [{ column: 'id', field: field('x', 'boolean') }], [NAME], 'KUDU_TYPE_MISMATCH'],
    ['a column of another type', undefined, [{ ...NAME, type: 'long' as const }], 'KUDU_TYPE_MISMATCH'],
  ])('%s is refused when the table is opened', async (_, key, output, code) => {
    const { open } = bed(1)
    await expect(open(key, output)).rejects.toMatchObject({ code })
  })
})
