import { clipped } from '../../runtime/model/clipped.ts'
import { memberOf, type Fields } from '../../runtime/model/fields.ts'
import { JsonNumber } from '../../runtime/model/json-digits.ts'
import { printable } from '../../runtime/model/printable.ts'
import type { MimeBundle } from './cell-messages.ts'
import { escapeHtml } from './escape-html.ts'

const MOST_COLUMNS = 50
const LONGEST_CELL = 200
const WIDEST_TEXT_COLUMN = 40

/** The part of a sink's rows that a table shows. */
export interface TableContent {
  readonly sink: string
  readonly columns: readonly string[]
  /** The newest rows, the oldest first. */
  readonly rows: readonly Fields[]
  /** How many rows there were. */
  readonly total: number
  readonly state: 'running' | 'ended'
}

/** A table of rows as HTML and as text. Everything that comes from rows is escaped. Pure. */
export function tableView(content: TableContent): MimeBundle {
  const columns = content.columns.slice(0, MOST_COLUMNS)
  const caption = captionOf(content)
  const cells = content.rows.map((row) => columns.map((column) => cellText(memberOf(row, column))))
  return { 'text/html': htmlOf(caption, columns, cells), 'text/plain': textOf(caption, columns, cells) }
}

function captionOf({ sink, rows, total, columns, state }: TableContent): string {
  const count = `${total} ${total === 1 ? 'row' : 'rows'}`
  const shown = rows.length < total ? `the newest ${rows.length} of ${count}` : count
  const left = columns.length > MOST_COLUMNS ? `, the first ${MOST_COLUMNS} of ${columns.length} columns` : ''
  return printable(`${sink}: ${shown}${left}${state === 'running' ? ' so far' : ''}`)
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (value instanceof JsonNumber) return value.digits
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return printable(clipped(text, LONGEST_CELL)).replace(/[\n\t]/g, ' ')
}

function htmlOf(caption: string, columns: readonly string[], cells: readonly (readonly string[])[]): string {
  const row = (tag: 'th' | 'td', texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join('')}</tr>`
  return [
    '<table>',
    `<caption>${escapeHtml(caption)}</caption>`,
    `<thead>${row('th', columns.map(printable))}</thead>`,
    '<tbody>',
    ...cells.map((texts) => row('td', texts)),
    '</tbody></table>',
  ].join('\n')
}

function textOf(caption: string, columns: readonly string[], cells: readonly (readonly string[])[]): string {
  const lines = [columns.map(printable), ...cells].map((texts) =>
    texts.map((text) => clipped(text, WIDEST_TEXT_COLUMN)),
  )
  const widths = columns.map((_, at) => Math.max(...lines.map((texts) => texts[at]?.length ?? 0)))
  return [
    caption,
    ...lines.map((texts) =>
      texts
        .map((text, at) => text.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    ),
  ].join('\n')
}
