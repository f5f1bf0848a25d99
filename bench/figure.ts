/** One measured figure; `runs` values make min, median (`value`) and max. */
export interface Figure {
  name: string
  unit: string
  value: number
  min: number
  max: number
  runs: number
  /** Given for queries only. */
  events?: number
  cpuSeconds?: number
  eventsPerCpuSecond?: number
  rows?: number
  rowsHash?: string
  /** What must be reached, in the same unit; less is better unless `atLeast`. */
  target?: number
  atLeast?: boolean
  /** What Flink has, in the same unit. */
  flink?: number
  /** Whether `flink` was measured in this run, and what became of the comparison of its result rows with Millrace's. */
  flinkRun?: { rows: 'equal' | 'DIFFERENT' | 'not compared' }
  note?: string
  /** What keeps it from its target, from a profile. */
  limits?: string
}

export function figureOf(name: string, unit: string, values: readonly number[], more: Partial<Figure> = {}): Figure {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const value = ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2
  return { name, unit, value, min: sorted[0] ?? NaN, max: sorted.at(-1) ?? NaN, runs: sorted.length, ...more }
}

/** Whether the median reaches the target; undefined without one. */
export function isReached({ value, target, atLeast }: Figure): boolean | undefined {
  if (target === undefined) return undefined
  return atLeast === true ? value >= target : value <= target
}

export function figureText(figure: Figure): string {
  const { name, unit, value, min, max, runs, target, flink, flinkRun, note } = figure
  const spread = runs > 1 ? ` (${short(min)} – ${short(max)}, ${runs} runs)` : ''
  const bar =
    target === undefined
      ? ''
      : `   ${isReached(figure) === true ? 'reached' : 'NOT REACHED'}: ${figure.atLeast === true ? '≥' : '≤'} ${short(target)}${flink === undefined ? '' : `, Flink ${short(flink)}${flinkRun === undefined ? '' : ` in this run, rows ${flinkRun.rows}`}`}`
  return `${name.padEnd(34)} ${short(value).padStart(9)} ${unit}${spread}${bar}${note === undefined ? '' : `   ${note}`}`
}

export function short(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US').replaceAll(',', ' ') : value.toPrecision(3)
}
