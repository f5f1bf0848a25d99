import type { Row } from '../../model/schema.ts'

/** The rows of one split in order, from a position on. Made by line-split.ts and parquet-split.ts. */
export interface SplitStream {
  /**
   * Up to `maxRows` more rows, undefined at the end of the split. Records that cannot be read are reported and left
   * out.
   */
  read(maxRows: number): Promise<RowChunk | undefined>
}

export interface RowChunk {
  rows: Row[]
  /** Where to go on after rows[i]: byte offset of the next line, or number of the next row in its group. */
  nextAfter: number[]
}

/** Told of a record that cannot be read: `where` is its path and place. */
export type BadRecordHandler = (error: Error, where: string, raw: Uint8Array | string) => void
