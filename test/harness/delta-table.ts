import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SinkContext } from '../../runtime/connectors/sink.ts'
import type { Row, Schema } from '../../runtime/model/schema.ts'
import { readParquet } from './parquet-batches.ts'
import { quietPorts } from './source-context.ts'

/** The actions of a table's commits, in order, read without any code of the connector. Only for tables without checkpoint. */
export function deltaActions(table: string): Record<string, Record<string, unknown>>[][] {
  const log = join(table, '_delta_log')
  if (!existsSync(log)) return []
  return readdirSync(log)
    .filter((name) => /^\d{20}\.json$/.test(name))
    .sort()
    .map((name) =>
      readFileSync(join(log, name), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>),
    )
}

/** The rows of the files that the commits add, each file as often as it is added. */
export async function deltaRows(table: string, schema: Schema): Promise<Row[]> {
  const rows: Row[] = []
  for (const action of deltaActions(table).flat())
    if (action['add'] !== undefined)
      rows.push(...(await readParquet(join(table, String(action['add']['path'])), schema)))
  return rows
}

/** The rows of the newest version, with the values of their partitions as the log has them. */
export async function liveDeltaRows(table: string, schema: Schema): Promise<Row[]> {
  const live = new Map<string, Record<string, unknown>>()
  for (const actions of deltaActions(table)) {
    for (const { remove } of actions) if (remove !== undefined) live.delete(String(remove['path']))
    for (const { add } of actions) if (add !== undefined) live.set(String(add['path']), add)
  }
  const rows: Row[] = []
  for (const [path, { partitionValues }] of live) {
    const values = partitionValues as Record<string, unknown>
    const fields = schema.fields.filter(({ name }) => !Object.hasOwn(values, name))
    for (const row of await readParquet(join(table, path), { fields })) rows.push({ ...row, ...values })
  }
  return rows
}

/** Files that are written and that no version names, yet or ever. */
export function unnamedFiles(table: string): string[] {
  if (!existsSync(table)) return []
  const named = new Set(
    deltaActions(table)
      .flat()
      .map(({ add }) => add?.['path']),
  )
  return readdirSync(table, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.parquet') && !path.includes('/.') && !named.has(path),
  )
}

/** A sink's context whose job lies in the folder. */
export function deltaSinkContext(baseDir: string, schema: Schema): Omit<SinkContext, 'slot' | 'attempt'> {
  return {
    jobUid: 'job-1',
    predecessors: [],
    operatorId: 'out',
    schema,
    ports: quietPorts(),
    baseDir,
    stopping: new AbortController().signal,
    reportTrouble(error) {
      if (error) throw error
    },
  }
}
