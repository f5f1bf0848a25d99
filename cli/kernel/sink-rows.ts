import { parseWithDigits, withoutDigits } from '../../runtime/model/json-digits.ts'
import { isFields, memberOf, type Fields } from '../../runtime/model/fields.ts'

/** The newest rows of a sink take no more than this, in characters of JSON. */
const MOST_CHARACTERS = 8 << 20

/** The newest rows that a sink of a cell has printed, and how many there were. */
export class SinkRows {
  readonly #most: number
  #lines: string[] = []
  #characters = 0
  #total = 0

  constructor(most: number) {
    this.#most = most
  }

  get total(): number {
    return this.#total
  }

  /** Takes a row as the line of JSON that the console sink prints. */
  add(line: string): void {
    this.#total += 1
    this.#lines.push(line)
    this.#characters += line.length
    // in one go, so that a fast stream does not move the list for each row
    if (this.#lines.length >= 2 * this.#most || this.#characters > 2 * MOST_CHARACTERS) this.#forget()
  }

  /** The newest rows, at most so many, the oldest first. Numbers that a double would change are JsonNumbers. */
  newest(count: number): Fields[] {
    this.#forget()
    return this.#lines
      .slice(-count)
      .map(parseWithDigits)
      .filter((row) => isFields(row))
  }

  #forget(): void {
    let first = Math.max(0, this.#lines.length - this.#most)
    let kept = 0
    for (let at = this.#lines.length - 1; at >= first; at--) {
      kept += this.#lines[at]?.length ?? 0
      // one row is kept, however long it is
      if (kept > MOST_CHARACTERS && at < this.#lines.length - 1) first = at + 1
    }
    this.#lines = this.#lines.slice(first)
    this.#characters = this.#lines.reduce((sum, line) => sum + line.length, 0)
  }
}

/** A number of a row as a double, for drawing; NaN where the column holds none. A time is its milliseconds. */
export function drawnNumber(row: Fields, column: string): number {
  const value = withoutDigits(memberOf(row, column))
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return NaN
  return /^\d{4}-\d\d-\d\d(?:T|$)/.test(value)
    ? Date.parse(value)
    : /^-?\d+(?:\.\d+)?$/.test(value)
      ? Number(value)
      : NaN
}

/** Whether the column of a row holds a time as the console sink writes it. */
export function isTime(row: Fields, column: string): boolean {
  const value = memberOf(row, column)
  return typeof value === 'string' && /^\d{4}-\d\d-\d\d(?:T|$)/.test(value)
}
