import { clipped } from '../../runtime/model/clipped.ts'
import { memberOf, type Fields } from '../../runtime/model/fields.ts'
import { JsonNumber } from '../../runtime/model/json-digits.ts'
import { printable } from '../../runtime/model/printable.ts'
import type { MimeBundle } from './cell-messages.ts'
import type { PlotSettings } from './cell-source.ts'
import { escapeHtml } from './escape-html.ts'
import { drawnNumber, isTime } from './sink-rows.ts'

const COLORS = ['#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#ff7f0e', '#17becf', '#8c564b', '#7f7f7f'] as const
const [WIDTH, HEIGHT] = [640, 300]
const AREA = { left: 70, right: 500, top: 16, bottom: 260 }
const LABEL_CHARACTERS = 18
const TICKS = 5
/** Beyond it the difference of two numbers may be infinite. */
const LARGEST = 1e300
/** The end of the times of ECMAScript. */
const LAST_TIME = 8.64e15

interface Line {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

interface Scale {
  readonly min: number
  readonly max: number
  readonly ticks: readonly number[]
}

/** A line chart of rows as SVG, with a text of what it shows. Everything that comes from rows is escaped. Pure. */
export function plotView(sink: string, plot: PlotSettings, rows: readonly Fields[]): MimeBundle {
  const { lines, left } = linesOf(plot, rows)
  const points = lines.flatMap((line) => line.points)
  const times = rows.some((row) => isTime(row, plot.x))
  const caption = printable(captionOf(sink, plot, points.length, left))
  const body = points.length === 0 ? `<text x="${AREA.left}" y="40">no points yet</text>` : chartOf(lines, plot, times)
  return {
    'image/svg+xml': [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">`,
      `<title>${escapeHtml(caption)}</title>`,
      `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
      body,
      '</svg>',
    ].join('\n'),
    'text/plain': caption,
  }
}

function captionOf(sink: string, { x, y, by }: PlotSettings, points: number, left: Left): string {
  const parts = [`${sink}: ${y.join(', ')} over ${x}${by === undefined ? '' : ` by ${by}`}, ${points} points`]
  if (left.rows > 0) parts.push(`${left.rows} left out for want of a number`)
  if (left.lines > 0) parts.push(`the rows of ${left.lines} further values of ${by ?? ''} are left out`)
  return parts.join('; ')
}

interface Left {
  readonly rows: number
  readonly lines: number
}

function linesOf(plot: PlotSettings, rows: readonly Fields[]): { lines: Line[]; left: Left } {
  const byName = new Map<string, (readonly [x: number, y: number])[]>()
  const further = new Set<string>()
  let without = 0
  for (const row of rows) {
    for (const column of plot.y) {
      const name = plot.by === undefined ? column : nameOf(memberOf(row, plot.by))
      const point = [drawnNumber(row, plot.x), drawnNumber(row, column)] as const
      if (!point.every((value) => Math.abs(value) <= LARGEST)) without += 1
      else if (byName.has(name)) byName.get(name)?.push(point)
      else if (byName.size < COLORS.length) byName.set(name, [point])
      else further.add(name)
    }
  }
  const lines = [...byName].map(([name, points]) => ({ name, points: points.toSorted(([a], [b]) => a - b) }))
  return { lines, left: { rows: without, lines: further.size } }
}

function nameOf(value: unknown): string {
  if (value instanceof JsonNumber) return value.digits
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

function chartOf(lines: readonly Line[], { x, y }: PlotSettings, times: boolean): string {
  const across = scaleOf(
    lines.flatMap(({ points }) => points.map(([at]) => at)),
    times ? timeStep : decimalStep,
  )
  const up = scaleOf(
    lines.flatMap(({ points }) => points.map(([, at]) => at)),
    decimalStep,
  )
  const atX = (value: number): string => placed(value, across, AREA.left, AREA.right)
  const atY = (value: number): string => placed(value, up, AREA.bottom, AREA.top)
  const label = times ? timeLabel(across) : numberLabel
  return [
    ...up.ticks.map(
      (tick) =>
        `<line x1="${AREA.left}" x2="${AREA.right}" y1="${atY(tick)}" y2="${atY(tick)}" stroke="#dddddd"/>` +
        `<text x="${AREA.left - 6}" y="${atY(tick)}" dy="4" text-anchor="end">${escapeHtml(numberLabel(tick))}</text>`,
    ),
    ...across.ticks.map(
      (tick) => `<text x="${atX(tick)}" y="${AREA.bottom + 16}" text-anchor="middle">${escapeHtml(label(tick))}</text>`,
    ),
    `<text x="${(AREA.left + AREA.right) / 2}" y="${AREA.bottom + 34}" text-anchor="middle">${shortText(x)}</text>`,
    ...(y.length === 1 ? [`<text x="${AREA.left}" y="11">${shortText(y[0] ?? '')}</text>`] : []),
    ...lines.map(({ name, points }, index) => {
      const color = COLORS[index % COLORS.length] ?? COLORS[0]
      const path = points.map(([px, py]) => `${atX(px)},${atY(py)}`).join(' ')
      const [first] = points
      const shape =
        points.length === 1 && first !== undefined
          ? `<circle cx="${atX(first[0])}" cy="${atY(first[1])}" r="3" fill="${color}"/>`
          : `<polyline fill="none" stroke="${color}" stroke-width="1.5" points="${path}"/>`
      const at = AREA.top + 14 + 16 * index
      return `${shape}<rect x="${AREA.right + 14}" y="${at - 8}" width="10" height="8" fill="${color}"/><text x="${AREA.right + 30}" y="${at}">${shortText(name)}</text>`
    }),
  ].join('\n')
}

function shortText(text: string): string {
  return escapeHtml(printable(clipped(text, LABEL_CHARACTERS)))
}

function placed(value: number, { min, max }: Scale, from: number, to: number): string {
  return (from + ((value - min) / (max - min)) * (to - from)).toFixed(1)
}

/** From the least to the greatest value, with ticks at whole multiples of a step. */
function scaleOf(values: readonly number[], stepOf: (raw: number) => number): Scale {
  const least = values.reduce((a, b) => Math.min(a, b), Infinity)
  const greatest = values.reduce((a, b) => Math.max(a, b), -Infinity)
  // a single value stands in the middle; a margin of 1 would be lost beside a large number
  const margin = least === greatest ? Math.max(1, Math.abs(least) / 2) : 0
  const [min, max] = [least - margin, greatest + margin]
  const step = stepOf((max - min) / TICKS)
  const first = Math.ceil(min / step)
  const count = Math.min(Math.floor(max / step) - first + 1, 3 * TICKS)
  // the step of two numbers that are almost equal may be no number, or zero
  const drawable = step > 0 && Number.isFinite(count)
  const ticks = drawable ? Array.from({ length: Math.max(0, count) }, (_, at) => (first + at) * step) : []
  return { min, max, ticks }
}

/** 1, 2 or 5 times a power of ten. */
function decimalStep(raw: number): number {
  const power = 10 ** Math.floor(Math.log10(raw))
  const part = raw / power
  return power * (part > 5 ? 10 : part > 2 ? 5 : part > 1 ? 2 : 1)
}

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const TIME_STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND_MS),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR_MS),
]

/** A step that clocks have, in milliseconds. */
function timeStep(raw: number): number {
  if (raw <= SECOND_MS) return Math.max(1, decimalStep(raw))
  return TIME_STEPS.find((step) => step >= raw) ?? DAY_MS * Math.max(1, decimalStep(raw / DAY_MS))
}

function numberLabel(value: number): string {
  return String(Number(value.toPrecision(6)))
}

/** The day where the axis spans several, else the time of day. */
function timeLabel({ min, max }: Scale): (value: number) => string {
  return (value) => {
    if (Math.abs(value) > LAST_TIME) return numberLabel(value)
    const text = new Date(value).toISOString()
    if (max - min > 3 * DAY_MS) return text.slice(0, 10)
    return max - min < TICKS * SECOND_MS ? text.slice(14, 23) : text.slice(11, 19)
  }
}
