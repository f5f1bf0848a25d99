/** A value of a column as the fake holds it; bytes are hex, times are ISO texts. */
export type Cell = string | number | boolean | null
export type FakeRow = Readonly<Record<string, Cell>>

export interface FakeColumn {
  readonly name: string
  /** As Unity Catalog writes it. */
  readonly type: string
  readonly nullable: boolean
}

export type ChangeType = 'insert' | 'delete' | 'update_preimage' | 'update_postimage'

export interface Change {
  readonly type: ChangeType
  readonly row: FakeRow
}

/** What one version did. A version without changes of rows may change metadata. */
export interface Version {
  readonly number: number
  readonly timeMs: number
  readonly rows: readonly FakeRow[]
  readonly changes: readonly Change[]
  readonly changesMetadata: boolean
  /** Files that this version has copied. */
  readonly copied: readonly string[]
}

/** An error as the message of a statement has it: `[CLASS] words`. */
export class SqlError extends Error {
  constructor(errorClass: string, words: string) {
    super(`[${errorClass}] ${words}`)
  }
}

/** The version that a transaction makes of the newest one, without its number and time. */
export type NewVersion = Omit<Version, 'number' | 'timeMs'>

/** A Delta table: its versions, and what commits at the same time are refused. */
export class FakeTable {
  readonly id: string
  readonly columns: readonly FakeColumn[]
  readonly versions: Version[]
  readonly properties = new Map<string, string>()
  /** The first version whose changes and rows are kept. */
  kept = 0
  /** The first version that has a change feed. */
  feedSince = 0

  constructor(id: string, columns: readonly FakeColumn[]) {
    this.id = id
    this.columns = columns
    this.versions = [{ number: 0, timeMs: 0, rows: [], changes: [], changesMetadata: true, copied: [] }]
  }

  get newest(): Version {
    const newest = this.versions.at(-1)
    if (newest === undefined) throw new Error('a table has a version')
    return newest
  }

  get copied(): ReadonlySet<string> {
    return new Set(this.versions.flatMap(({ copied }) => copied))
  }

  /** What was committed behind a version. */
  since(number: number): readonly Version[] {
    return this.versions.filter((version) => version.number > number)
  }

  put(version: NewVersion): Version {
    const number = this.newest.number + 1
    const made = { ...version, number, timeMs: 1_700_000_000_000 + number * 1000 }
    this.versions.push(made)
    return made
  }

  /** Inserts and deletes as another user would do them: at once. */
  change(changes: readonly Change[]): void {
    this.put({ rows: applied(this.newest.rows, changes), changes, changesMetadata: false, copied: [] })
  }
}

/** Throws where a row that is to be removed is not there any more. */
export function applied(rows: readonly FakeRow[], changes: readonly Change[]): readonly FakeRow[] {
  const left = [...rows]
  for (const { type, row } of changes) {
    if (type === 'insert' || type === 'update_postimage') {
      left.push(row)
      continue
    }
    const text = JSON.stringify(row)
    const at = left.findIndex((one) => JSON.stringify(one) === text)
    if (at < 0) throw new SqlError('DELTA_CONCURRENT_DELETE_DELETE', 'a row was changed by another transaction')
    left.splice(at, 1)
  }
  return left
}
