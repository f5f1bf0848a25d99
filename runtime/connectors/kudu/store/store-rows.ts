import { MillraceError } from '../../../model/errors.ts'
import type { KuduClient, KuduTable, RefusedRow, Tablet, TabletScan } from '../client.ts'
import { columnText, KUDU_TYPE, type Cell, type KuduColumn, type KuduType } from '../columns.ts'
import { STATUS } from '../errors.ts'
import { partitionKeyer, rangeHolding } from '../partition-key.ts'
import { OPERATION, RowOperations, type Operation } from '../row-operations.ts'

const SHAPE: Readonly<Record<ColumnName, { readonly type: KuduType; readonly isKey: boolean }>> = {
  path: { type: KUDU_TYPE.string, isKey: true },
  generation: { type: KUDU_TYPE.string, isKey: true },
  part: { type: KUDU_TYPE.int32, isKey: true },
  bytes: { type: KUDU_TYPE.binary, isKey: false },
}
const REQUEST_BYTES = 2 * 1024 * 1024
/** No generation is shorter, and none comes before this one. */
const FIRST_GENERATION = '0'

type ColumnName = 'path' | 'generation' | 'part' | 'bytes'

/** The row of an object's head has the generation '' and part 0. */
export interface RowKey {
  readonly path: string
  readonly generation: string
  readonly part: number
}

export interface PartRow extends RowKey {
  readonly bytes: Uint8Array
}

/** Calls the cluster, and again while it cannot answer. */
export type AskKudu = <T>(doing: string, call: (client: KuduClient) => Promise<T>) => Promise<T>

/**
 * The table of a store: rows by path, generation and part. Every read is of all that was written before it, wherever the
 * leaders of the tablets have moved to.
 */
export class StoreRows {
  readonly #ask: AskKudu
  readonly #name: string
  #table: Promise<KuduTable> | undefined

  constructor(ask: AskKudu, name: string) {
    this.#ask = ask
    this.#name = name
  }

  /** True unless there is such a row already. A lost answer may make it false for what this very call has written. */
  async insert(row: PartRow): Promise<boolean> {
    const refused = await this.#write(OPERATION.insert, [row])
    return !refused.some(({ code }) => code === STATUS.alreadyPresent)
  }

  async upsert(rows: readonly PartRow[]): Promise<void> {
    await this.#write(OPERATION.upsert, rows)
  }

  async delete(rows: readonly RowKey[]): Promise<void> {
    await this.#write(OPERATION.deleteIgnore, rows)
  }

  /** The cell of one row. */
  async head(path: string): Promise<Uint8Array | undefined> {
    const [found] = await this.#scan(`reading ${path}`, ['bytes'], (columns) =>
      equalTo(columns, { path, generation: '' }),
    )
    return found?.bytes
  }

  async parts(path: string, generation: string): Promise<readonly { part: number; bytes: Uint8Array }[]> {
    const rows = await this.#scan(`reading ${path}`, ['part', 'bytes'], (columns) =>
      equalTo(columns, { path, generation }),
    )
    return rows.map(({ part = 0, bytes = new Uint8Array() }) => ({ part, bytes }))
  }

  async keysOf(path: string): Promise<readonly RowKey[]> {
    const rows = await this.#scan(`reading ${path}`, ['generation', 'part'], (columns) => equalTo(columns, { path }))
    return rows.map(({ generation = '', part = 0 }) => ({ path, generation, part }))
  }

  /** Paths of objects. */
  async heads(prefix: string): Promise<readonly string[]> {
    const rows = await this.#scan(`listing ${prefix}`, ['path'], (columns) => ({
      ...equalTo(columns, { generation: '' }),
      ...pathsFrom(columns, prefix),
    }))
    return rows.flatMap(({ path }) => (path?.startsWith(prefix) === true ? [path] : []))
  }

  /** Generations that have rows, whether or not an object names them. */
  async generations(prefix: string): Promise<readonly { path: string; generation: string }[]> {
    const rows = await this.#scan(`listing ${prefix}`, ['path', 'generation'], (columns) => pathsFrom(columns, prefix))
    const found = new Map<string, { path: string; generation: string }>()
    for (const { path = '', generation = '' } of rows)
      if (path.startsWith(prefix) && generation >= FIRST_GENERATION)
        found.set(`${generation}/${path}`, { path, generation })
    return [...found.values()]
  }

  #opened(): Promise<KuduTable> {
    return (this.#table ??= this.#ask(`opening ${this.#name}`, async (client) => {
      const table = await client.openTable(this.#name)
      checkShape(table)
      return table
    }).catch((error: unknown) => {
      this.#table = undefined
      throw error
    }))
  }

  async #write(operation: Operation, rows: readonly (RowKey & { bytes?: Uint8Array })[]): Promise<RefusedRow[]> {
    const table = await this.#opened()
    const set = operation === OPERATION.deleteIgnore ? table.columns.filter(({ isKey }) => isKey) : table.columns
    const keyOf = partitionKeyer(table.columns, table.partitioning)
    const tablets = await this.#ask(`looking for ${this.#name}`, (client) => client.tablets(table, 'known'))
    const refused: RefusedRow[] = []
    const send = async (tablet: Tablet, operations: RowOperations): Promise<void> => {
      refused.push(...(await this.#request(table, tablet, operations)))
    }
    const open = new Map<Tablet, RowOperations>()
    for (const row of rows) {
      const cells = table.columns.map(({ name }) => row[name as ColumnName] ?? null)
      const tablet = rangeHolding(tablets, Buffer.from(keyOf(cells)))
      if (tablet === undefined) throw unfit(table.name, 'has no range partition for some paths')
      const operations = open.get(tablet) ?? new RowOperations(table.columns)
      operations.add(operation, cells.slice(0, set.length))
      open.set(tablet, operations)
      if (operations.sizeBytes < REQUEST_BYTES) continue
      open.delete(tablet)
      await send(tablet, operations)
    }
    for (const [tablet, operations] of open) await send(tablet, operations)
    const wrong = refused.find(({ code }) => code !== STATUS.alreadyPresent && code !== STATUS.notFound)
    if (wrong === undefined) return refused
    throw new MillraceError('KUDU_ROW_REFUSED', `the Kudu table ${this.#name} refused a row: ${wrong.message}`, {
      domain: 'dependency',
    })
  }

  async #request(table: KuduTable, tablet: Tablet, operations: RowOperations): Promise<readonly RefusedRow[]> {
    let write: ReturnType<KuduClient['newWrite']> | undefined
    return this.#ask(`writing ${operations.count} rows to ${this.#name}`, (client) =>
      client.write(table, (write ??= client.newWrite(tablet, operations))),
    )
  }

  async #scan(
    doing: string,
    names: readonly ColumnName[],
    restrict: (columns: ReadonlyMap<string, KuduColumn>) => Pick<TabletScan, 'equals' | 'within'>,
  ): Promise<Partial<PartRow>[]> {
    const table = await this.#opened()
    const byName = new Map(table.columns.map((column) => [column.name, column]))
    const columns = table.columns.filter(({ name }) => names.some((wanted) => wanted === name))
    return this.#ask(doing, async (client) => {
      const found: Partial<PartRow>[] = []
      for (const tablet of await client.tablets(table, 'known')) {
        const scan = { tabletId: tablet.id, columns, snapshot: 'present', ...restrict(byName) } as const
        await readInto(found, client, table, scan)
      }
      return found
    })
  }
}

async function readInto(
  found: Partial<PartRow>[],
  client: KuduClient,
  table: KuduTable,
  scan: TabletScan,
): Promise<void> {
  const scanner = await client.openScan(table, scan)
  try {
    for (let block = await scanner.next(); block !== undefined; block = await scanner.next())
      for (let row = 0; row < block.count; row++)
        found.push(
          Object.fromEntries(
            scan.columns.map(({ name, type }, index) => [name, ownCell(type, block.cell(index, row))]),
          ) as Partial<PartRow>,
        )
  } finally {
    await scanner.close()
  }
}

/** No row of Millrace has a path or generation that is not UTF-8. */
function ownCell(type: KuduColumn['type'], cell: Cell | undefined): Cell | undefined {
  return type === KUDU_TYPE.string && typeof cell !== 'string' ? undefined : cell
}

function equalTo(
  columns: ReadonlyMap<string, KuduColumn>,
  values: Partial<Record<ColumnName, Cell>>,
): Pick<TabletScan, 'equals'> {
  return {
    equals: Object.entries(values).flatMap(([name, cell]) => {
      const column = columns.get(name)
      return column === undefined ? [] : [{ column, cell }]
    }),
  }
}

/** Rows of paths from the prefix on; those behind it are left out by the caller, since texts have no last successor. */
function pathsFrom(columns: ReadonlyMap<string, KuduColumn>, prefix: string): Pick<TabletScan, 'within'> {
  const column = columns.get('path')
  if (column === undefined || prefix === '') return {}
  const last = prefix.codePointAt(prefix.length - 1) ?? 0
  // the next code point of those that texts of one byte have: prefixes of a store end with / or a letter
  const to = last < 0x7f ? prefix.slice(0, -1) + String.fromCodePoint(last + 1) : undefined
  return { within: { column, from: prefix, to } }
}

function checkShape({ name, columns }: KuduTable): void {
  for (const [wanted, { type, isKey }] of Object.entries(SHAPE)) {
    const column = columns.find((known) => known.name === wanted)
    if (column === undefined) throw unfit(name, `has no column ${wanted}`)
    if (column.type !== type || column.isKey !== isKey)
      throw unfit(name, `has ${wanted} as ${columnText(column)}${column.isKey ? ', in its key' : ''}`)
  }
  if (columns.length !== Object.keys(SHAPE).length)
    throw unfit(name, `has the columns ${columns.map((column) => column.name).join(', ')}`)
}

function unfit(table: string, how: string): MillraceError {
  return new MillraceError('STORE_TABLE_UNFIT', `the Kudu table ${table} cannot hold files: it ${how}`, {
    domain: 'user',
    retriable: true,
    hint: 'Create it with the key path STRING, generation STRING, part INT32 and the column bytes BINARY: docs/kudu.md has the command.',
  })
}
