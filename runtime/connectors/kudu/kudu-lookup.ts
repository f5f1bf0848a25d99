import { MillraceError } from '../../model/errors.ts'
import type { Table, TableRow } from '../../ports/table.ts'
import type { TableContext } from '../table.ts'
import { KuduAccess } from './access.ts'
import type { KuduClient, KuduConnect, KuduTable, Tablet } from './client.ts'
import type { Cell } from './columns.ts'
import type { KuduTableOptions } from './declaration.ts'
import { TABLE_UNKNOWN } from './errors.ts'
import { partitionKeyer, rangeHolding } from './partition-key.ts'
import type { ScanBlock } from './scan-block.ts'
import { type AskedColumn, columnsToAsk, columnsToRead, type ReadColumn } from './table-columns.ts'

/** Then the subtask fails, or the call by its own time limit. */
const PATIENCE_MS = 600_000
/** A second row makes a lookup ambiguous; more are not needed to know it. */
const MOST_ROWS = 2

interface Plan {
  readonly table: KuduTable
  readonly asked: readonly AskedColumn[]
  readonly read: readonly ReadColumn[]
  /** The key of the only tablet that can have such rows; undefined when the key leaves that open. */
  readonly partitionKey: ((cells: readonly Cell[]) => Buffer) | undefined
}

/** Rows of a Kudu table by the values of columns, as they are at the leaders of its tablets now. */
export class KuduLookup implements Table {
  readonly #access: KuduAccess
  readonly #planOf: (client: KuduClient) => Promise<Plan>
  /** Made anew when the table was dropped and created again. */
  #plan: Plan

  private constructor(access: KuduAccess, planOf: (client: KuduClient) => Promise<Plan>, plan: Plan) {
    this.#access = access
    this.#planOf = planOf
    this.#plan = plan
  }

  /** As TableConnector.open. */
  static async open(
    { key, output, ...context }: TableContext,
    options: KuduTableOptions,
    connect: KuduConnect,
  ): Promise<KuduLookup> {
    const access = new KuduAccess(connect, options, context)
    const planOf = async (client: KuduClient): Promise<Plan> => {
      const table = await client.openTable(options.table)
      const asked = columnsToAsk(table, key)
      const read = columnsToRead(table, { fields: output })
      return { table, asked, read, partitionKey: partitionKeyOf(table, asked) }
    }
    try {
      return new KuduLookup(access, planOf, await access.ask(`opening ${options.table}`, PATIENCE_MS, planOf))
    } catch (error) {
      await access.close()
      throw error
    }
  }

  async find(values: readonly unknown[], signal: AbortSignal): Promise<readonly TableRow[]> {
    return this.#access.ask(
      `looking up a row of ${this.#plan.table.name}`,
      PATIENCE_MS,
      async (client) => {
        try {
          return await rowsOf(client, this.#plan, values)
        } catch (error) {
          // a table is known by its id, which another one of its name does not have
          if (error instanceof MillraceError && error.code === TABLE_UNKNOWN) this.#plan = await this.#planOf(client)
          throw error
        }
      },
      signal,
    )
  }

  close(): Promise<void> {
    return this.#access.close()
  }
}

async function rowsOf(client: KuduClient, plan: Plan, values: readonly unknown[]): Promise<TableRow[]> {
  const cells = plan.asked.map(({ cellOf }, index) => cellOf(values[index]))
  const found: TableRow[] = []
  for (const tablet of tabletsHolding(plan, await client.tablets(plan.table, 'known'), cells)) {
    if (found.length >= MOST_ROWS) break
    found.push(...(await rowsIn(client, plan, tablet, cells)))
  }
  return found.slice(0, MOST_ROWS)
}

function tabletsHolding({ partitionKey }: Plan, tablets: readonly Tablet[], cells: readonly Cell[]): readonly Tablet[] {
  if (partitionKey === undefined) return tablets
  const tablet = rangeHolding(tablets, partitionKey(cells))
  return tablet === undefined ? [] : [tablet]
}

async function rowsIn(
  client: KuduClient,
  { table, asked, read }: Plan,
  tablet: Tablet,
  cells: readonly Cell[],
): Promise<TableRow[]> {
  const scanner = await client.openScan(table, {
    tabletId: tablet.id,
    columns: read.map(({ column }) => column),
    equals: asked.map(({ column }, index) => ({ column, cell: cells[index] ?? '' })),
    most: MOST_ROWS,
  })
  try {
    const rows: TableRow[] = []
    for (let block = await scanner.next(); block !== undefined && rows.length < MOST_ROWS; block = await scanner.next())
      for (let row = 0; row < block.count; row++) rows.push(rowOf(table, read, block, row))
    return rows
  } finally {
    await scanner.close()
  }
}

function partitionKeyOf({ columns, partitioning }: KuduTable, asked: readonly AskedColumn[]): Plan['partitionKey'] {
  const places = columns.map(({ name }) => asked.findIndex(({ column }) => column.name === name))
  const needed = [...partitioning.hash.flatMap((hash) => hash.columns), ...partitioning.range]
  if (needed.some((column) => (places[column] ?? -1) < 0)) return undefined
  const keyer = partitionKeyer(columns, partitioning)
  return (cells) => keyer(places.map((place) => cells[place] ?? null))
}

function rowOf(table: KuduTable, read: readonly ReadColumn[], block: ScanBlock, row: number): TableRow {
  return Object.fromEntries(
    read.map(({ column, field, valueOf }, index) => {
      const cell = block.cell(index, row)
      const value = cell === undefined ? null : valueOf(cell)
      if (value !== undefined) return [field.name, value]
      throw new MillraceError(
        'VALUE_INVALID',
        `column ${column.name} of ${table.name} is ${String(cell)}, which the field ${field.name} cannot hold`,
        { domain: 'user' },
      )
    }),
  )
}
