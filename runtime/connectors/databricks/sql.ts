import { DELETED_COLUMN, ORDER_COLUMN, RANK_COLUMN } from './declaration.ts'

/** The only column of a gate. */
export const GATE_COLUMN = 'open'

/** A name as statements have it. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** `catalog.schema.table`, whose parts have no dot. */
export function quotedTable(table: string): string {
  return table.split('.').map(quoted).join('.')
}

/** A text as statements have it. */
export function quotedText(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/** Files that are loaded together. */
export interface StagedRows {
  readonly table: string
  /** The whole path of the folder. */
  readonly folder: string
  readonly files: readonly string[]
  readonly columns: readonly string[]
}

/**
 * Files that the table has loaded already are skipped: the statement may be repeated at any time.
 * Source: "COPY INTO" of the SQL reference.
 */
export function copyInto({ table, folder, files, columns }: StagedRows): string {
  return [
    `COPY INTO ${quotedTable(table)}`,
    `FROM (SELECT ${columns.map(quoted).join(', ')} FROM ${quotedText(folder)})`,
    'FILEFORMAT = PARQUET',
    `FILES = (${files.map(quotedText).join(', ')})`,
  ].join('\n')
}

/**
 * Replaces the rows of the keys by the last ones of the files. `gate` is a whole path. Each file and the gate are named by themselves: a
 * statement that does not find one of them fails, where a pattern would leave it out.
 */
export function mergeInto({ table, folder, files, columns }: StagedRows, key: readonly string[], gate: string): string {
  const names = columns.map(quoted)
  const keys = key.map(quoted)
  const read = [...names, quoted(ORDER_COLUMN), quoted(DELETED_COLUMN)].join(', ')
  const parts = files.map((file) => `SELECT ${read} FROM parquet.${quoted(`${folder}/${file}`)}`)
  const deleted = `s.${quoted(DELETED_COLUMN)}`
  const partition = keys.map((name) => `r.${name}`).join(', ')
  return [
    `MERGE INTO ${quotedTable(table)} AS t`,
    `USING (SELECT * FROM (SELECT r.*, row_number() OVER (PARTITION BY ${partition} ORDER BY r.${quoted(ORDER_COLUMN)} DESC) AS ${quoted(RANK_COLUMN)}`,
    `FROM (${parts.join(' UNION ALL ')}) AS r`,
    `CROSS JOIN parquet.${quoted(gate)} AS g WHERE g.${quoted(GATE_COLUMN)}) WHERE ${quoted(RANK_COLUMN)} = 1) AS s`,
    `ON ${keys.map((name) => `t.${name} = s.${name}`).join(' AND ')}`,
    `WHEN MATCHED AND ${deleted} THEN DELETE`,
    `WHEN MATCHED THEN UPDATE SET ${names.map((name) => `t.${name} = s.${name}`).join(', ')}`,
    `WHEN NOT MATCHED AND NOT ${deleted} THEN INSERT (${names.join(', ')}) VALUES (${names.map((name) => `s.${name}`).join(', ')})`,
  ].join('\n')
}

/**
 * A change of metadata: "Metadata changes cause all concurrent write operations to fail. These operations include changes
 * to table protocol, table properties, or data schema." (docs.databricks.com/optimizations/isolation-level)
 */
export function setProperty(table: string, name: string, value: string): string {
  return `ALTER TABLE ${quotedTable(table)} SET TBLPROPERTIES (${quotedText(name)} = ${quotedText(value)})`
}
