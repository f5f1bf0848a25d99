import { compileBatchCodec } from '../../codegen/rows/codec.ts'
import { emptyHeadedBlock, HeadedBlock, magicOf } from '../../memory/headed-block.ts'
import type { BatchCodec } from '../../codegen/contracts.ts'
import type { Cell } from '../../memory/pattern-view.ts'
import { MillraceError } from '../../model/errors.ts'
import { isNumberKey, type StateKey } from '../../memory/state-key.ts'
import type { Field, Row } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { StreamCode } from '../operator-context.ts'
import type { State } from './pattern-automaton.ts'
import type { KeyRuns } from './pattern-runs.ts'

/*
 * Keys of one key group of a pattern, or how far it had come, little-endian:
 *   a headed block (codegen/rows/headed-block.ts) with the magic 'MPT1', and behind its header
 *   f64 numbers, as many as the header says: per key
 *     seq | rows that wait, and of each row and time | cells, and of each prev, step, row, seq and time, what is before first
 *     | runs, and of each state and cell | matches that wait, of each its cell
 *   one frame of the stream's codec: the rows, to which the numbers are indices; a cell's prev is -1 when it is the first
 * In version 1 a group has one block, with all there is. In version 2 it has several: for a key the last that speaks
 * of it holds.
 */
const MAGIC = 0x3154504d

interface Header {
  version: 1 | 2
  /** How far the pattern had come; null or absent when no watermark had, or another block says it. */
  passed?: number | null
  /** What a restore must find again. Absent where no keys are. */
  shape?: string
  keys: number
  numbers: number
  /** Keys that are gone, each as its text. */
  removed?: readonly string[]
}

/** A key with what has not been shown to the automaton yet. */
export interface KeyState extends KeyRuns {
  waitingRows: { row: Row; time: Timestamp }[]
}

/** What a block says. */
export interface PatternBlock {
  keys: KeyState[]
  removed: StateKey[]
  passed: Timestamp | undefined
}

/** Writes and reads blocks of one pattern. */
export class PatternBlocks {
  /** Bytes of a block without keys, and of one that says how far the pattern had come, or somewhat more. */
  readonly headBytes: number
  readonly progressBytes: number
  readonly #codec: BatchCodec
  readonly #shape: string
  readonly #states: readonly State[]
  readonly #keyOf: (text: string) => StateKey

  /** `shape`: the keys, the steps and the rows, as text; a block of another shape is refused. */
  constructor({
    stream,
    states,
    shape,
    keys,
  }: { stream: StreamCode; states: readonly State[]; shape: string; keys: readonly Field[] }) {
    this.#codec = compileBatchCodec(stream.schema, stream.rowClass)
    this.#states = states
    this.#shape = shape
    this.#keyOf = isNumberKey(keys) ? Number : (text) => text
    this.headBytes = this.write([], []).length + 64
    this.progressBytes = this.writeProgress(-Number.MAX_VALUE).length
  }

  write(keys: readonly KeyState[], removed: readonly StateKey[]): Uint8Array {
    const rows = new Map<Row, number>()
    const numbers: number[] = []
    const indexOf = (row: Row): number => rows.get(row) ?? (rows.set(row, rows.size), rows.size - 1)
    for (const key of keys) writeKey(key, numbers, indexOf)
    const header: Header = {
      version: 2,
      shape: this.#shape,
      keys: keys.length,
      numbers: numbers.length,
      ...(removed.length === 0 ? {} : { removed: removed.map(String) }),
    }
    const list = [...rows.keys()]
    const frame = this.#codec.encode(list, list.length)
    const { bytes, start } = emptyHeadedBlock(MAGIC, header, numbers.length * 8 + frame.byteLength)
    new Float64Array(bytes.buffer, start, numbers.length).set(numbers)
    bytes.set(frame, start + numbers.length * 8)
    return bytes
  }

  writeProgress(passed: Timestamp): Uint8Array {
    const header: Header = { version: 2, passed, keys: 0, numbers: 0 }
    return emptyHeadedBlock(MAGIC, header, 0).bytes
  }

  /** Throws STATE_CORRUPT or STATE_INCOMPATIBLE. */
  read(bytes: Uint8Array): PatternBlock {
    if (magicOf(bytes) !== MAGIC) throw corrupt('it does not begin with a header')
    const block = new HeadedBlock<Header>(bytes)
    const { header } = block
    if (![1, 2].includes(header.version))
      throw new MillraceError(
        'STATE_INCOMPATIBLE',
        `the state of a pattern has version ${String(header.version)}, this release reads 1 and 2`,
      )
    const passed = header.passed ?? undefined
    if (header.shape === undefined) return { keys: [], removed: [], passed }
    if (header.shape !== this.#shape) {
      throw new MillraceError(
        'STATE_INCOMPATIBLE',
        `the state of a pattern was written for ${header.shape}, the job now has ${this.#shape}`,
        { domain: 'user', hint: 'give the changed pattern a new id to start it with empty state' },
      )
    }
    const { buffer, byteOffset } = block.take(header.numbers * 8)
    const rows: Row[] = []
    // the codec wants its frame at the beginning of a buffer
    this.#codec.decode(new Uint8Array(block.rest()), rows)
    const numbers = new Numbers(new Float64Array(buffer, byteOffset, header.numbers))
    const keys = Array.from({ length: header.keys }, () => this.#readKey(numbers, rows))
    numbers.expectEnd()
    return { keys, removed: (header.removed ?? []).map(this.#keyOf), passed }
  }

  #readKey(numbers: Numbers, rows: readonly Row[]): KeyState {
    const seq = numbers.next()
    const waitingRows = numbers.list(() => ({ row: numbers.of(rows), time: numbers.next() }))
    const cells: Cell[] = []
    const count = numbers.next()
    for (let i = 0; i < count; i++) {
      const prev = numbers.next()
      const cell = {
        prev: prev < 0 ? null : at(cells, prev),
        step: numbers.next(),
        row: numbers.of(rows),
        seq: numbers.next(),
        time: numbers.next(),
        view: undefined,
      } as Omit<Cell, 'first'> as Cell
      cell.first = cell.prev === null ? cell : cell.prev.first
      cells.push(cell)
    }
    const runs = numbers.list(() => ({ state: numbers.of(this.#states), cell: numbers.of(cells) }))
    return { seq, waitingRows, runs, waiting: numbers.list(() => numbers.of(cells)) }
  }
}

function writeKey(
  { seq, waitingRows, runs, waiting }: KeyState,
  numbers: number[],
  indexOf: (row: Row) => number,
): void {
  numbers.push(seq, waitingRows.length)
  for (const { row, time } of waitingRows) numbers.push(indexOf(row), time)
  const cells = new Map<Cell, number>()
  const ends = [...runs.map(({ cell }) => cell), ...waiting]
  for (const end of ends) {
    const missing: Cell[] = []
    for (let cell: Cell | null = end; cell !== null && !cells.has(cell); cell = cell.prev) missing.push(cell)
    for (const cell of missing.reverse()) cells.set(cell, cells.size)
  }
  numbers.push(cells.size)
  for (const { prev, step, row, seq: place, time } of cells.keys())
    numbers.push(prev === null ? -1 : (cells.get(prev) ?? -1), step, indexOf(row), place, time)
  numbers.push(runs.length)
  for (const { state, cell } of runs) numbers.push(state.id, cells.get(cell) ?? -1)
  numbers.push(waiting.length)
  for (const cell of waiting) numbers.push(cells.get(cell) ?? -1)
}

class Numbers {
  readonly #values: Float64Array
  #at = 0

  constructor(values: Float64Array) {
    this.#values = values
  }

  next(): number {
    const value = this.#values[this.#at++]
    if (value === undefined) throw corrupt(`its ${this.#values.length} numbers end too early`)
    return value
  }

  of<T>(list: readonly T[]): T {
    return at(list, this.next())
  }

  list<T>(read: () => T): T[] {
    const count = this.next()
    if (!(count >= 0 && count <= this.#values.length)) throw corrupt(`it has a list of ${count}`)
    return Array.from({ length: count }, read)
  }

  expectEnd(): void {
    if (this.#at !== this.#values.length)
      throw corrupt(`${this.#values.length - this.#at} of its numbers belong to no key`)
  }
}

function at<T>(list: readonly T[], index: number): T {
  const value = list[index]
  if (value === undefined) throw corrupt(`there is no place ${index} among ${list.length}`)
  return value
}

function corrupt(what: string): MillraceError {
  return new MillraceError('STATE_CORRUPT', `the state of a pattern is corrupt: ${what}`)
}
