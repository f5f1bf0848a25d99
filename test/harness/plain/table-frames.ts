import { compileBatchCodec } from '../../../runtime/codegen/rows/codec.ts'
import type { BatchCodec } from '../../../runtime/codegen/contracts.ts'
import { compileKeyCodec, type KeyCodec } from '../../../runtime/codegen/keys/key-codec.ts'
import type { StateKey } from '../../../runtime/memory/state-key.ts'
import { compileRowClass, type RowClass } from '../../../runtime/codegen/rows/row.ts'
import { MillraceError } from '../../../runtime/model/errors.ts'
import type { Field, Row, Schema } from '../../../runtime/model/schema.ts'
import type { TableShape } from '../../../runtime/state/state-store.ts'

/** One row (or timer) of a table as it stands in a block. */
export interface TableEntry {
  key: StateKey
  /** The frames of a map's entries. */
  userKey?: StateKey
  /** Absent for timers. */
  row?: Row
  /** A timer's time; the last write of a row that has a time to live, else 0. */
  at: number
}

/** Entries per pair of frames: small enough for a slice of work, large enough for columns. */
const FRAME_ENTRIES = 4096

/**
 * Turns entries of one table into frames of the batch codec and back, in the same order: per stretch of entries one
 * frame of the keys (k0…, of a map u0…, and `at` where it means something), then one of the rows unless it is timers.
 */
export class TableFrames {
  readonly #headClass: RowClass
  readonly #headCodec: BatchCodec
  readonly #rowCodec: BatchCodec | undefined
  readonly #keys: KeyCodec
  readonly #userKeys: KeyCodec | undefined
  readonly #headFields: readonly Field[]
  readonly #hasTime: boolean

  constructor(key: readonly Field[], shape: TableShape) {
    const userKey = shape.kind === 'map' ? shape.userKey : []
    this.#hasTime = shape.kind === 'timers' || shape.ttlMs !== undefined
    const keyFields = key.map((field, index) => ({ ...field, name: `k${index}` }))
    const userFields = userKey.map((field, index) => ({ ...field, name: `u${index}` }))
    this.#headFields = [
      ...keyFields,
      ...userFields,
      ...(this.#hasTime ? [{ name: 'at', type: 'timestamp', nullable: false } as const] : []),
    ]
    const head: Schema = { fields: this.#headFields }
    this.#headClass = compileRowClass(head)
    this.#headCodec = compileBatchCodec(head, this.#headClass)
    this.#keys = compileKeyCodec(keyFields)
    this.#userKeys = userFields.length === 0 ? undefined : compileKeyCodec(userFields)
    if (shape.kind !== 'timers')
      this.#rowCodec = compileBatchCodec(shape.schema, shape.rowClass ?? compileRowClass(shape.schema))
  }

  write(entries: readonly TableEntry[]): Uint8Array[] {
    const frames: Uint8Array[] = []
    for (let from = 0; from < entries.length; from += FRAME_ENTRIES) {
      const part = entries.slice(from, from + FRAME_ENTRIES)
      frames.push(
        this.#headCodec
          .encode(
            part.map((entry) => this.#head(entry)),
            part.length,
          )
          .slice(),
      )
      if (this.#rowCodec !== undefined)
        frames.push(
          this.#rowCodec
            .encode(
              part.map((entry) => entry.row as Row),
              part.length,
            )
            .slice(),
        )
    }
    return frames
  }

  /** Throws STATE_CORRUPT. */
  read(frames: readonly Uint8Array[]): TableEntry[] {
    const entries: TableEntry[] = []
    const step = this.#rowCodec === undefined ? 1 : 2
    if (frames.length % step !== 0)
      throw new MillraceError('STATE_CORRUPT', `${frames.length} frames of state are no pairs of keys and rows`)
    for (let i = 0; i < frames.length; i += step) this.#readPart(frames[i] as Uint8Array, frames[i + 1], entries)
    return entries
  }

  #head(entry: TableEntry): Row {
    return new this.#headClass(
      ...this.#keys.values(entry.key),
      ...(this.#userKeys?.values(entry.userKey ?? '') ?? []),
      entry.at,
    )
  }

  #readPart(headFrame: Uint8Array, rowFrame: Uint8Array | undefined, entries: TableEntry[]): void {
    const heads: Row[] = []
    const rows: Row[] = []
    let count: number
    try {
      count = this.#headCodec.decode(headFrame, heads)
      if (this.#rowCodec !== undefined && this.#rowCodec.decode(rowFrame as Uint8Array, rows) !== count) {
        throw new MillraceError('STATE_CORRUPT', `${count} keys of state stand before ${rows.length} rows`)
      }
    } catch (cause) {
      if (cause instanceof MillraceError && cause.code === 'STATE_CORRUPT') throw cause
      throw new MillraceError('STATE_CORRUPT', 'a frame of state does not decode', { cause })
    }
    for (let i = 0; i < count; i++) {
      const head = heads[i] as Row
      const row = rows[i]
      entries.push({
        key: this.#keys.of(head),
        at: this.#hasTime ? (head['at'] as number) : 0,
        ...(this.#userKeys === undefined ? {} : { userKey: this.#userKeys.of(head) }),
        ...(row === undefined ? {} : { row }),
      })
    }
  }
}
