import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isFields, memberOf } from '../runtime/model/fields.ts'
import { printable } from '../runtime/model/printable.ts'

const TAIL_BYTES = 64 * 1024

/** The committed files of a file sink's folder whose names begin so; not those that are still written. */
export function partFiles(folder: string, prefix: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.') && name.startsWith(prefix))
    .map((name) => join(folder, name))
}

/** The newest committed rows of a file sink: whole lines at the end of its newest part files. */
export function newestRows(folder: string, prefix: string, count: number): Readonly<Record<string, unknown>>[] {
  const parts = partFiles(folder, prefix)
    .map((path) => ({ path, changed: statSync(path).mtimeMs }))
    .sort((a, b) => b.changed - a.changed)
    .slice(0, 4)
  const rows: Readonly<Record<string, unknown>>[] = []
  for (const { path } of parts) {
    for (const line of tailLines(path).slice(-count)) rows.push(rowOf(line))
    if (rows.length >= count) break
  }
  return rows.slice(0, count)
}

/** A line that is no JSON object is of another format and shown as it is. */
function rowOf(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line)
    if (isFields(value)) return value
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return { line }
}

function tailLines(path: string): string[] {
  const size = statSync(path).size
  const start = Math.max(0, size - TAIL_BYTES)
  const buffer = Buffer.alloc(size - start)
  const file = openSync(path, 'r')
  try {
    readSync(file, buffer, 0, buffer.length, start)
  } finally {
    closeSync(file)
  }
  const lines = buffer
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
  return start === 0 ? lines : lines.slice(1)
}

/** Rows as an aligned table, numbers to the right. */
export function table(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = rows.map((row) => columns.map((column) => cell(memberOf(row, column))))
  const heads = columns.map(printable)
  const widths = heads.map((head, index) => Math.max(head.length, ...cells.map((line) => line[index]?.length ?? 0)))
  const numeric = columns.map((column) => rows.every((row) => typeof memberOf(row, column) === 'number'))
  const print = (line: readonly string[]): string =>
    line
      .map((text, index) => (numeric[index] ? text.padStart(widths[index] ?? 0) : text.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd()
  return [print(heads), ...cells.map(print)].join('\n')
}

function cell(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toFixed(1)
  return printable(typeof value === 'string' ? value.replace(':00.000Z', 'Z') : JSON.stringify(value ?? null))
}
