import { memberOf, membersOf, type Fields } from '../../model/fields.ts'
import { daysOf } from '../../model/logical-values.ts'
import type { Field } from '../../model/schema.ts'
import type { CopiedColumns } from './copied-columns.ts'
import { rowKey, type KeyColumns, type PartitionValues, type RowKey } from './key-columns.ts'
import type { DataFile } from './log-actions.ts'
import { partitionValue } from './partition-values.ts'

/** The generation of rows that were in the table before. */
export const IN_TABLE = -1

/**
 * The keys that an upsert writes or deletes. Rows come in generations, and the newest of a key replaces all older ones;
 * the oldest generation are the rows of the table.
 */
export class TouchedKeys {
  readonly #columns: KeyColumns
  readonly #times: ReadonlySet<string>
  readonly #newest = new Map<RowKey, number>()
  readonly #values: readonly Set<unknown>[]
  #ordered: readonly (Ordered | undefined)[] | undefined

  constructor(columns: KeyColumns, { times }: Pick<CopiedColumns, 'times'>) {
    this.#columns = columns
    this.#times = times
    this.#values = columns.fields.map(() => new Set())
  }

  get count(): number {
    return this.#newest.size
  }

  /** Generations are added from the oldest to the newest. */
  add(generation: number, values: readonly unknown[]): void {
    const key = rowKey(values)
    if (key === undefined) return
    this.#newest.set(key, generation)
    for (const [place, value] of values.entries()) this.#values[place]?.add(value)
    this.#ordered = undefined
  }

  /** True for a row of this generation when a newer one has its key. */
  replaces(generation: number, values: readonly unknown[]): boolean {
    const key = rowKey(values)
    return key !== undefined && (this.#newest.get(key) ?? IN_TABLE) > generation
  }

  /** False when no row of the file can have one of the keys, by its partition and its statistics. */
  mayBeIn({ partitionValues, stats }: Pick<DataFile, 'partitionValues' | 'stats'>): boolean {
    const ordered = (this.#ordered ??= this.#columns.fields.map((field, place) => this.#order(field, place)))
    const { minValues, maxValues } = statistics(stats)
    return this.#columns.fields.every((field, place) => {
      if (this.#columns.partitions.includes(field)) return this.#hasPartition(field, place, partitionValues)
      return ordered[place]?.hasBetween(memberOf(minValues, field.name), memberOf(maxValues, field.name)) ?? true
    })
  }

  #hasPartition(field: Field, place: number, partition: PartitionValues): boolean {
    return (
      this.#values[place]?.has(partitionValue({ ...field, nullable: true }, partition.get(field.name) ?? null)) === true
    )
  }

  #order(field: Field, place: number): Ordered | undefined {
    const values = this.#values[place] ?? new Set()
    if (field.logical?.kind === 'bigint')
      return new OrderedNumbers(values, this.#times.has(field.name) ? microsecondsOf : integerOf)
    if (field.logical?.kind === 'date') return new OrderedNumbers(values, dayOf)
    return field.logical === undefined && field.type === 'string' ? new OrderedTexts(values) : undefined
  }
}

/** The values of one column in their order. Bounds that say nothing are undefined or of another type. */
interface Ordered {
  hasBetween(min: unknown, max: unknown): boolean
}

/** A bound as the statistics of a file have it: the smallest and the largest value that it stands for. */
type BoundReader = (bound: unknown) => readonly [least: bigint, most: bigint] | undefined

class OrderedNumbers implements Ordered {
  readonly #values: BigInt64Array
  readonly #read: BoundReader

  constructor(values: ReadonlySet<unknown>, read: BoundReader) {
    this.#values = BigInt64Array.from([...values], (value) => BigInt(String(value))).sort()
    this.#read = read
  }

  hasBetween(min: unknown, max: unknown): boolean {
    const least = this.#read(min)?.[0]
    const most = this.#read(max)?.[1]
    if (least === undefined || most === undefined) return true
    const first = this.#values[firstIndex(this.#values.length, (index) => (this.#values[index] as bigint) >= least)]
    return first !== undefined && first <= most
  }
}

class OrderedTexts implements Ordered {
  readonly #values: readonly Buffer[]

  constructor(values: ReadonlySet<unknown>) {
    this.#values = [...values].map((value) => Buffer.from(String(value))).sort((a, b) => Buffer.compare(a, b))
  }

  /** The order of texts is that of their bytes in UTF-8; bounds may be cut, so that they are wider than the values. */
  hasBetween(min: unknown, max: unknown): boolean {
    if (typeof min !== 'string' || typeof max !== 'string') return true
    const least = Buffer.from(min)
    const first = firstIndex(this.#values.length, (index) => Buffer.compare(this.#values[index] as Buffer, least) >= 0)
    const value = this.#values[first]
    return value !== undefined && Buffer.compare(value, Buffer.from(max)) <= 0
  }
}

/** The first index for which `holds`, which holds for all behind it; `count` when there is none. */
function firstIndex(count: number, holds: (index: number) => boolean): number {
  let from = 0
  let to = count
  while (from < to) {
    const middle = (from + to) >>> 1
    if (holds(middle)) to = middle
    else from = middle + 1
  }
  return from
}

/** A larger number has lost its last digits while its JSON was read. */
function integerOf(bound: unknown): readonly [bigint, bigint] | undefined {
  return typeof bound === 'number' && Number.isSafeInteger(bound) ? [BigInt(bound), BigInt(bound)] : undefined
}

function dayOf(bound: unknown): readonly [bigint, bigint] | undefined {
  return integerOf(typeof bound === 'string' ? daysOf(bound) : undefined)
}

/** Statistics cut times to milliseconds. */
function microsecondsOf(bound: unknown): readonly [bigint, bigint] | undefined {
  if (typeof bound !== 'string') return undefined
  const ms = Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/.test(bound) ? bound : `${bound.replace(' ', 'T')}Z`)
  return Number.isNaN(ms) ? undefined : [BigInt(ms) * 1000n, BigInt(ms) * 1000n + 999n]
}

function statistics(text: string | undefined): { minValues: Fields; maxValues: Fields } {
  try {
    const { minValues, maxValues } = membersOf(text === undefined ? {} : JSON.parse(text))
    return { minValues: membersOf(minValues), maxValues: membersOf(maxValues) }
  } catch (error) {
    if (error instanceof SyntaxError) return { minValues: {}, maxValues: {} }
    throw error
  }
}
