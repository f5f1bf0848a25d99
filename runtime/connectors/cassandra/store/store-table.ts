import { MillraceError } from '../../../model/errors.ts'
import type { PatientCall } from '../../kit/row-store/patient-calls.ts'
import {
  type CassandraClient,
  type CassandraColumn,
  type CassandraRow,
  type CassandraTable,
  quotedName,
  REFUSED,
  type Statement,
  TABLE_CHANGED,
} from '../client.ts'
import { typeText } from '../types.ts'

/** The columns of the table of a store, with those of its key first. */
export const COLUMNS = {
  place: { name: 'place', type: { kind: 'text' } },
  path: { name: 'path', type: { kind: 'text' } },
  generation: { name: 'generation', type: { kind: 'text' } },
  part: { name: 'part', type: { kind: 'int' } },
  state: { name: 'state', type: { kind: 'text' } },
  bytes: { name: 'bytes', type: { kind: 'blob' } },
} as const satisfies Readonly<Record<string, CassandraColumn>>

export type ColumnName = keyof typeof COLUMNS

const KEYSPACE_NAME = { name: 'keyspace_name', type: { kind: 'text' } } as const
/** What is deleted takes room for so long. Hints, which bring it to replicas that were away, are kept for 3 hours. */
const GC_GRACE_SECONDS = 86_400

/** The table of a store: it is made by the first write to it. The keyspace is an administrator's, who replicates it. */
export class StoreTable {
  /** As statements name it. */
  readonly name: string
  readonly #keyspace: string
  readonly #table: string
  readonly #client: CassandraClient
  readonly #patiently: PatientCall
  #isThere: Promise<boolean> | undefined

  constructor(
    { keyspace, table }: { readonly keyspace: string; readonly table: string },
    client: CassandraClient,
    patiently: PatientCall,
  ) {
    this.#keyspace = keyspace
    this.#table = table
    this.name = `${quotedName(keyspace)}.${quotedName(table)}`
    this.#client = client
    this.#patiently = patiently
  }

  /** The rows of the answer; none where there is no table yet. */
  async read(doing: string, statement: Statement): Promise<readonly CassandraRow[]> {
    return (await this.#opened()) ? this.#execute(doing, statement) : []
  }

  /** As `read`, and makes the table where there is none. */
  async write(doing: string, statement: Statement): Promise<readonly CassandraRow[]> {
    if (!(await this.#opened())) await this.#create()
    return this.#execute(doing, statement)
  }

  async #execute(doing: string, statement: Statement): Promise<readonly CassandraRow[]> {
    try {
      return await this.#patiently(doing, () => this.#client.execute(statement).catch(asNotYetThere))
    } catch (error) {
      // somebody may have dropped the table
      if (error instanceof MillraceError && MAY_BE_GONE.has(error.code)) this.#isThere = undefined
      throw error
    }
  }

  #opened(): Promise<boolean> {
    const looking = (this.#isThere ??= this.#look())
    const forget = (): void => {
      if (this.#isThere === looking) this.#isThere = undefined
    }
    looking.then((isThere) => {
      if (!isThere) forget()
    }, forget)
    return looking
  }

  async #look(): Promise<boolean> {
    try {
      checkShape(
        await this.#patiently(`opening ${this.name}`, async () =>
          this.#client.openTable(this.#keyspace, this.#table).catch(asAbsent),
        ),
      )
      return true
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== ABSENT) throw error
    }
    const [keyspace] = await this.#patiently(`looking for the keyspace ${this.#keyspace}`, () =>
      this.#client.execute({
        cql: 'SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?',
        values: [this.#keyspace],
        types: [KEYSPACE_NAME.type],
        reads: [KEYSPACE_NAME],
      }),
    )
    if (keyspace === undefined) throw this.#keyspaceUnknown()
    return false
  }

  async #create(): Promise<void> {
    const cql = createTable(this.name)
    try {
      await this.#patiently(`making ${this.name}`, () => this.#client.execute({ cql, values: [], types: [] }))
    } catch (cause) {
      if (!(cause instanceof MillraceError) || cause.code !== 'CASSANDRA_FORBIDDEN') throw cause
      throw new MillraceError(
        'STORE_TABLE_UNKNOWN',
        `the keyspace ${this.#keyspace} has no table ${this.#table}, and the job may not make it: ${cause.message}`,
        { domain: 'user', retriable: true, cause, hint: `Run: ${cql};` },
      )
    }
    // other columns than these may have been there before
    if (!(await this.#opened())) throw this.#keyspaceUnknown()
  }

  #keyspaceUnknown(): MillraceError {
    return new MillraceError('STORE_KEYSPACE_UNKNOWN', `there is no keyspace ${this.#keyspace} in Cassandra`, {
      domain: 'user',
      retriable: true,
      hint: `Millrace does not decide how often state is replicated. Run, with your datacenters: CREATE KEYSPACE ${quotedName(this.#keyspace)} WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3};`,
    })
  }
}

const MAY_BE_GONE: ReadonlySet<string> = new Set([TABLE_CHANGED, REFUSED, 'CASSANDRA_UNAVAILABLE'])
const ABSENT = 'STORE_TABLE_ABSENT'

/**
 * A table that has just been made is listed before every node, or the one that lists it, takes statements of it. Cassandra
 * says so in words only (`table jobs does not exist`, `unconfigured table jobs`).
 */
function asNotYetThere(error: unknown): never {
  if (
    error instanceof MillraceError &&
    error.code === REFUSED &&
    /table \w+ does not exist|unconfigured table/.test(error.message)
  )
    throw new MillraceError('CASSANDRA_UNAVAILABLE', error.message, {
      domain: 'dependency',
      retriable: true,
      cause: error,
    })
  throw error
}

/** A table that is not there is no reason to be patient. */
function asAbsent(error: unknown): never {
  if (error instanceof MillraceError && error.code === 'CASSANDRA_TABLE_UNKNOWN')
    throw new MillraceError(ABSENT, error.message, { domain: 'user', cause: error })
  throw error
}

/** `name` is quoted. */
export function createTable(name: string): string {
  const columns = Object.values(COLUMNS).map((column) => `${column.name} ${typeText(column.type)}`)
  return `CREATE TABLE IF NOT EXISTS ${name} (${columns.join(', ')}, PRIMARY KEY (place, path, generation, part)) WITH gc_grace_seconds = ${GC_GRACE_SECONDS}`
}

function checkShape({ keyspace, name, columns, partitionKey, clusteringKey }: CassandraTable): void {
  for (const { name: wanted, type } of Object.values(COLUMNS)) {
    const column = columns.find((known) => known.name === wanted)
    if (column === undefined) throw unfit(keyspace, name, `has no column ${wanted}`)
    if (typeText(column.type) !== typeText(type))
      throw unfit(keyspace, name, `has ${wanted} as ${typeText(column.type)}`)
  }
  const key = [partitionKey.join(', '), ...clusteringKey]
  if (key.join(', ') !== 'place, path, generation, part')
    throw unfit(keyspace, name, `has the primary key (${key.join(', ')})`)
}

function unfit(keyspace: string, table: string, how: string): MillraceError {
  return new MillraceError(
    'STORE_TABLE_UNFIT',
    `the Cassandra table ${keyspace}.${table} cannot hold files: it ${how}`,
    {
      domain: 'user',
      retriable: true,
      hint: 'Give the store a table of its own: it makes the table itself, and docs/cassandra.md has the statement.',
    },
  )
}
