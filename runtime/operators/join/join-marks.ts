import type { RowLog } from '../../codegen/rows/row-log.ts'
import { keyGroupOf } from '../../codegen/keys/key-hash.ts'
import type { GroupState } from '../../model/snapshot.ts'
import { corruptJoin, emptyJoinBlock, type JoinBlock } from './join-block.ts'

/** Rows [from, to) of a log, which were marked at the barrier as `matched` says. */
export interface MarkedRows {
  log: RowLog
  from: number
  to: number
  matched: Uint8Array
}

/**
 * Blocks with the marks of a side. `slices`: the rows in the order of their blocks, in parts of about a
 * millisecond's work.
 */
export function* markBlocks(
  side: 0 | 1,
  slices: Iterable<readonly MarkedRows[]>,
  maxParallelism: number,
): Generator<GroupState> {
  const firsts = new Map<number, number>()
  for (const slice of slices) {
    const bits = new Map<number, number[]>()
    for (const {
      log: { h },
      from,
      to,
      matched,
    } of slice) {
      for (let row = from; row < to; row++) {
        const group = keyGroupOf(h[row] ?? 0, maxParallelism)
        const of = bits.get(group)
        if (of === undefined) bits.set(group, [matched[row] ?? 0])
        else of.push(matched[row] ?? 0)
      }
    }
    for (const [group, of] of bits) {
      const first = firsts.get(group) ?? 0
      firsts.set(group, first + of.length)
      const { bytes, start } = emptyJoinBlock({ version: 2, words: [0, 0], marks: { side, first, count: of.length } })
      for (const [bit, isSet] of of.entries())
        if (isSet === 1) bytes[start + (bit >> 3)] = (bytes[start + (bit >> 3)] ?? 0) | (1 << (bit & 7))
      yield [group, bytes]
    }
  }
}

/** Whether a row had a match, by its number among the rows of its group and side as their blocks bring them. */
export class MarksRead {
  readonly #blocks: { first: number; count: number; bits: Uint8Array }[] = []
  #last: { first: number; count: number; bits: Uint8Array } | undefined

  add({ header: { marks }, marks: bits }: JoinBlock): void {
    if (marks !== undefined) this.#blocks.push({ first: marks.first, count: marks.count, bits })
  }

  /** False for state of version 1, whose records say it. Throws STATE_CORRUPT where only some rows are spoken of. */
  has(row: number): boolean {
    if (this.#blocks.length === 0) return false
    const covers = ({ first, count }: { first: number; count: number }): boolean => row >= first && row < first + count
    if (this.#last === undefined || !covers(this.#last)) this.#last = this.#blocks.find(covers)
    if (this.#last === undefined) throw corruptJoin(`it does not say whether row ${row} of its group had a match`)
    const bit = row - this.#last.first
    return (((this.#last.bits[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1
  }
}

/** Brings the rows of a side that a restore gives back together with their marks, which come behind them. */
export class RestoredMarks {
  readonly #maxParallelism: number
  readonly #marks = new Map<number, MarksRead>()
  readonly #counts = new Map<number, number>()
  /** The number of each row of a log among the rows of its group. */
  readonly #numbers = new Map<RowLog, Int32Array>()

  constructor(maxParallelism: number) {
    this.#maxParallelism = maxParallelism
  }

  /** The newest row of the log is the next of the group. */
  rowRestored(log: RowLog, group: number): void {
    let numbers = this.#numbers.get(log)
    if (numbers === undefined || numbers.length < log.n) {
      const more = new Int32Array(log.n * 2)
      if (numbers !== undefined) more.set(numbers)
      this.#numbers.set(log, (numbers = more))
    }
    const number = this.#counts.get(group) ?? 0
    numbers[log.n - 1] = number
    this.#counts.set(group, number + 1)
  }

  add(group: number, block: JoinBlock): void {
    const marks = this.#marks.get(group) ?? new MarksRead()
    marks.add(block)
    this.#marks.set(group, marks)
  }

  /** Called once, after the last block. */
  apply(): void {
    for (const [log, numbers] of this.#numbers) {
      for (let row = 0; row < log.n; row++) {
        if (this.#marks.get(keyGroupOf(log.h[row] ?? 0, this.#maxParallelism))?.has(numbers[row] ?? 0) === true)
          log.m[row] = 1
      }
    }
    this.#numbers.clear()
    this.#marks.clear()
    this.#counts.clear()
  }
}
