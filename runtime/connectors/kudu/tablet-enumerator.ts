import type { SourceContext, Split, SplitEnumerator } from '../source.ts'
import { KuduAccess } from './access.ts'
import type { KuduClient, KuduConnect } from './client.ts'
import type { KuduSourceOptions } from './declaration.ts'
import { encodeScanPosition } from './scan-position.ts'
import { columnsToRead } from './table-columns.ts'

/** Below the 15 s within which a user hears of a wrong address. */
const PATIENCE_MS = 8000

/**
 * A split for each tablet, all at one snapshot, which is taken when the job first starts. A tablet that is added later,
 * with a range partition, is read from its beginning by a continuous source.
 */
export class TabletEnumerator implements SplitEnumerator {
  readonly #context: SourceContext
  readonly #options: KuduSourceOptions
  readonly #access: KuduAccess

  constructor(context: SourceContext, options: KuduSourceOptions, connect: KuduConnect) {
    this.#context = context
    this.#options = options
    this.#access = new KuduAccess(connect, options, context)
  }

  discover(known: readonly Split[]): Promise<Split[]> {
    return this.#access.ask(`listing the tablets of ${this.#options.table}`, PATIENCE_MS, (client) =>
      this.#look(client, known),
    )
  }

  close(): Promise<void> {
    return this.#access.close()
  }

  async #look(client: KuduClient, known: readonly Split[]): Promise<Split[]> {
    const table = await client.openTable(this.#options.table)
    columnsToRead(table, this.#context.schema)
    if (known.length > 0 && this.#options.continuous === undefined) return [...known]
    const ids = new Set(known.map(({ id }) => id))
    const fresh = (await client.tablets(table, 'anew')).filter(({ id }) => !ids.has(id))
    const [first] = fresh
    if (first === undefined) return [...known]
    const position = encodeScanPosition({ snapshot: await client.now(table, first), skip: 0, isRead: false })
    return [...known, ...fresh.map(({ id }) => ({ id, position, finished: false }))]
  }
}
