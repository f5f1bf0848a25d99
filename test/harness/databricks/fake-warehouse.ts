import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { parseStatement, type ParsedStatement, type ReadStatement } from './fake-sql.ts'
import { applied, SqlError, type Cell, type Change, type FakeRow, type FakeTable } from './fake-table.ts'

export interface StatementAnswer {
  /** The names of the columns of the result, and its rows as JSON_ARRAY has them. */
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
}

export type StatementState = 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELED'

/** The moments of a transaction. Whatever others do between two of them, it sees or does not see. */
type Transaction = AsyncGenerator<void, StatementAnswer>

/** A statement that goes on by one moment at a time. */
export class FakeStatement {
  readonly id: string
  readonly text: string
  state: StatementState = 'PENDING'
  answer: StatementAnswer | undefined
  error: { readonly error_code: string; readonly message: string } | undefined
  readonly #transaction: Transaction
  #underWay: Promise<void> = Promise.resolve()

  constructor(id: string, text: string, world: FakeWorld) {
    this.id = id
    this.text = text
    this.#transaction = run(text, world)
  }

  get hasEnded(): boolean {
    return this.state !== 'PENDING' && this.state !== 'RUNNING'
  }

  step(): Promise<void> {
    this.#underWay = this.#underWay.then(() => this.#step())
    return this.#underWay
  }

  async finish(): Promise<void> {
    while (!this.hasEnded) await this.step()
  }

  cancel(): void {
    if (!this.hasEnded) this.state = 'CANCELED'
  }

  async #step(): Promise<void> {
    if (this.hasEnded) return
    this.state = 'RUNNING'
    try {
      const { done, value } = await this.#transaction.next()
      if (done !== true) return
      this.answer = value
      this.state = 'SUCCEEDED'
    } catch (error) {
      this.state = 'FAILED'
      this.error = { error_code: 'BAD_REQUEST', message: error instanceof Error ? error.message : String(error) }
    }
  }
}

/** What runs statements in the place of the fake, which keeps their files for it, too. */
export interface StatementEngine {
  run(text: string): Promise<StatementAnswer>
  put(path: string, bytes: Uint8Array): void
  delete(path: string): void
}

/** What statements see. */
export interface FakeWorld {
  readonly engine?: StatementEngine | undefined
  readonly tables: ReadonlyMap<string, FakeTable>
  /** Files of volumes by their whole path. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

async function* run(text: string, world: FakeWorld): Transaction {
  if (world.engine !== undefined) return world.engine.run(text)
  const statement = parseStatement(text)
  const table = world.tables.get(statement.table)
  if (table === undefined) throw new SqlError('TABLE_OR_VIEW_NOT_FOUND', `there is no table ${statement.table}`)
  yield
  switch (statement.kind) {
    case 'copy':
      return yield* copy(statement, table, world)
    case 'read':
      return read(statement, table)
    case 'history':
      return {
        columns: ['version', 'timestamp', 'operation'],
        rows: [[String(table.newest.number), '2026-01-01T00:00:00.000Z', 'WRITE']],
      }
    case 'merge':
      return yield* merge(statement, table, world)
    case 'property':
      table.properties.set(statement.name, statement.value)
      table.put({ rows: table.newest.rows, changes: [], changesMetadata: true, copied: [] })
      return { columns: [], rows: [] }
  }
}

/** Files that are loaded are skipped. Another transaction that has loaded one of them meanwhile is a conflict. */
async function* copy(
  { columns, files }: Extract<ParsedStatement, { kind: 'copy' }>,
  table: FakeTable,
  world: FakeWorld,
): Transaction {
  const begun = table.newest.number
  const fresh = files.filter((file) => !table.copied.has(file))
  for (const file of fresh) checkThere(file, world)
  yield
  const rows = (await Promise.all(fresh.map((file) => rowsOf(file, world)))).flat()
  yield
  const others = table.since(begun)
  checkMetadata(others)
  if (others.some(({ copied }) => copied.some((file) => fresh.includes(file))))
    throw new SqlError('DELTA_CONCURRENT_TRANSACTION', 'another COPY INTO has loaded one of the files')
  const changes = rows.map((row): Change => ({ type: 'insert', row: filled(table, columns, row) }))
  if (fresh.length > 0)
    table.put({ rows: applied(table.newest.rows, changes), changes, changesMetadata: false, copied: fresh })
  return { columns: ['num_affected_rows', 'num_inserted_rows'], rows: [[String(rows.length), String(rows.length)]] }
}

/**
 * Of transactions that run at the same time, those conflict that touch the same row, and no others: two may insert rows of
 * the same key. That is less than any isolation level promises.
 */
async function* merge(
  { columns, files, gate, key }: Extract<ParsedStatement, { kind: 'merge' }>,
  table: FakeTable,
  world: FakeWorld,
): Transaction {
  for (const file of [...files, gate]) checkThere(file, world)
  const begun = table.newest
  yield
  const isOpen = (await rowsOf(gate, world)).some((row) => row['open'] === true)
  const rows = isOpen ? (await Promise.all(files.map((file) => rowsOf(file, world)))).flat() : []
  yield
  const keyOf = (row: FakeRow): string => JSON.stringify(key.map((name) => row[name]))
  const last = new Map<string, FakeRow>()
  for (const row of rows) {
    const known = last.get(keyOf(row))
    if (known === undefined || Number(known['_millrace_order']) < Number(row['_millrace_order']))
      last.set(keyOf(row), row)
  }
  const changes = changesBy(last, keyOf, { columns, table, begun: begun.rows })
  yield
  checkMetadata(table.since(begun.number))
  table.put({ rows: applied(table.newest.rows, changes), changes, changesMetadata: false, copied: [] })
  return { columns: ['num_affected_rows'], rows: [[String(changes.length)]] }
}

function changesBy(
  last: ReadonlyMap<string, FakeRow>,
  keyOf: (row: FakeRow) => string,
  { columns, table, begun }: { columns: readonly string[]; table: FakeTable; begun: readonly FakeRow[] },
): Change[] {
  const matched = new Set<string>()
  const replaced = begun.flatMap((row): Change[] => {
    const by = last.get(keyOf(row))
    if (by === undefined) return []
    matched.add(keyOf(row))
    if (by['_millrace_deleted'] === true) return [{ type: 'delete', row }]
    return [
      { type: 'update_preimage', row },
      { type: 'update_postimage', row: { ...row, ...filled(table, columns, by) } },
    ]
  })
  const inserted = [...last]
    .filter(([text, row]) => !matched.has(text) && row['_millrace_deleted'] !== true)
    .map(([, row]): Change => ({ type: 'insert', row: filled(table, columns, row) }))
  return [...replaced, ...inserted]
}

function read({ columns, of, insertsOnly, filter, offset }: ReadStatement, table: FakeTable): StatementAnswer {
  const isWanted = (row: FakeRow): boolean => filter === undefined || row[filter.name] === filter.value
  const textOf = (row: FakeRow): string => jsonOf(row, columns, table)
  if ('version' in of) {
    const version = table.versions[of.version]
    if (version === undefined || of.version < table.kept)
      throw new SqlError('DELTA_VERSION_NOT_FOUND', `Cannot time travel Delta table to version ${of.version}.`)
    const rows = version.rows.filter(isWanted).map((row) => [textOf(row)])
    return { columns: ['r'], rows: rows.toSorted(byCells).slice(offset) }
  }
  if (of.to > table.newest.number || of.from < table.kept)
    throw new SqlError('DELTA_VERSION_NOT_FOUND', `Cannot time travel Delta table to version ${of.from}.`)
  if (of.from < table.feedSince)
    throw new SqlError('DELTA_MISSING_CHANGE_DATA', `change data was not recorded for version [${of.from}]`)
  const rows = table.versions.slice(of.from, of.to + 1).flatMap(({ number, timeMs, changes }) =>
    changes
      .filter(({ type, row }) => isWanted(row) && (!insertsOnly || type === 'insert'))
      .toSorted(
        (a, b) =>
          CHANGE_ORDER.indexOf(a.type) - CHANGE_ORDER.indexOf(b.type) || byCells([textOf(a.row)], [textOf(b.row)]),
      )
      .map(({ type, row }) => [textOf(row), type, String(number), String(timeMs)]),
  )
  return { columns: ['r', 'c', 'v', 'm'], rows: rows.slice(offset) }
}

const CHANGE_ORDER = ['delete', 'update_preimage', 'insert', 'update_postimage']

function byCells([a = '']: readonly string[], [b = '']: readonly string[]): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** As `to_json` writes a struct: without what is null. */
function jsonOf(row: FakeRow, columns: ReadStatement['columns'], table: FakeTable): string {
  const members = columns.flatMap(({ name, by }) => {
    const value = row[name] ?? null
    if (value === null) return []
    return [
      `${JSON.stringify(name)}:${jsonText(value, by, table.columns.find((column) => column.name === name)?.type)}`,
    ]
  })
  return `{${members.join(',')}}`
}

function jsonText(
  value: Exclude<Cell, null>,
  by: ReadStatement['columns'][number]['by'],
  type: string | undefined,
): string {
  if (by === 'unix_millis') return String(Date.parse(String(value)))
  if (by === 'base64') return JSON.stringify(Buffer.from(String(value), 'hex').toString('base64'))
  if (type === undefined) throw new SqlError('UNRESOLVED_COLUMN', 'there is no such column')
  if (type === 'date') return JSON.stringify(String(value).slice(0, 10))
  if (type === 'bigint' || /^(?:decimal|struct|array|map)/.test(type)) return String(value)
  return JSON.stringify(value)
}

function checkMetadata(others: readonly { readonly changesMetadata: boolean }[]): void {
  if (others.some(({ changesMetadata }) => changesMetadata))
    throw new SqlError('DELTA_METADATA_CHANGED', 'MetadataChangedException: the metadata of the table was changed')
}

function filled({ columns }: FakeTable, given: readonly string[], row: FakeRow): FakeRow {
  return Object.fromEntries(
    columns.map(({ name, nullable }) => {
      const value = given.includes(name) ? (row[name] ?? null) : null
      if (value === null && !nullable) throw new SqlError('DELTA_NOT_NULL_CONSTRAINT_VIOLATED', `${name} is null`)
      return [name, value]
    }),
  )
}

function checkThere(file: string, { files }: FakeWorld): void {
  if (!files.has(file)) throw new SqlError('PATH_NOT_FOUND', `Path does not exist: ${file}`)
}

async function rowsOf(file: string, { files }: FakeWorld): Promise<FakeRow[]> {
  const bytes = files.get(file)
  if (bytes === undefined) throw new SqlError('FAILED_READ_FILE.FILE_NOT_EXIST', file)
  const found = await parquetReadObjects({ file: Uint8Array.from(bytes).buffer, compressors, utf8: false })
  return found.map((row) =>
    Object.fromEntries(Object.entries(row as Record<string, unknown>).map(([name, value]) => [name, cellOf(value)])),
  )
}

function cellOf(value: unknown): Cell {
  if (value === null || value === undefined) return null
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return value as Cell
}
