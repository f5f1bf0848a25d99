import { describe, expect, test } from 'vitest'
import { cassandraConnector } from '../../../../../runtime/connectors/cassandra/connector.ts'
import {
  type CassandraClient,
  type CassandraTable,
  REFUSED,
  type Statement,
  TABLE_CHANGED,
} from '../../../../../runtime/connectors/cassandra/client.ts'
import type { CassandraType } from '../../../../../runtime/connectors/cassandra/types.ts'
import { columnsToWrite } from '../../../../../runtime/connectors/cassandra/table-columns.ts'
import type { SinkWriter } from '../../../../../runtime/connectors/sink.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import { MillraceError } from '../../../../../runtime/model/errors.ts'
import type { Field } from '../../../../../runtime/model/schema.ts'
import type { Table } from '../../../../../runtime/ports/table.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'

const ID: Field = { name: 'id', type: 'string', nullable: false }
const AMOUNT: Field = { name: 'amount', type: 'long', nullable: true }
const OPTIONS = { hosts: 'virtual:9042', keyspace: 'shop', table: 'orders' }

function tableOf(columns: Record<string, CassandraType['kind']>): CassandraTable {
  return {
    keyspace: 'shop',
    name: 'orders',
    columns: Object.entries(columns).map(([name, kind]) => ({ name, type: { kind } as CassandraType })),
    partitionKey: ['id'],
    clusteringKey: [],
  }
}

/** A cluster whose table is another one after `alter`: it takes statements of the columns that it has, and no others. */
class AlteredCluster implements CassandraClient {
  #table: CassandraTable | undefined = tableOf({ id: 'text', amount: 'int' })
  #refusal: string = TABLE_CHANGED
  readonly carriedOut: Statement[] = []
  opened = 0

  alter(table: CassandraTable | undefined, refusal: string): void {
    this.#table = table
    this.#refusal = refusal
  }

  async openTable(): Promise<CassandraTable> {
    this.opened += 1
    if (this.#table === undefined && this.opened > 12) this.#table = tableOf({ id: 'text', amount: 'int' })
    if (this.#table !== undefined) return this.#table
    throw new MillraceError('CASSANDRA_TABLE_UNKNOWN', 'no table', { domain: 'user', retriable: true })
  }

  async execute(statement: Statement) {
    await Promise.resolve()
    const fits = statement.types.every((type) => this.#table?.columns.some((column) => column.type.kind === type.kind))
    const reads = statement.reads ?? []
    if (!fits || !reads.every(({ type }) => this.#table?.columns.some((column) => column.type.kind === type.kind)))
      throw new MillraceError(this.#refusal, 'refused', {
        domain: 'user',
        retriable: this.#refusal === TABLE_CHANGED,
      })
    this.carriedOut.push(statement)
    return statement.reads === undefined ? [] : [{ id: 'a', amount: 7n }]
  }

  async close(): Promise<void> {}
}

const stopping = new AbortController().signal

function around() {
  return { operatorId: 'out', ports: jumpingPorts(), baseDir: '.', stopping }
}

async function sinkOf(cluster: CassandraClient, troubles: string[] = []): Promise<SinkWriter> {
  const writer = cassandraConnector(() => cluster)
    .sink(OPTIONS)
    .writer({
      ...around(),
      jobUid: 'uid',
      predecessors: [],
      slot: 0,
      attempt: 1,
      schema: { fields: [ID, AMOUNT] },
      reportTrouble: (error) => {
        if (error instanceof MillraceError) troubles.push(error.code)
      },
    })
  await writer.open([])
  return writer
}

function lookupOf(cluster: CassandraClient): Promise<Table> {
  return cassandraConnector(() => cluster)
    .table(OPTIONS)
    .open({ ...around(), key: [{ column: 'id', field: ID }], output: [AMOUNT], reportTrouble: () => undefined })
}

const rows = (count: number) => new RowBatch(Array.from({ length: count }, (_, n) => ({ id: `i${n}`, amount: n })))

describe.each([TABLE_CHANGED, REFUSED])('when the cluster answers %s', (refusal) => {
  test('rows are written with the types that the table has now, as many as are under way', async () => {
    const cluster = new AlteredCluster()
    const writer = await sinkOf(cluster)
    cluster.alter(tableOf({ id: 'text', amount: 'bigint' }), refusal)
    await writer.write(rows(100))
    await writer.prepareCommit(1)
    expect(cluster.carriedOut.map(({ values }) => values)).toEqual(
      Array.from({ length: 100 }, (_, n) => [`i${n}`, BigInt(n)]),
    )
    expect(cluster.opened).toBeLessThan(10)
  })

  test('a row is read with the types that the table has now', async () => {
    const cluster = new AlteredCluster()
    const table = await lookupOf(cluster)
    cluster.alter(tableOf({ id: 'text', amount: 'bigint' }), refusal)
    expect(await table.find(['a'], stopping)).toEqual([{ amount: 7 }])
  })

  test('a column that is gone, or does not fit any more, ends the work with the reason', async () => {
    const gone = new AlteredCluster()
    const writer = await sinkOf(gone)
    gone.alter(tableOf({ id: 'text' }), refusal)
    await expect(writer.write(rows(1)).then(() => writer.prepareCommit(1))).rejects.toMatchObject({
      code: 'COLUMN_MISSING',
    })
    const other = new AlteredCluster()
    const table = await lookupOf(other)
    other.alter(tableOf({ id: 'text', amount: 'blob' }), refusal)
    await expect(table.find(['a'], stopping)).rejects.toMatchObject({ code: 'CASSANDRA_TYPE_MISMATCH' })
  })

  test('a table that was dropped is waited for', async () => {
    const cluster = new AlteredCluster()
    const troubles: string[] = []
    const writer = await sinkOf(cluster, troubles)
    cluster.alter(undefined, refusal)
    await writer.write(rows(1))
    await writer.prepareCommit(1)
    expect(troubles).toContain('CASSANDRA_TABLE_UNKNOWN')
    expect(cluster.carriedOut).toHaveLength(1)
  })
})

test('a key of -0 is that of 0, as it is in jobs; other columns keep it', async () => {
  const table = tableOf({ id: 'double', amount: 'double' })
  const zero: Field = { name: 'id', type: 'double', nullable: false }
  const [key, amount] = columnsToWrite(table, [zero, { ...zero, name: 'amount' }])
  expect([key?.cellOf(-0), amount?.cellOf(-0)]).toEqual([0, -0])
})

describe('keys that no row of Cassandra can have', () => {
  test.each(['', 'k'.repeat(65_536), 'ü'.repeat(32_768)])(
    'are found nowhere, and are an error of a row to write',
    async (id) => {
      const cluster = new AlteredCluster()
      expect(await (await lookupOf(cluster)).find([id], stopping)).toEqual([])
      expect(cluster.carriedOut).toEqual([])
      const writer = await sinkOf(cluster)
      await expect(writer.write(new RowBatch([{ id, amount: 1 }]))).rejects.toMatchObject({ code: 'VALUE_INVALID' })
    },
  )
})
