import { MillraceError } from '../../model/errors.ts'
import type { CassandraAccess } from './access.ts'
import {
  type CassandraClient,
  type CassandraRow,
  type CassandraTable,
  REFUSED,
  type Statement,
  TABLE_CHANGED,
} from './client.ts'
import { typeText } from './types.ts'

/** Then the subtask fails, or the call by its own time limit. */
const PATIENCE_MS = 600_000

const MAY_BE_OUTDATED: ReadonlySet<string> = new Set([TABLE_CHANGED, REFUSED])

/**
 * A table that statements are sent to. They come from a plan, which depends on its columns: the plan is made anew when
 * somebody has altered the table, or dropped it and created another one.
 */
export class OpenTable<Plan> {
  readonly #access: CassandraAccess
  readonly #planOf: (table: CassandraTable) => Plan
  #table: CassandraTable
  #plan: Plan
  #looking: Promise<void> | undefined

  private constructor(access: CassandraAccess, planOf: (table: CassandraTable) => Plan, table: CassandraTable) {
    this.#access = access
    this.#planOf = planOf
    this.#table = table
    this.#plan = planOf(table)
  }

  /** Waits for a table that is not there. `planOf` throws when it cannot be used. */
  static async open<Plan>(
    access: CassandraAccess,
    { keyspace, table: name }: { keyspace: string; table: string },
    planOf: (table: CassandraTable) => Plan,
  ): Promise<OpenTable<Plan>> {
    const table = await access.ask(`opening ${keyspace}.${name}`, PATIENCE_MS, (client) =>
      client.openTable(keyspace, name),
    )
    return new OpenTable(access, planOf, table)
  }

  get plan(): Plan {
    return this.#plan
  }

  /**
   * Sends the statement that `statementOf` makes for each try, as CassandraAccess.ask. The answer is that of a statement
   * of `plan`.
   */
  ask(
    doing: string,
    statementOf: (plan: Plan) => Statement,
    signal?: AbortSignal,
  ): Promise<{ plan: Plan; rows: readonly CassandraRow[] }> {
    const send = async (client: CassandraClient): Promise<{ plan: Plan; rows: readonly CassandraRow[] }> => {
      const plan = this.#plan
      try {
        return { plan, rows: await client.execute(statementOf(plan)) }
      } catch (error) {
        if (!(error instanceof MillraceError) || !MAY_BE_OUTDATED.has(error.code)) throw error
      }
      await this.#lookTogether(client)
      // what is refused now is refused for what it says
      const current = this.#plan
      return { plan: current, rows: await client.execute(statementOf(current)) }
    }
    return this.#access.ask(doing, PATIENCE_MS, send, signal)
  }

  /** Requests that were under way side by side learn from one question what the table is now. */
  #lookTogether(client: CassandraClient): Promise<void> {
    this.#looking ??= this.#look(client).finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(client: CassandraClient): Promise<void> {
    const { keyspace, name } = this.#table
    const table = await client.openTable(keyspace, name)
    if (shapeOf(table) === shapeOf(this.#table)) return
    this.#plan = this.#planOf(table)
    this.#table = table
  }
}

function shapeOf({ columns, partitionKey, clusteringKey }: CassandraTable): string {
  return JSON.stringify([columns.map(({ name, type }) => [name, typeText(type)]), partitionKey, clusteringKey])
}
