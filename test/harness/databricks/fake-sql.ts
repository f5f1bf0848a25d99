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
  | { readonly kind: 'property'; readonly table: string; readonly name: string; readonly value: string }

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
    `USING \\(SELECT r\\.\\* FROM \\((.+)\\) AS r`,
    `CROSS JOIN parquet\\.(${NAME}) AS g WHERE g\\.\`open\``,
    'QUALIFY row_number\\(\\) OVER \\(PARTITION BY (.+) ORDER BY r\\.`_millrace_order` DESC\\) = 1\\) AS s',
    'ON (.+)',
    'WHEN MATCHED AND s\\.`_millrace_deleted` THEN DELETE',
    'WHEN MATCHED THEN UPDATE SET (.+)',
    `WHEN NOT MATCHED AND NOT s\\.\`_millrace_deleted\` THEN INSERT \\((${NAMES})\\) VALUES \\((.+)\\)$`,
  ].join('\\n'),
)
const PROPERTY = new RegExp(`^ALTER TABLE (${TABLE}) SET TBLPROPERTIES \\((${TEXT}) = (${TEXT})\\)$`)

/** Throws for a statement that is none of ours. */
export function parseStatement(text: string): ParsedStatement {
  const parsed = parseCopy(text) ?? parseMerge(text) ?? parseProperty(text)
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
  const [, table, parts, gate, partition, on, sets, inserted, values] = MERGE.exec(text) ?? []
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
