import { HeadedBlock, writeHeadedBlock } from '../memory/headed-block.ts'
import type { Column } from '../memory/columns.ts'

/*
 * The state of one key group as earlier releases wrote it, all in one headed block:
 *   per pane of the header, per column of the header: its entries, padded to 8 bytes; then the text of the string keys
 * (an Array column is JSON text; an Object column is the u32 length of every object, then their bytes; how many bytes
 * either has stands in the pane's `texts`, as for a Whole column, which is one object's bytes).
 */
export const PANES_MAGIC = 0x3154574d

export interface PanesHeader {
  version: 1
  /** End of the last window this group has fired; null when it has fired none. */
  fired: number | null
  /** Window, keys and aggregates as text: a restore wants the same. */
  shape: string
  columns: readonly Pick<Column, 'name' | 'array'>[]
  panes: readonly { start: number; entries: number; chars: number; charBytes: 1 | 2; texts: readonly number[] }[]
}

/** How far the windows of a group have fired: u32 magic 'MWF1' | u32 0 | f64 end. */
export const FIRED_MAGIC = 0x3146574d

const FIRED_BYTES = 16

export function writeFired(end: number): Uint8Array {
  const bytes = new Uint8Array(FIRED_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, FIRED_MAGIC, true)
  view.setFloat64(8, end, true)
  return bytes
}

/** Throws a RangeError when the block was cut short. */
export function readFired(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(8, true)
}

/**
 * Tables of a group that blocks before it hold and that are gone, by their serials: a headed block; the last of a
 * group holds.
 */
export const GONE_MAGIC = 0x3147574d

interface GoneHeader {
  serials: readonly number[]
}

export function writeGone(serials: readonly number[]): Uint8Array {
  const header: GoneHeader = { serials }
  return writeHeadedBlock(GONE_MAGIC, header, [])
}

/** Throws STATE_CORRUPT. */
export function readGone(bytes: Uint8Array): readonly number[] {
  return new HeadedBlock<GoneHeader>(bytes).header.serials
}
