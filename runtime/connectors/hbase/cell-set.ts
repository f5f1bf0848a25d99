import { isFields } from '../../model/fields.ts'

/** A row as it is sent: texts are base64, as the gateway's JSON has bytes. */
export interface SentRow {
  readonly key: string
  /** The version of its cells, in milliseconds. */
  readonly time: number
  readonly cells: readonly SentCell[]
}

export interface SentCell {
  readonly column: string
  readonly value: string
}

export interface ReadCell {
  readonly value: string
  /** Its version. */
  readonly time: number
}

/** The body of a request that writes rows (CellSetModel of hbase-rest). */
export function cellSetText(rows: readonly SentRow[]): string {
  const sent = rows.map(({ key, time, cells }) => {
    const values = cells.map(({ column, value }) => `{"column":"${column}","timestamp":${time},"$":"${value}"}`)
    return `{"key":"${key}","Cell":[${values.join(',')}]}`
  })
  return `{"Row":[${sent.join(',')}]}`
}

/** The body of a check-and-put: the cells of a row, behind which the one stands that is compared. */
export function checkedCellSetText(key: string, cells: readonly SentCell[], check: SentCell): string {
  const sent = [...cells, check].map(({ column, value }) => `{"column":"${column}","$":"${value}"}`)
  return `{"Row":[{"key":"${key}","Cell":[${sent.join(',')}]}]}`
}

/** The newest cells of rows, by key and by column, all base64; undefined when the text is no answer of a gateway. */
export function readCellSet(text: string): Map<string, Map<string, ReadCell>> | undefined {
  const answer = parsed(text)
  const rows = isFields(answer) ? answer['Row'] : undefined
  if (!Array.isArray(rows)) return undefined
  const found = new Map<string, Map<string, ReadCell>>()
  for (const row of rows as readonly unknown[]) {
    if (!isFields(row)) return undefined
    const { key, Cell: cells } = row
    if (typeof key !== 'string' || !Array.isArray(cells)) return undefined
    const byColumn = new Map<string, ReadCell>()
    for (const cell of cells as readonly unknown[]) {
      const { column, timestamp: time, $: value = '' } = isFields(cell) ? cell : {}
      if (typeof column !== 'string' || typeof value !== 'string' || typeof time !== 'number') return undefined
      byColumn.set(column, { value, time })
    }
    found.set(key, byColumn)
  }
  return found
}

/** The names of the column families in a schema of a table; undefined when the text is none. */
export function readFamilies(text: string): string[] | undefined {
  const schema = parsed(text)
  const families = isFields(schema) ? schema['ColumnSchema'] : undefined
  if (!Array.isArray(families)) return undefined
  return families.map((family: unknown) => (isFields(family) ? String(family['name']) : ''))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
