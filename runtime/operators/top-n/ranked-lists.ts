import { isOrderedByDigits, orderNumber, orderNumbers } from '../../model/order-numbers.ts'
import type { Row } from '../../model/schema.ts'
import type { RankBy } from '../../codegen/records/record-loops.ts'
import type { StateKey } from '../../memory/state-key.ts'
import type { ListTable, TableShape } from '../../state/state-store.ts'

/**
 * Rankings by texts, which state cannot compare in place: the rows of a key, from the best on, as a list that is read
 * for each row that comes.
 */
export class RankedLists {
  readonly #lists: ListTable
  readonly #compare: (a: Row, b: Row) => number
  readonly #limit: number

  constructor(lists: ListTable, by: readonly RankBy[], limit: number) {
    this.#lists = lists
    this.#compare = rowOrder(by)
    this.#limit = limit
  }

  /** The ranking with the row in it, and the row's place; undefined when it does not enter. */
  offer(group: number, key: StateKey, row: Row): { rows: readonly Row[]; place: number } | undefined {
    const rows = this.#lists.rows(group, key)
    // of equal rows the earlier stands first
    const better = rows.findIndex((ranked) => this.#compare(row, ranked) < 0)
    const place = better < 0 ? rows.length : better
    if (place >= this.#limit) return undefined
    rows.splice(place, 0, row)
    rows.length = Math.min(rows.length, this.#limit)
    // all of them are written: they expire together
    this.#lists.delete(group, key)
    for (const ranked of rows) this.#lists.append(group, key, ranked)
    return { rows, place }
  }

  /** The ranking of a key, which is forgotten. */
  take(group: number, key: StateKey): Row[] {
    const rows = this.#lists.rows(group, key)
    this.#lists.delete(group, key)
    return rows
  }
}

/** The table that RankedLists works on. */
export function rankedList(rows: Omit<Extract<TableShape, { kind: 'list' }>, 'kind'>): TableShape {
  return { kind: 'list', ...rows }
}

/** Whether rows are ranked by a text. */
export function ranksTexts(by: readonly RankBy[]): boolean {
  return by.some(({ field }) => orderNumbers(field) === 0)
}

/** Negative when `a` is better. Texts are ordered by their UTF-16 code units, as in expressions. */
function rowOrder(by: readonly RankBy[]): (a: Row, b: Row) => number {
  const orders = by.map(({ field, order }) => {
    const sign = order === 'asc' ? 1 : -1
    const compare = isOrderedByDigits(field) ? digitOrder(orderNumbers(field)) : valueOrder
    return (a: Row, b: Row) => sign * compare(a[field.name], b[field.name])
  })
  return (a, b) => {
    for (const order of orders) {
      const found = order(a, b)
      if (found !== 0) return found
    }
    return 0
  }
}

/** Values of a type that JavaScript compares: numbers, texts, booleans. */
function valueOrder(a: unknown, b: unknown): number {
  const [left, right] = [a as number | string, b as number | string]
  return left < right ? -1 : left > right ? 1 : 0
}

function digitOrder(numbers: number): (a: unknown, b: unknown) => number {
  return (a, b) => {
    for (let index = 0; index < numbers; index++) {
      const found = orderNumber(String(a), index, numbers) - orderNumber(String(b), index, numbers)
      if (found !== 0) return found
    }
    return 0
  }
}
