import type { RowScanner } from '../codegen/contracts.ts'
import { clipped } from '../model/clipped.ts'
import { valuePrinter, valueReader } from '../model/logical-values.ts'
import type { RowClass } from '../codegen/rows/row.ts'
import { MillraceError } from '../model/errors.ts'
import { jsonValueParser, type JsonParser } from '../model/json-digits.ts'
import { MAX_ITEMS } from '../model/decoding-limits.ts'
import { behindByteOrderMark, recordText } from '../model/record-text.ts'
import { type Field, fieldsOf, type Row, type Schema, type ValueType } from '../model/schema.ts'
import type { OptionProblem } from '../graph/connector-declaration.ts'
import type { Direction, FormatReader, TimestampFormat } from './format.ts'
import { readFlag, readNames, readText, shownValue } from './options.ts'
import { unknownOptions } from '../graph/unknown-options.ts'
import { refuseRecord, refuseToWrite, refuseValue } from './record-errors.ts'
import { textWriter } from './text-writer.ts'

interface CsvOptions {
  delimiter: string
  /** The names of the cells, in their order; absent where a head names them. */
  columns: readonly string[] | undefined
  nullText: string
  hasHead: boolean
  /** Cells in quotes may hold line ends in files. */
  isMultiline: boolean
}

/** A cell's text, and whether it stood in quotes: then it is never null. */
export interface Cell {
  text: string
  isQuoted: boolean
}

/**
 * RFC 4180: cells between delimiters, in quotes where they hold a delimiter, a quote (doubled) or a line end. In
 * files a record is a line unless the format is `multiline`. That is an option, as in Spark, and not found out: whether
 * a line end is in quotes is known from the beginning of a file only, so such a file cannot be split. Cells are known
 * by the head of a file or by `columns`, never by the order of the schema: an API server sorts its names.
 */
export const csvFormat: FormatReader = (given, problem) => {
  unknownOptions(given, ['columns', 'delimiter', 'header', 'multiline', 'nullText'], problem)
  const options: CsvOptions = {
    delimiter: readText(given, 'delimiter', ',', problem),
    columns: readNames(given, 'columns', problem),
    nullText: readText(given, 'nullText', '', problem),
    hasHead: readFlag(given, 'header', problem),
    isMultiline: readFlag(given, 'multiline', problem),
  }
  if (options.delimiter.length !== 1 || '"\r\n'.includes(options.delimiter))
    problem('delimiter', `must be one character, no quote and no line end, found ${shownValue(options.delimiter)}`)
  return {
    file: {
      suffix: 'csv',
      quotesLineEnds: options.isMultiline,
      ...(options.hasHead
        ? {
            head: (schema: Schema) =>
              written(schema, options)
                .map(({ name }) => quoted(name, options))
                .join(options.delimiter),
          }
        : {}),
    },
    isNamed: options.hasHead || options.columns !== undefined,
    check: (schema, direction) => columnProblems(schema, options, direction),
    scanner: ({ schema }, rows, head) => csvScanner(schema, rows, options, head),
    writer: ({ schema, timestampFormat = 'iso' }) => textWriter(csvText(schema, options, timestampFormat)),
  }
}

/** The fields of a sink's records, in the order of their cells. */
function written(schema: Schema, { columns }: CsvOptions): readonly Field[] {
  return columns === undefined ? schema.fields : fieldsOf(schema, columns)
}

function columnProblems({ fields }: Schema, options: CsvOptions, direction: Direction): OptionProblem[] {
  const { columns, hasHead } = options
  const names = fields.map(({ name }) => name)
  if (columns === undefined) {
    if (hasHead || names.length === 1) return []
    return [
      {
        path: 'csv',
        message: 'needs the names of the cells in their order: an API server does not keep the order of a schema',
        hint: `write csv: { columns: [${names.join(', ')}] }, or header: true where the first line names them`,
      },
    ]
  }
  if (direction === 'read' && hasHead)
    return [{ path: 'csv.columns', message: 'must not stand beside header: true: the first line names the columns' }]
  const [missing, where] =
    direction === 'read'
      ? [fields.find(({ name, nullable }) => !nullable && !columns.includes(name))?.name, 'columns']
      : [columns.find((column) => !names.includes(column)), 'the rows that are written']
  if (missing === undefined) return []
  return [
    {
      path: 'csv.columns',
      message: `the field "${missing}" is not among ${where}: ${(direction === 'read' ? columns : names).join(', ')}`,
    },
  ]
}

function csvScanner({ fields }: Schema, Rows: RowClass, options: CsvOptions, head: string | undefined): RowScanner {
  const columns =
    head === undefined
      ? (options.columns ?? fields.map(({ name }) => name))
      : cellsOf(head, options.delimiter).map(({ text }) => text.replace(/^\uFEFF/, ''))
  const readers = fields.map((field) => {
    const column = columns.indexOf(field.name)
    if (column < 0 && !field.nullable) {
      throw new MillraceError(
        'COLUMN_MISSING',
        `the head of the file has no column "${field.name}": ${clipped(head ?? '')}`,
        { domain: 'user', hint: headHint(columns) },
      )
    }
    return { field, column, read: textReader(field) }
  })
  return {
    row(bytes, start, end) {
      const text = recordText(bytes, behindByteOrderMark(bytes, start, end), end)
      const cells = cellsOf(text, options.delimiter)
      if (cells.length !== columns.length)
        refuseRecord(`a record has ${cells.length} cells, not ${columns.length}: ${clipped(text)}`)
      return new Rows(
        ...readers.map(({ field, column, read }) => {
          const cell = cells[column]
          if (cell === undefined || (!cell.isQuoted && cell.text === options.nullText)) {
            if (field.nullable) return null
            if (field.type !== 'string' || field.logical !== undefined || cell === undefined || cell.text !== '')
              refuseValue(field, null)
          }
          return read(cell.text) ?? refuseValue(field, cell.text)
        }),
      )
    },
  }
}

function headHint([only = '', another]: readonly string[]): string {
  const delimiter =
    another === undefined ? [';', '\t', '|', ','].find((candidate) => only.includes(candidate)) : undefined
  return delimiter === undefined
    ? 'give the field a type with ? to have it null where the column is missing'
    : `cells seem to end with ${JSON.stringify(delimiter)}: write format: { csv: { header: true, delimiter: ${JSON.stringify(delimiter)} } }`
}

/**
 * Throws RECORD_INVALID for quotes that are not closed, or that stand within a cell. A text of more than MAX_ITEMS
 * cells is read no further than that, which is more than any record has.
 */
export function cellsOf(text: string, delimiter: string): Cell[] {
  if (!text.includes('"')) return text.split(delimiter, MAX_ITEMS + 1).map((cell) => ({ text: cell, isQuoted: false }))
  const cells: Cell[] = []
  for (let at = 0; ; ) {
    const isQuoted = text[at] === '"'
    const end = isQuoted ? closingQuote(text, at) + 1 : nextDelimiter(text, at, delimiter)
    if (isQuoted && end < text.length && text[end] !== delimiter)
      refuseRecord(`a cell continues after its closing quote: ${clipped(text.slice(at))}`)
    const inner = isQuoted ? text.slice(at + 1, end - 1).replaceAll('""', '"') : text.slice(at, end)
    if (!isQuoted && inner.includes('"'))
      refuseRecord(`a quote stands within a cell that does not begin with one: ${clipped(inner)}`)
    cells.push({ text: inner, isQuoted })
    if (end >= text.length || cells.length > MAX_ITEMS) return cells
    at = end + 1
  }
}

function closingQuote(text: string, open: number): number {
  for (let at = open + 1; ; at += 2) {
    at = text.indexOf('"', at)
    if (at < 0)
      refuseRecord(
        `a quote is not closed: ${clipped(text.slice(open))}; files whose cells hold line ends are read with multiline: true`,
      )
    if (text[at + 1] !== '"') return at
  }
}

function nextDelimiter(text: string, at: number, delimiter: string): number {
  const found = text.indexOf(delimiter, at)
  return found < 0 ? text.length : found
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/** Text → value as rows carry it; undefined when it is none. */
function textReader(type: ValueType): (text: string) => unknown {
  const read = valueReader(type)
  if (type.type === 'json') {
    const parse = jsonValueParser(type)
    return (text) => {
      const value = parsedJson(parse, text)
      return value === undefined ? undefined : read(value)
    }
  }
  if (type.logical !== undefined) return read
  switch (type.type) {
    case 'long':
      return (text) => (/^[+-]?\d+$/.test(text) ? read(Number(text)) : undefined)
    case 'double':
      return (text) => (NUMBER.test(text) ? read(Number(text)) : undefined)
    case 'boolean':
      return (text) => (text === 'true' ? true : text === 'false' ? false : undefined)
    case 'timestamp':
      return (text) => read(/^-?\d{5,}$/.test(text) ? Number(text) : text)
    case 'string':
      return read
  }
}

function parsedJson(parse: JsonParser, text: string): unknown {
  try {
    return parse(text)
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause
    return refuseRecord(`a cell is not JSON: ${clipped(text)}`, cause)
  }
}

function csvText(schema: Schema, options: CsvOptions, timestampFormat: TimestampFormat): (row: Row) => string {
  const cells = written(schema, options).map((field) => cellText(field, options, timestampFormat))
  return (row) => cells.map((cell) => cell(row)).join(options.delimiter)
}

function cellText(field: Field, options: CsvOptions, timestampFormat: TimestampFormat): (row: Row) => string {
  const print = valuePrinter(field, timestampFormat)
  return (row) => {
    const value = row[field.name] ?? null
    if (value === null) return options.nullText
    if (typeof value === 'number' && !Number.isFinite(value)) refuseToWrite(field, value, 'CSV cannot say')
    const printed = print === undefined ? value : print(value)
    return quoted(field.type !== 'json' && typeof printed === 'string' ? printed : JSON.stringify(printed), options)
  }
}

function quoted(text: string, { delimiter, nullText }: CsvOptions): string {
  const isPlain =
    text !== nullText &&
    !text.includes(delimiter) &&
    !text.includes('"') &&
    !text.includes('\n') &&
    !text.includes('\r')
  return isPlain ? text : `"${text.replaceAll('"', '""')}"`
}
