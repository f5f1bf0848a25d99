import { MillraceError } from '../../../model/errors.ts'
import type { Generation, HeadRow, ObjectRows, Part } from '../../kit/row-store/object-rows.ts'
import { prefixEnd } from '../../kit/row-store/prefix-end.ts'
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
/** The part of a row that says that its generation is being deleted. */
const CONDEMNED = -1
/** No generation is shorter, and none comes before this one. */
const FIRST_GENERATION = '0'

type ColumnName = 'path' | 'generation' | 'part' | 'bytes'

/** The row of an object's head has the generation '' and part 0. */
interface RowKey {
  readonly path: string
  readonly generation: string
  readonly part: number
}

interface PartRow extends RowKey {
  readonly bytes: Uint8Array
}

/** Calls the cluster, and again while it cannot answer. */
export type AskKudu = <T>(doing: string, call: (client: KuduClient) => Promise<T>) => Promise<T>

/**
 * The table of a store: rows by path, generation and part. Every read is of all that was written before it, wherever the
 * leaders of the tablets have moved to.
 */
export class StoreRows implements ObjectRows {
  readonly inlineBytes = 16_000
  /** Kudu refuses cells of more than 64 KiB. */
  readonly partBytes = 60_000
  readonly #ask: AskKudu
  readonly #name: string
  #table: Promise<KuduTable> | undefined

  constructor(ask: AskKudu, name: string) {
    this.#ask = ask
    this.#name = name
  }

  async head(path: string): Promise<Uint8Array | undefined> {
    const [found] = await this.#scan(`reading ${path}`, ['bytes'], (columns) =>
      equalTo(columns, { path, generation: '' }),
    )
    return found?.bytes
  }

  insertHead(path: string, { bytes }: HeadRow): Promise<boolean> {
    return this.#insert({ ...headKey(path), bytes })
  }

  async putHead(path: string, { bytes }: HeadRow): Promise<void> {
    await this.#write(OPERATION.upsert, [{ ...headKey(path), bytes }])
  }

  async deleteHead(path: string): Promise<void> {
    await this.#write(OPERATION.deleteIgnore, [headKey(path)])
  }

  async heads(prefix: string): Promise<readonly string[]> {
    const rows = await this.#scan(`listing ${prefix}`, ['path'], (columns) => ({
      ...equalTo(columns, { generation: '' }),
      ...pathsFrom(columns, prefix),
    }))
    return rows.flatMap(({ path }) => (path?.startsWith(prefix) === true ? [path] : []))
  }

  async writeParts({ path, name }: Generation, parts: readonly Uint8Array[]): Promise<void> {
    const rows = parts.map((bytes, part) => ({ path, generation: name, part, bytes }))
    await this.#write(OPERATION.upsert, rows)
  }

  async parts({ path, name }: Generation): Promise<readonly Part[]> {
    const rows = await this.#scan(`reading ${path}`, ['part', 'bytes'], (columns) =>
      equalTo(columns, { path, generation: name }),
    )
    return rows.flatMap(({ part = 0, bytes = new Uint8Array() }) =>
      part === CONDEMNED ? [] : [{ number: part, bytes }],
    )
  }

  async generations(prefix: string): Promise<readonly Generation[]> {
    const rows = await this.#scan(`listing ${prefix}`, ['path', 'generation'], (columns) => pathsFrom(columns, prefix))
    const found = new Map<string, Generation>()
    for (const { path = '', generation = '' } of rows)
      if (path.startsWith(prefix) && generation >= FIRST_GENERATION)
        found.set(`${generation}/${path}`, { path, name: generation })
    return [...found.values()]
  }

  async generationsOf(path: string): Promise<readonly Generation[]> {
    const names = new Set((await this.#keysOf(path)).map(({ generation }) => generation))
    return [...names].filter((name) => name !== '').map((name) => ({ path, name }))
  }

  async deleteGeneration(of: Generation): Promise<void> {
    const rows = await this.#rowsOf(of)
    await this.#write(
      OPERATION.deleteIgnore,
      rows.filter(({ part }) => part !== CONDEMNED),
    )
    if (rows.some(({ part }) => part === CONDEMNED)) await this.absolve(of)
  }

  async condemn(of: Generation): Promise<void> {
    await this.#insert({ ...condemnation(of), bytes: new Uint8Array() })
  }

  async absolve(of: Generation): Promise<void> {
    await this.#write(OPERATION.deleteIgnore, [condemnation(of)])
  }

  async isKept(of: Generation, count: number): Promise<boolean> {
    const rows = await this.#rowsOf(of)
    return rows.length === count && rows.every(({ part }) => part !== CONDEMNED)
  }

  async #insert(row: PartRow): Promise<boolean> {
    const refused = await this.#write(OPERATION.insert, [row])
    return !refused.some(({ code }) => code === STATUS.alreadyPresent)
  }

  async #keysOf(path: string): Promise<readonly RowKey[]> {
    const rows = await this.#scan(`reading ${path}`, ['generation', 'part'], (columns) => equalTo(columns, { path }))
    return rows.map(({ generation = '', part = 0 }) => ({ path, generation, part }))
  }

  async #rowsOf({ path, name }: Generation): Promise<readonly RowKey[]> {
    return (await this.#keysOf(path)).filter(({ generation }) => generation === name)
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

function headKey(path: string): RowKey {
  return { path, generation: '', part: 0 }
}

function condemnation({ path, name }: Generation): RowKey {
  return { path, generation: name, part: CONDEMNED }
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
  return { within: { column, from: prefix, to: prefixEnd(prefix) } }
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
