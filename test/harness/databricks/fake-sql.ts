/** The statements that Millrace sends, and no others: one that is changed has to be changed here, too. */
export type ParsedStatement =
  | {
      readonly kind: 'copy'
      readonly table: string
      readonly columns: readonly string[]
      readonly files: readonly string[]
    }
  | {
      readonly kind: 'merge'
      readonly table: string
      readonly columns: readonly string[]
      readonly files: readonly string[]
      readonly gate: string
      readonly key: readonly string[]
    }
  | ReadStatement
  | { readonly kind: 'history'; readonly table: string }
  | { readonly kind: 'property'; readonly table: string; readonly name: string; readonly value: string }

/** A statement that reads rows, of a snapshot or of changes. */
export interface ReadStatement {
  readonly kind: 'read'
  readonly table: string
  readonly columns: readonly { readonly name: string; readonly by: 'itself' | 'unix_millis' | 'base64' }[]
  readonly of: { readonly version: number } | { readonly from: number; readonly to: number }
  readonly insertsOnly: boolean
  /** `name = number`. */
  readonly filter: { readonly name: string; readonly value: number } | undefined
  readonly offset: number
}

const NAME = '`(?:[^`]|``)+`'
const TABLE = `${NAME}\\.${NAME}\\.${NAME}`
const NAMES = `${NAME}(?:, ${NAME})*`
const TEXT = "'(?:[^'\\\\]|\\\\.)*'"

const COPY = new RegExp(
  `^COPY INTO (${TABLE})\\nFROM \\(SELECT (${NAMES}) FROM (${TEXT})\\)\\nFILEFORMAT = PARQUET\\nFILES = \\((${TEXT}(?:, ${TEXT})*)\\)$`,
)
const PART = `SELECT (${NAMES}) FROM parquet\\.(${NAME})`
const MERGE = new RegExp(
  [
    `^MERGE INTO (${TABLE}) AS t`,
    'USING \\(SELECT \\* FROM \\(SELECT r\\.\\*, row_number\\(\\) OVER \\(PARTITION BY (.+) ORDER BY r\\.`_millrace_order` DESC\\) AS `_millrace_rank`',
    'FROM \\((.+)\\) AS r',
    `CROSS JOIN parquet\\.(${NAME}) AS g WHERE g\\.\`open\`\\) WHERE \`_millrace_rank\` = 1\\) AS s`,
    'ON (.+)',
    'WHEN MATCHED AND s\\.`_millrace_deleted` THEN DELETE',
    'WHEN MATCHED THEN UPDATE SET (.+)',
    `WHEN NOT MATCHED AND NOT s\\.\`_millrace_deleted\` THEN INSERT \\((${NAMES})\\) VALUES \\((.+)\\)$`,
  ].join('\\n'),
)
const PROPERTY = new RegExp(`^ALTER TABLE (${TABLE}) SET TBLPROPERTIES \\((${TEXT}) = (${TEXT})\\)$`)

const ROW = 'to_json\\(struct\\((.+?)\\)\\) AS r'
const FILTER = '\\((\\w+) = (-?\\d+)\\n\\)'
const SNAPSHOT = new RegExp(
  `^SELECT r FROM \\(SELECT ${ROW} FROM (${TABLE}) VERSION AS OF (\\d+)(?: WHERE ${FILTER})?\\) ORDER BY CAST\\(r AS BINARY\\)(?: OFFSET (\\d+))?$`,
)
const CHANGES = new RegExp(
  [
    `^SELECT r, c, v, m FROM \\(SELECT ${ROW}, _change_type AS c, _commit_version AS v, unix_millis\\(_commit_timestamp\\) AS m`,
    ` FROM table_changes\\('(${TABLE})', (\\d+), (\\d+)\\)(?: WHERE (_change_type = 'insert')?(?:(?: AND )?${FILTER})?)?\\) ORDER BY v, `,
    "CASE c WHEN 'delete' THEN 0 WHEN 'update_preimage' THEN 1 WHEN 'insert' THEN 2 ELSE 3 END, ",
    'CAST\\(r AS BINARY\\)(?: OFFSET (\\d+))?$',
  ].join(''),
)
const HISTORY = new RegExp(`^DESCRIBE HISTORY (${TABLE}) LIMIT 1$`)

/** Throws for a statement that is none of ours. */
export function parseStatement(text: string): ParsedStatement {
  const parsed = parseCopy(text) ?? parseMerge(text) ?? parseProperty(text) ?? parseRead(text) ?? parseHistory(text)
  if (parsed === undefined) throw new Error(`[PARSE_SYNTAX_ERROR] the fake knows no statement as: ${text}`)
  return parsed
}

function parseCopy(text: string): ParsedStatement | undefined {
  const [, table, columns, folder, files] = COPY.exec(text) ?? []
  if (table === undefined || columns === undefined || folder === undefined || files === undefined) return undefined
  const names = matches(files, TEXT).map(textOf)
  if (names.length > 1000) throw new Error('[COPY_INTO] more than 1000 files')
  return {
    kind: 'copy',
    table: tableOf(table),
    columns: namesOf(columns),
    files: names.map((name) => `${textOf(folder)}/${name}`),
  }
}

function parseMerge(text: string): ParsedStatement | undefined {
  const [, table, partition, parts, gate, on, sets, inserted, values] = MERGE.exec(text) ?? []
  if (
    table === undefined ||
    parts === undefined ||
    gate === undefined ||
    partition === undefined ||
    on === undefined ||
    sets === undefined ||
    inserted === undefined ||
    values === undefined
  )
    return undefined
  const columns = namesOf(inserted)
  const key = namesOf(partition.replaceAll('r.`', '`'))
  const files = parts.split(' UNION ALL ').map((part) => {
    const [, read, file] = new RegExp(`^${PART}$`).exec(part) ?? []
    same(namesOf(read ?? ''), [...columns, '_millrace_order', '_millrace_deleted'], 'columns that are read')
    return nameOf(file ?? '')
  })
  const q = (name: string): string => `\`${name.replaceAll('`', '``')}\``
  same([on], [key.map((name) => `t.${q(name)} = s.${q(name)}`).join(' AND ')], 'condition')
  same([sets], [columns.map((name) => `t.${q(name)} = s.${q(name)}`).join(', ')], 'columns that are set')
  same([values], [columns.map((name) => `s.${q(name)}`).join(', ')], 'values that are inserted')
  return { kind: 'merge', table: tableOf(table), columns, files, gate: nameOf(gate), key }
}

function parseProperty(text: string): ParsedStatement | undefined {
  const [, table, name, value] = PROPERTY.exec(text) ?? []
  if (table === undefined || name === undefined || value === undefined) return undefined
  return { kind: 'property', table: tableOf(table), name: textOf(name), value: textOf(value) }
}

function parseHistory(text: string): ParsedStatement | undefined {
  const [, table] = HISTORY.exec(text) ?? []
  return table === undefined ? undefined : { kind: 'history', table: tableOf(table) }
}

function parseRead(text: string): ReadStatement | undefined {
  const [, row, table, version, name, value, offset] = SNAPSHOT.exec(text) ?? []
  if (row !== undefined && table !== undefined)
    return {
      kind: 'read',
      table: tableOf(table),
      columns: columnsOf(row),
      of: { version: Number(version) },
      insertsOnly: false,
      filter: filterOf(name, value),
      offset: Number(offset ?? 0),
    }
  const [, changed, changedTable, from, to, inserts, by, equals, behind] = CHANGES.exec(text) ?? []
  if (changed === undefined || changedTable === undefined) return undefined
  return {
    kind: 'read',
    table: tableOf(changedTable),
    columns: columnsOf(changed),
    of: { from: Number(from), to: Number(to) },
    insertsOnly: inserts !== undefined,
    filter: filterOf(by, equals),
    offset: Number(behind ?? 0),
  }
}

function filterOf(name: string | undefined, value: string | undefined): ReadStatement['filter'] {
  return name === undefined ? undefined : { name, value: Number(value) }
}

function columnsOf(struct: string): ReadStatement['columns'] {
  return struct.split(', ').map((expression) => {
    const [, by = 'itself', column = '', name] =
      new RegExp(`^(?:(unix_millis|base64)\\()?(${NAME})\\)? AS (${NAME})$`).exec(expression) ?? []
    if (column !== name || (by !== 'itself' && by !== 'unix_millis' && by !== 'base64'))
      throw new Error(`[PARSE_SYNTAX_ERROR] the fake knows no ${expression}`)
    return { name: nameOf(column), by }
  })
}

function same(found: readonly string[], wanted: readonly string[], what: string): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    throw new Error(`[PARSE_SYNTAX_ERROR] ${what}: ${JSON.stringify(found)} and ${JSON.stringify(wanted)}`)
}

export function matches(text: string, pattern: string): string[] {
  return [...text.matchAll(new RegExp(pattern, 'g'))].map(([match]) => match)
}

export function namesOf(text: string): string[] {
  return matches(text, NAME).map(nameOf)
}

function nameOf(written: string): string {
  return written.slice(1, -1).replaceAll('``', '`')
}

export function tableOf(written: string): string {
  return namesOf(written).join('.')
}

export function textOf(written: string): string {
  return written.slice(1, -1).replaceAll(/\\(.)/g, '$1')
}
