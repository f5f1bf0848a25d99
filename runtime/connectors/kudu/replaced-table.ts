import { MillraceError } from '../../model/errors.ts'
import type { KuduClient, KuduTable } from './client.ts'
import { TABLE_UNKNOWN } from './errors.ts'

/**
 * The error of a call to an open table, or a better one: a table is known by its id, and when another one has its name,
 * waiting for the old one is in vain. The attempt then ends, and the next one opens the new table. Rejects with the
 * error of asking.
 */
export async function whyRefused(client: KuduClient, { name, id }: KuduTable, error: unknown): Promise<unknown> {
  if (!(error instanceof MillraceError) || error.code !== TABLE_UNKNOWN) return error
  const there = await client.openTable(name)
  if (there.id === id) return error
  return new MillraceError(
    'KUDU_TABLE_REPLACED',
    `the Kudu table ${name} was dropped and created again: ${there.id} stands in the place of ${id}`,
    {
      domain: 'dependency',
      cause: error,
      hint: 'The job starts again with the new table. A sink writes the rows since the last checkpoint there; earlier ones went with the old table.',
    },
  )
}
