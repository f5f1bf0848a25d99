import { MillraceError } from '../model/errors.ts'
import type { Field, Row } from '../model/schema.ts'
import type { Timestamp } from '../model/time.ts'

/**
 * A row that a match under way has taken, linked to the one it took before. Many matches share their beginnings:
 * this is the SharedBuffer of Flink's CEP without versions, since every take makes a cell of its own. Never changed.
 */
export interface Cell {
  prev: Cell | null
  /** The first of the match. */
  first: Cell
  /** Place of the step that took the row. */
  step: number
  row: Row
  /** The n-th row of the key. */
  seq: number
  time: Timestamp
  /** The view of the match up to here, once an expression has read it. */
  view: View | undefined
}

/** For every step its first and last row and its totals. A step without rows has a row of nulls. */
export interface View {
  first: Row[]
  last: Row[]
  totals: Totals[]
}

/** `count`, and by name the totals that are asked for. */
export type Totals = Readonly<Record<string, number | null>>

/** The totals of a field of a step's rows that expressions ask for. */
export interface AskedTotal {
  field: Field
  sum: string
  min: string
  max: string
  avg: string
}

/** The rows and totals of steps for one pattern: a view is made from the one before in one step. */
export class PatternViews {
  readonly #empty: View
  readonly #asked: readonly (readonly AskedTotal[])[]

  /** `asked` by step; `nothing` is a row of nulls. */
  constructor(asked: readonly (readonly AskedTotal[])[], nothing: Row) {
    this.#asked = asked
    const totals = asked.map((fields) =>
      Object.fromEntries([
        ['count', 0],
        ...fields.flatMap(({ field, sum, min, max, avg }) => [
          [sum, null],
          [min, null],
          [max, null],
          [avg, null],
          [countOf(field), 0],
        ]),
      ]),
    )
    this.#empty = { first: asked.map(() => nothing), last: asked.map(() => nothing), totals }
  }

  of(cell: Cell | null): View {
    if (cell === null) return this.#empty
    const missing: Cell[] = []
    let at: Cell | null = cell
    for (; at !== null && at.view === undefined; at = at.prev) missing.push(at)
    let view = at?.view ?? this.#empty
    for (const next of missing.reverse()) view = next.view = this.#after(view, next)
    return view
  }

  #after(view: View, { step, row }: Cell): View {
    const before = view.totals[step] ?? {}
    const first = before['count'] === 0 ? view.first.with(step, row) : view.first
    return { first, last: view.last.with(step, row), totals: view.totals.with(step, this.#add(before, step, row)) }
  }

  #add(before: Totals, step: number, row: Row): Totals {
    const after: Record<string, number | null> = { ...before, count: (before['count'] ?? 0) + 1 }
    for (const { field, sum, min, max, avg } of this.#asked[step] ?? []) {
      const value = row[field.name]
      if (typeof value !== 'number') continue
      const total = (before[sum] ?? 0) + value
      if (field.type === 'double' ? !Number.isFinite(total) : field.type === 'long' && !Number.isSafeInteger(total)) {
        throw new MillraceError(
          'VALUE_INVALID',
          `the sum of '${field.name}' over the rows of a step would be ${total}: it must be ${field.type === 'double' ? 'finite' : 'an integer of at most 2^53 - 1'}`,
          { domain: 'user' },
        )
      }
      const count = (before[countOf(field)] ?? 0) + 1
      after[sum] = total
      after[min] = Math.min(before[min] ?? Infinity, value)
      after[max] = Math.max(before[max] ?? -Infinity, value)
      after[avg] = total / count
      after[countOf(field)] = count
    }
    return after
  }
}

/** No field name, so no total is called so. */
function countOf(field: Field): string {
  return `#${field.name}`
}
