import type { Field, Row } from '../model/schema.ts'
import { isKeptAsText, storageOf } from '../model/type-traits.ts'
import type { Batch, Columns, TextColumn } from './batch.ts'
import { corrupt, type Stage } from './codec-stage.ts'

/** Where a column lies, in bytes. */
interface Place {
  /** Added to what is stored, where `kind` is 2. */
  base: number
  kind: number
  /** Where the bitmap of nulls is; -1 when none is null. */
  nulls: number
  values: number
  /** Characters before the texts of this column. */
  chars: number
}

/**
 * The columns of one stream's frames, one frame at a time: `open` looks at the heads alone, and a column is read when it
 * is asked for. Numbers of 64 bits, booleans, nulls and the bytes of texts are views of the frame; the other numbers
 * and where texts begin are written to arrays that the next frame uses again.
 */
export class FrameColumns implements Columns {
  readonly #fields: readonly Field[]
  /** By the place of the field in the schema. */
  readonly #places: Place[]
  /** Places of the fields in the order of the frame: see codegen/rows/codec.ts for the layout. */
  readonly #order: readonly number[]
  readonly #numbers: (Float64Array | undefined)[]
  /** Where texts begin, and where the last one ends. */
  readonly #starts: (Uint32Array | undefined)[]
  /** Fields whose array holds the values of this frame. */
  readonly #isRead: Uint8Array
  #stage: Stage | undefined
  #count = 0
  /** Where the blob begins. */
  #blob = 0

  constructor(fields: readonly Field[]) {
    this.#fields = fields
    this.#places = fields.map(() => ({ base: 0, kind: 0, nulls: -1, values: 0, chars: 0 }))
    const places = [...fields.keys()]
    const isText = (place: number): boolean => isKeptAsText(fields[place] as Field)
    this.#order = [...places.filter((place) => !isText(place)), ...places.filter(isText)]
    this.#numbers = fields.map(() => undefined)
    this.#starts = fields.map(() => undefined)
    this.#isRead = new Uint8Array(fields.length)
  }

  /**
   * Finds the columns of a frame. False when its texts are not ASCII: then it can only be read as rows. Throws
   * FRAME_CORRUPT when a column lies beyond its end.
   */
  open(stage: Stage): boolean {
    const { u32: words, f64: doubles, size } = stage
    const count = words[0] as number
    const [bytes, chars, encoding] = [words[1] as number, words[2] as number, words[3] as number]
    this.#stage = stage
    this.#count = count
    this.#isRead.fill(0)
    let at = 16
    let before = 0
    for (const index of this.#order) {
      const field = this.#fields[index] as Field
      const place = this.#places[index] as Place
      if (at + 16 > size) corrupt('a column header lies beyond its end')
      place.base = doubles[at >> 3] as number
      place.kind = words[(at >> 2) + 2] as number
      place.chars = before
      if (isKeptAsText(field)) before += words[at >> 2] as number
      const hasNulls = words[(at >> 2) + 3] === 1
      at += 16
      place.nulls = hasNulls ? at : -1
      if (hasNulls) at += ((count + 63) >> 6) << 3
      place.values = at
      at += (count * widthOf(field, place.kind) + 7) & ~7
      if (at > size) corrupt('a column lies beyond its end')
    }
    if (at + bytes > size) corrupt('its strings lie beyond its end')
    if (before !== chars) corrupt(`its strings have ${chars} characters, not ${before}`)
    this.#blob = at
    return encoding === 0 && bytes === chars
  }

  numbers(field: number): Float64Array {
    const { kind, values, base } = this.#places[field] as Place
    const { f64, i32, u32 } = this.#stage as Stage
    const count = this.#count
    if (kind === 1) return f64.subarray(values >> 3, (values >> 3) + count)
    let numbers = this.#numbers[field]
    if (numbers === undefined || numbers.length < count)
      this.#numbers[field] = numbers = new Float64Array(Math.max(count, 1024))
    if (this.#isRead[field] === 1) return numbers
    this.#isRead[field] = 1
    const from = values >> 2
    if (kind === 0) for (let i = 0; i < count; i++) numbers[i] = i32[from + i] as number
    else for (let i = 0; i < count; i++) numbers[i] = base + (u32[from + i] as number)
    return numbers
  }

  bits(field: number): Uint8Array {
    const { values } = this.#places[field] as Place
    return (this.#stage as Stage).u8.subarray(values, values + this.#count)
  }

  texts(field: number): TextColumn {
    const { u8, u16, u32 } = this.#stage as Stage
    const count = this.#count
    let starts = this.#starts[field]
    if (starts === undefined || starts.length <= count)
      this.#starts[field] = starts = new Uint32Array(Math.max(count, 1024) + 1)
    const texts = { bytes: u8, starts, ends: starts.subarray(1) }
    if (this.#isRead[field] === 1) return texts
    this.#isRead[field] = 1
    const { kind, values, chars } = this.#places[field] as Place
    let end = this.#blob + chars
    starts[0] = end
    for (let i = 0; i < count; i++) {
      end += (kind === 0 ? u16[(values >> 1) + i] : u32[(values >> 2) + i]) as number
      starts[i + 1] = end
    }
    if (end > u8.length) corrupt('the lengths of a string column do not add up')
    return texts
  }

  nulls(field: number): Uint8Array | undefined {
    const { nulls, values } = this.#places[field] as Place
    return nulls < 0 ? undefined : (this.#stage as Stage).u8.subarray(nulls, values)
  }
}

function widthOf(field: Field, kind: number): number {
  if (storageOf(field) === 'bit') return 1
  return isKeptAsText(field) ? (kind === 1 ? 4 : 2) : kind === 1 ? 8 : 4
}

/**
 * A frame as it arrived. Its columns lie in the frame and in what `columns` uses again for the next; its rows are made
 * when they are asked for. Throws FRAME_CORRUPT when it is read.
 */
export class FrameBatch implements Batch {
  readonly count: number
  readonly #stage: Stage
  readonly #columns: FrameColumns
  readonly #decode: (stage: Stage) => Row[]
  #rows: Row[] | undefined
  #asked: 'no' | 'columns' | 'rows only' = 'no'

  constructor(stage: Stage, columns: FrameColumns, decode: (stage: Stage) => Row[]) {
    if (stage.size < 16) corrupt(`the frame has ${stage.size} bytes, a header has 16`)
    this.count = stage.u32[0] as number
    if (this.count > 16777216) corrupt(`it claims ${this.count} rows`)
    this.#stage = stage
    this.#columns = columns
    this.#decode = decode
  }

  get columns(): Columns | undefined {
    if (this.#asked === 'no') this.#asked = this.#columns.open(this.#stage) ? 'columns' : 'rows only'
    return this.#asked === 'columns' ? this.#columns : undefined
  }

  rows(): Row[] {
    return (this.#rows ??= this.#decode(this.#stage))
  }
}
