import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isReached, short, type Figure } from './figure.ts'

const README = join(import.meta.dirname, 'README.md')

/** Writes the figures between the marks of bench/README.md. */
export function writeReadme(figures: readonly Figure[]): void {
  const text = readFileSync(README, 'utf8')
  const [begin, end] = ['<!-- figures -->', '<!-- /figures -->']
  const [before, rest] = text.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`${README} lacks the marks ${begin} and ${end}`)
  writeFileSync(README, `${before}${begin}\n${figureTable(figures)}\n${end}${after}`)
}

function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, unit, value, min, max, runs, flink, flinkRun, target, atLeast, eventsPerCpuSecond, rowsHash, note, limits } = figure
    const reached = isReached(figure)
    const more = [
      eventsPerCpuSecond === undefined ? '' : `${short(eventsPerCpuSecond / 1000)} k events per CPU s with the generator`,
      rowsHash === undefined ? '' : `rows ${rowsHash}`, flinkRun === undefined ? '' : `Flink's rows: ${flinkRun.rows}`, note ?? '',
    ].filter((part) => part !== '').join('; ')
    return `| ${name} | ${short(value)}${runs > 1 ? ` (${short(min)} – ${short(max)})` : ''} ${unit} | ${flink === undefined ? '' : short(flink)}${flink === undefined || flinkRun !== undefined ? '' : ' (stored)'} | ${target === undefined ? '' : `${atLeast === true ? '≥' : '≤'} ${short(target)} ${reached === true ? '✓' : '✗'}`} | ${more} | ${reached === false ? limits ?? '' : ''} |`
  })
  return ['| figure | Millrace | Flink | to reach | | what limits it |', '|---|---|---|---|---|---|', ...rows].join('\n')
}
