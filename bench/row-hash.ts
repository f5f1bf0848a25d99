import { createHash } from 'node:crypto'
import type { Row, Schema } from '../runtime/model/schema.ts'

/** What of a query's result rows is hashed: its `fields` in this order, or all as they stand in the schema. */
export interface HashedRows {
  fields?: readonly string[]
  /**
   * So many leading fields are the key of upserts: only the last row of each key is in the hash. Left out: every
   * row.
   */
  key?: number
  /** Doubles of which only the whole part is compared: SQL's average of whole numbers is one. */
  truncated?: readonly string[]
}

/**
 * The sum, mod 2^48, of the first 48 bits of the MD5 of each row's text: the order of rows does not matter. The
 * text holds longs and timestamps in decimal, doubles as their 64 bits, texts as they are, so that other engines
 * can make the same (bench/flink/…/RowHash.java).
 */
export class RowHash {
  readonly #texts: readonly ((row: Row) => string)[]
  readonly #key: number | undefined
  readonly #last = new Map<string, number>()
  #count = 0
  #sum = 0

  constructor(
    schema: Schema,
    { fields = schema.fields.map((field) => field.name), key, truncated = [] }: HashedRows = {},
  ) {
    this.#key = key
    this.#texts = fields.map((name) => {
      const type = schema.fields.find((field) => field.name === name)?.type
      if (type === undefined) throw new Error(`the rows have no field ${name}`)
      return (row) =>
        textOf(
          truncated.includes(name) ? Math.trunc(Number(row[name])) : row[name],
          type === 'double' && !truncated.includes(name),
        )
    })
  }

  add(row: Row): void {
    const texts = this.#texts.map((text) => text(row))
    const hash = hashOf(texts)
    this.#count++
    this.#sum = (this.#sum + hash) % MODULUS
    if (this.#key === undefined) return
    const key = texts.slice(0, this.#key).join(END)
    const before = this.#last.get(key)
    if (before !== undefined) this.#sum = (this.#sum - before + MODULUS) % MODULUS
    this.#last.set(key, hash)
  }

  get sum(): number {
    return this.#sum
  }
  /** Without the rows that others of the same key have replaced. */
  get finalRows(): number {
    return this.#key === undefined ? this.#count : this.#last.size
  }
}

const MODULUS = 2 ** 48
/** Behind every value. */
const END = '\u001f'
const NULL = '\0'
const bits = new DataView(new ArrayBuffer(8))

function hashOf(texts: readonly string[]): number {
  return Number.parseInt(
    createHash('md5')
      .update(texts.join(END) + END)
      .digest('hex')
      .slice(0, 12),
    16,
  )
}

function textOf(value: unknown, isDouble: boolean): string {
  if (value === null || value === undefined) return NULL
  if (!isDouble) return typeof value === 'object' ? JSON.stringify(value) : String(value)
  bits.setFloat64(0, Number(value))
  return bits.getBigUint64(0).toString(16).padStart(16, '0')
}
