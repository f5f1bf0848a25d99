import { MillraceError } from '../model/errors.ts'
import { numbersIn, putColumn, type Entries } from '../memory/column-bytes.ts'
import { corruptBlock, HeadedBlock, magicOf } from '../memory/headed-block.ts'
import type { Column } from '../memory/columns.ts'
import type { KeyTable } from '../memory/key-table.ts'
import type { KeyTables } from './key-tables.ts'
import { NOTHING, TABLE_MAGIC, type TableBlockHeader } from './table-block.ts'
import { FIRED_MAGIC, GONE_MAGIC, PANES_MAGIC, readFired, readGone, type PanesHeader } from './group-block.ts'

type Target = Pick<KeyTables, 'shape' | 'columns' | 'create' | 'adopt' | 'adoptFired'>

/** A table that is being put together, and the columns its blocks have. */
interface Assembly {
  group: number
  serial: number
  start: number
  table: KeyTable
  columns: readonly Column[]
}

/** Tables from their blocks, those of one group in the order in which they were written. */
export class RestoredTables {
  readonly #target: Target
  readonly #assemblies = new Map<string, Assembly>()
  /** By group, serials of tables that are gone. */
  readonly #gone = new Map<number, readonly number[]>()

  constructor(target: Target) {
    this.#target = target
  }

  /** Throws STATE_CORRUPT, or STATE_INCOMPATIBLE when it was written for another shape. */
  add(group: number, bytes: Uint8Array): void {
    switch (magicOf(bytes)) {
      case TABLE_MAGIC:
        this.#addPart(group, new HeadedBlock<TableBlockHeader>(bytes))
        break
      case PANES_MAGIC:
        this.#addPanes(group, new HeadedBlock<PanesHeader>(bytes))
        break
      case FIRED_MAGIC:
        this.#target.adoptFired(group, readFired(bytes))
        break
      case GONE_MAGIC:
        this.#gone.set(group, readGone(bytes))
        break
      default:
        throw corruptBlock(`${bytes.byteLength} bytes do not start as tables by key do`)
    }
  }

  /** Gives the target all that has been added. */
  finish(): void {
    const made = [...this.#assemblies.values()].filter(
      ({ group, serial }) => this.#gone.get(group)?.includes(serial) !== true,
    )
    this.#assemblies.clear()
    this.#gone.clear()
    for (const { group, start, table } of made) this.#target.adopt({ group, start, table })
  }

  #addPart(group: number, block: HeadedBlock<TableBlockHeader>): void {
    const {
      serial,
      start,
      shape,
      columns,
      entries: [from, to],
      text,
      changed,
      sizes,
    } = block.header
    const name = `${group} ${serial}`
    if (shape !== undefined) this.#refuseOther(shape)
    const known = this.#assemblies.get(name)
    if (known === undefined && columns === undefined)
      throw corruptBlock(`table ${serial} of group ${group} begins in the middle`)
    const assembly = known ?? {
      group,
      serial,
      start,
      table: this.#target.create(),
      columns: this.#withReaders(columns ?? []),
    }
    this.#assemblies.set(name, assembly)
    const { table } = assembly
    enter(table, to)
    const left = [...sizes]
    const next = (): Uint8Array | undefined => {
      const size = left.shift() ?? null
      return size === null ? undefined : block.take(size)
    }
    const need = (): Uint8Array => next() ?? new Uint8Array()
    for (const { name: column, array } of this.#target.columns.keys) {
      ;(table[column] as Float64Array).set(numbersIn(need(), array as 'Float64Array', to - from), from)
    }
    putText(table, text, need())
    const places = need()
    const into: Entries = changed === 'all' ? to : new Int32Array(numbersIn(places, 'Int32Array', changed))
    for (const column of assembly.columns) {
      const bytes = next()
      if (bytes !== undefined) putColumn(table, column, into, bytes)
    }
  }

  /** Whole tables of a group, as earlier releases wrote them. */
  #addPanes(group: number, block: HeadedBlock<PanesHeader>): void {
    const { version, shape, fired, columns, panes } = block.header
    if (version !== 1)
      throw new MillraceError('STATE_INCOMPATIBLE', `window state has version ${String(version)}, this release reads 1`)
    this.#refuseOther(shape)
    if (fired !== null) this.#target.adoptFired(group, fired)
    for (const { start, entries, chars, charBytes, texts } of panes) {
      const table = this.#target.create()
      enter(table, entries)
      const sizes = [...texts]
      for (const column of this.#withReaders(columns)) {
        const size =
          column.array === 'Float64Array'
            ? entries * 8
            : column.array === 'Int32Array'
              ? entries * 4
              : column.array === 'Uint8Array'
                ? entries
                : (sizes.shift() ?? 0)
        putColumn(table, column, entries, block.take(size))
      }
      putText(table, [NOTHING.chars, chars, charBytes], block.take(chars * charBytes))
      this.#target.adopt({ group, start, table })
    }
  }

  #withReaders(columns: readonly Pick<Column, 'name' | 'array'>[]): Column[] {
    const { keys, values } = this.#target.columns
    const known = [...keys, ...values]
    return columns.map((column) => ({ ...known.find(({ name }) => name === column.name), ...column }))
  }

  #refuseOther(shape: string): void {
    if (shape === this.#target.shape) return
    throw new MillraceError(
      'STATE_INCOMPATIBLE',
      `window state was written for ${shape}, the job now has ${this.#target.shape}`,
      { domain: 'user', hint: 'give the changed operator a new id to start it with empty state' },
    )
  }
}

/** Makes entries without keys up to `n`, each of no rows. */
function enter(table: KeyTable, n: number): void {
  while (table.cap < n) table.grow()
  while (table.n < n) table.start(table.n++)
}

function putText(table: KeyTable, [from, to, unit]: readonly [number, number, 1 | 2], bytes: Uint8Array): void {
  if (to <= from) return
  if (unit === 2) table.widen()
  table.room(to - table.chars)
  table.text.set(unit === 2 ? new Uint16Array(bytes.buffer, bytes.byteOffset, to - from) : bytes, from)
  table.chars = Math.max(table.chars, to)
}
