import { API_VERSION } from '../../runtime/front/job-file.ts'
import { MillraceError, type Position } from '../../runtime/model/errors.ts'

/** How a cell is written. A graph is the list of `spec.graph` alone. */
export type CellLanguage = 'yaml' | 'graph' | 'typescript'

/** A cell that becomes a job file. */
export interface JobText {
  readonly language: CellLanguage
  /** The text of a job file. */
  readonly text: string
  /** Where a place of `text` stands in the cell. */
  readonly place: (position: Position) => Position
}

const HEADER = [`apiVersion: ${API_VERSION}`, 'kind: StreamJob', 'metadata: { name: cell }', 'spec:', '  graph:']
const INDENT = '    '
const TYPESCRIPT_WORD = /^(?:import|export|const|let|var|function|async|type|interface|class|declare|enum)\b/

/** The language of a cell, by its first line that is neither empty nor begins with #. */
export function languageOf(cell: string): CellLanguage {
  const lines = cell.split('\n').map((line) => line.trim())
  const first = lines.find((line) => line !== '' && !line.startsWith('#')) ?? ''
  if (first.startsWith('//') || first.startsWith('/*') || TYPESCRIPT_WORD.test(first)) return 'typescript'
  return /^-(?:\s|$)|^\[/.test(first) ? 'graph' : 'yaml'
}

/** Whether a cell holds nothing to run. */
export function isEmptyCell(cell: string): boolean {
  return cell.split('\n').every((line) => /^\s*(?:#.*|\/\/.*)?$/.test(line))
}

/** The job file that a cell stands for. */
export function jobTextOf(cell: string): JobText {
  const language = languageOf(cell)
  if (language !== 'graph') return { language, text: cell, place: (position) => position }
  const lines = cell.split('\n').map((line) => (line.trim() === '' ? line : INDENT + line))
  const place = ({ line, column }: Position): Position =>
    line <= HEADER.length
      ? { line: 1, column: 1 }
      : { line: line - HEADER.length, column: Math.max(1, column - INDENT.length) }
  return { language, text: [...HEADER, ...lines].join('\n'), place }
}

/** The wishes in the comments of a cell (`# %plot x: at, y: price`). */
export interface CellSettings {
  /** How many of the newest rows a table shows. */
  readonly rows: number
  readonly plots: readonly PlotSettings[]
  /** Ends the job when its sinks have printed so many rows together. */
  readonly stopRows: number | undefined
}

export interface PlotSettings {
  readonly x: string
  readonly y: readonly string[]
  /** The column whose values are lines of their own. */
  readonly by: string | undefined
  /** The sink whose rows are drawn; every sink that has the columns where it is absent. */
  readonly sink: string | undefined
}

export const MOST_ROWS = 1000
const ROWS_SHOWN = 20
const MOST_PLOTS = 8
const SETTING = /^\s*(?:#|\/\/)\s*%(\w+)\b(.*)$/

/** Reads the settings of a cell. Throws CELL_SETTING_INVALID with the place in the cell. */
export function settingsOf(cell: string): CellSettings {
  let rows = ROWS_SHOWN
  let stopRows: number | undefined
  const plots: PlotSettings[] = []
  for (const [index, line] of cell.split('\n').entries()) {
    const match = SETTING.exec(line)
    if (match === null) continue
    const [, name = '', rest = ''] = match
    const at = { line: index + 1, column: line.indexOf('%') + 1 }
    if (name === 'table') rows = rowsOf(pairsOf(name, rest, ['rows'], at), MOST_ROWS, at)
    else if (name === 'stop') stopRows = rowsOf(pairsOf(name, rest, ['rows'], at), Number.MAX_SAFE_INTEGER, at)
    else if (name === 'plot') plots.push(plotOf(pairsOf(name, rest, ['x', 'y', 'by', 'sink'], at), at))
    else
      throw invalid(`%${name} is unknown`, at, 'there are %table rows: N, %plot x: COLUMN, y: COLUMN and %stop rows: N')
  }
  if (plots.length > MOST_PLOTS)
    throw invalid(`${plots.length} plots, a cell has at most ${MOST_PLOTS}`, { line: 1, column: 1 })
  return { rows, plots, stopRows }
}

function pairsOf(name: string, rest: string, known: readonly string[], at: Position): Map<string, string> {
  const pairs = new Map<string, string>()
  for (const part of rest.split(',').map((one) => one.trim())) {
    const [, member = '', value = ''] = /^([\w-]+)\s*:\s*(.+)$/.exec(part) ?? []
    if (!known.includes(member))
      throw invalid(
        `%${name} has no member ${JSON.stringify(part)}`,
        at,
        `write ${known.map((one) => `${one}: …`).join(', ')}`,
      )
    pairs.set(member, value)
  }
  return pairs
}

function rowsOf(pairs: Map<string, string>, most: number, at: Position): number {
  const written = pairs.get('rows') ?? ''
  const rows = Number(written)
  if (Number.isSafeInteger(rows) && rows >= 1 && rows <= most) return rows
  throw invalid(`rows is ${written}, a whole number from 1 to ${most} is needed`, at)
}

function plotOf(pairs: Map<string, string>, at: Position): PlotSettings {
  const [x, y] = [pairs.get('x'), pairs.get('y')?.split(/\s+/)]
  if (x === undefined || y === undefined) throw invalid('%plot needs x and y', at, '%plot x: COLUMN, y: COLUMN')
  const by = pairs.get('by')
  if (by !== undefined && y.length > 1)
    throw invalid(`%plot has by: ${by} and ${y.length} columns y, with by it takes one`, at)
  return { x, y, by, sink: pairs.get('sink') }
}

function invalid(message: string, position: Position, hint?: string): MillraceError {
  return new MillraceError('CELL_SETTING_INVALID', message, {
    domain: 'user',
    position,
    ...(hint === undefined ? {} : { hint }),
  })
}
