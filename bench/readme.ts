import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isReached, short, type Figure } from './figure.ts'

const README = join(import.meta.dirname, 'README.md')

const HEAD = ['| figure | Millrace | Flink | to reach | | what limits it |', '|---|---|---|---|---|---|']

/**
 * Writes the figures between the marks of bench/README.md: in the place of what stands there, or of the rows of the
 * same names.
 */
export function writeReadme(figures: readonly Figure[], others: 'only these' | 'keep others'): void {
  const text = readFileSync(README, 'utf8')
  const [begin, end] = ['<!-- figures -->', '<!-- /figures -->']
  const [before, rest] = text.split(begin)
  const [table, after] = rest?.split(end) ?? []
  if (before === undefined || table === undefined || after === undefined)
    throw new Error(`${README} lacks the marks ${begin} and ${end}`)
  writeFileSync(
    README,
    `${before}${begin}\n${[...HEAD, ...figureRows(figures, others === 'only these' ? [] : rowsOf(table))].join('\n')}\n${end}${after}`,
  )
}

/** Rows of a table by name. */
function rowsOf(table: string): [name: string, row: string][] {
  return table
    .trim()
    .split('\n')
    .slice(HEAD.length)
    .map((row) => [row.split('|')[1]?.trim() ?? '', row])
}

function figureRows(figures: readonly Figure[], known: readonly [name: string, row: string][]): string[] {
  return [...new Map([...known, ...figures.map((figure) => [figure.name, figureRow(figure)] as const)]).values()]
}

function figureRow(figure: Figure): string {
  const {
    name,
    unit,
    value,
    min,
    max,
    runs,
    flink,
    flinkRun,
    target,
    atLeast,
    eventsPerCpuSecond,
    rowsHash,
    note,
    limits,
  } = figure
  const reached = isReached(figure)
  const more = [
    eventsPerCpuSecond === undefined ? '' : `${short(eventsPerCpuSecond / 1000)} k events per CPU s with the generator`,
    rowsHash === undefined ? '' : `rows ${rowsHash}`,
    flinkRun === undefined ? '' : `Flink's rows: ${flinkRun.rows}`,
    note ?? '',
  ]
    .filter((part) => part !== '')
    .join('; ')
  return `| ${name} | ${short(value)}${runs > 1 ? ` (${short(min)} – ${short(max)})` : ''} ${unit} | ${flink === undefined ? '' : short(flink)}${flink === undefined || flinkRun !== undefined ? '' : ' (stored)'} | ${target === undefined ? '' : `${atLeast === true ? '≥' : '≤'} ${short(target)} ${reached === true ? '✓' : '✗'}`} | ${more} | ${reached === false ? (limits ?? '') : ''} |`
}
