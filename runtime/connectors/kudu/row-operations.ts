import { writeFixedCell } from './cell-bytes.ts'
import { isVariable, type Cell, type KuduColumn } from './columns.ts'

/** RowOperationsPB.Type. All but `insert`, which is refused where there is a row, do the same when they are repeated. */
export const OPERATION = { insert: 1, upsert: 5, insertIgnore: 10, updateIgnore: 11, deleteIgnore: 12 } as const
export type Operation = (typeof OPERATION)[keyof typeof OPERATION]

const FIRST_BYTES = 16 * 1024
const INDIRECT_CELL_BYTES = 16

/**
 * Operations of rows for one tablet, as RowOperationsPB has them: per row its type, which columns are set, which are
 * null, and the cells; texts stand apart. Source: src/kudu/common/row_operations.proto of apache/kudu.
 */
export class RowOperations {
  readonly #columns: readonly KuduColumn[]
  readonly #hasNulls: boolean
  readonly #bitmapBytes: number
  #rows: Buffer = Buffer.alloc(FIRST_BYTES)
  #indirect: Buffer = Buffer.alloc(FIRST_BYTES)
  #rowsLength = 0
  #indirectLength = 0
  #count = 0

  /** The columns that the request names: all that a row sets, and for deletes all that take no null. */
  constructor(columns: readonly KuduColumn[]) {
    this.#columns = columns
    this.#hasNulls = columns.some(({ isNullable }) => isNullable)
    this.#bitmapBytes = Math.ceil(columns.length / 8)
  }

  get count(): number {
    return this.#count
  }

  get sizeBytes(): number {
    return this.#rowsLength + this.#indirectLength
  }

  /** `cells` are those of the first columns, in their order; null is Kudu's NULL. Deletes have those of the key. */
  add(operation: Operation, cells: readonly (Cell | null)[]): void {
    const columns = this.#columns
    this.#rows = withRoom(
      this.#rows,
      this.#rowsLength,
      1 + 2 * this.#bitmapBytes + columns.length * INDIRECT_CELL_BYTES,
    )
    const rows = this.#rows
    rows[this.#rowsLength++] = operation
    const setAt = this.#rowsLength
    const nullAt = setAt + this.#bitmapBytes
    this.#rowsLength += this.#bitmapBytes * (this.#hasNulls ? 2 : 1)
    rows.fill(0, setAt, this.#rowsLength)
    for (let index = 0; index < columns.length; index++) {
      const column = columns[index]
      const cell = cells[index]
      if (column === undefined || cell === undefined) continue
      setBit(rows, setAt, index)
      if (cell === null) setBit(rows, nullAt, index)
      else this.#cell(column, cell)
    }
    this.#count++
  }

  /** Valid until the next `add`. */
  get parts(): { rows: Uint8Array; indirect: Uint8Array } {
    return {
      rows: this.#rows.subarray(0, this.#rowsLength),
      indirect: this.#indirect.subarray(0, this.#indirectLength),
    }
  }

  #cell({ type }: KuduColumn, cell: Cell): void {
    this.#rowsLength = isVariable(type)
      ? this.#variable(cell as string | Uint8Array)
      : writeFixedCell(this.#rows, this.#rowsLength, type, cell)
  }

  #variable(cell: string | Uint8Array): number {
    const most = typeof cell === 'string' ? cell.length * 3 : cell.length
    this.#indirect = withRoom(this.#indirect, this.#indirectLength, most)
    const from = this.#indirectLength
    if (typeof cell === 'string') this.#indirectLength += this.#indirect.write(cell, from)
    else {
      this.#indirect.set(cell, from)
      this.#indirectLength += cell.length
    }
    const at = this.#rowsLength
    this.#rows.writeUInt32LE(from, at)
    this.#rows.writeUInt32LE(0, at + 4)
    this.#rows.writeUInt32LE(this.#indirectLength - from, at + 8)
    return this.#rows.writeUInt32LE(0, at + 12)
  }
}

function setBit(bytes: Buffer, from: number, index: number): void {
  const at = from + (index >> 3)
  bytes[at] = (bytes[at] ?? 0) | (1 << (index & 7))
}

function withRoom(bytes: Buffer, length: number, more: number): Buffer {
  if (length + more <= bytes.length) return bytes
  const larger = Buffer.alloc((length + more) * 2)
  bytes.copy(larger, 0, 0, length)
  return larger
}
