import type { Field } from '../../model/schema.ts'
import { isText, recordHead } from '../../memory/row-record.ts'
import { CHUNK_BITS, textAt } from '../../memory/row-texts.ts'
import { identifier, joined, js, lines, NOTHING, property, type Code } from '../emitter.ts'
import { booleanByte, presentText, textLength, textValue } from './row-values.ts'
import { sameStoredText, storedCursorClasses, storedRecordFunctions, storeRow } from './stored-row-code.ts'

/**
 * Rows of one schema under a key, as generated code keeps them: typed columns in the order of arrival, the texts of
 * a row as one stretch among the texts of the pane, and an open-addressing index (linear probing, Fibonacci
 * hashing) from each key to its newest row. Rows of a key form a ring, newest to oldest to newer, so that they come
 * back in their order. Nothing of a log is on the heap, rows are only ever added, and all rows are dropped at once.
 */
export interface RowLog {
  /** Number of rows; columns hold them at [0, n). */
  readonly n: number
  /** Hash of each row's key. */
  readonly h: Int32Array
  /** 1 for a row that had a match; where it is marked. */
  readonly m: Uint8Array
  /** Room without rows, which will lie there. `part`: of the pane. */
  clear(texts: PaneTexts, part: number): void
}

/** Where the texts of all rows of a pane lie, or where the rows are stored all that is not needed to find them. */
export interface PaneTexts {
  /** Words that the texts take. */
  readonly taken: number
  /** Before anything of the rows that were added is read. */
  flush(): void
  /** Gives back what it has; nothing may be read any more. */
  release(): void
}

export interface RowLogShape {
  /** Name of the classes: `Left` gives LeftLog and LeftCursor. */
  name: string
  fields: readonly Field[]
  /** The fields of the key, in its order; all are among `fields`. */
  keys: readonly Field[]
  /** Whether rows carry the time they are kept by; without it there is one pane for ever. */
  isTimed: boolean
  /** Whether rows note that they had a match. */
  isMarked: boolean
  /** Whether rows lie in an arena, and so may be on disk (stored-row-code.ts). */
  isStored: boolean
  /**
   * When rows enter the index: each as it comes; when it is next searched, for keys without texts; or never: nobody
   * searches.
   */
  indexing: 'each' | 'searched' | 'never'
}

/** So many rows at most enter the index in one go, a few milliseconds. */
const MOST_UNINDEXED = 1 << 16

/** So many texts that were read stay strings, none of more than so many bytes. A pane's texts never change. */
const KEPT_TEXTS = 512,
  LONGEST_KEPT = 2048

/** The classes of a log and of the cursors that read it. The unit's scope must hold ROW_LOG_SCOPE. */
export function rowLogClasses(shape: RowLogShape): Code {
  const { name, fields, isStored } = shape
  const hasText = fields.some(isText)
  const enter = isStored
    ? lines([js`this.part = part`, js`this.rows = texts.enter(this, part)`])
    : js`this.texts = texts`
  const parameters = isStored ? js`texts, part` : js`texts`
  const columns = columnsOf(shape)
  const textOf = js`textOf(e) { return this.texts.of(this.o[e], this.b[e], this.w[e]) }`
  return js`
    class ${identifier(name)}Log {
      constructor(${parameters}) {
        ${enter}
        this.version = 0
        this.n = 0
        this.indexed = 0
        this.keyCount = 0
        this.cap = 16
        this.mask = 31
        this.shift = 27
        this.index = new Int32Array(32)
        ${columns.map(([column, array]) => js`this.${identifier(column)} = new ${identifier(array)}(16)`)}
      }
      clear(${parameters}) {
        ${enter}
        this.version++
        this.n = 0
        this.indexed = 0
        this.keyCount = 0
        this.index.fill(0)
      }
      // room that is not written to yet takes no memory, copying does
      grow() {
        const cap = this.cap = this.cap * 4
        let c
        ${columns.map(
          ([column, array]) => js`
            c = this.${identifier(column)}
            this.${identifier(column)} = new ${identifier(array)}(cap)
            this.${identifier(column)}.set(c)`,
        )}
      }
      reindex() {
        const old = this.index, index = this.index = new Int32Array(old.length * 2), mask = this.mask = index.length - 1
        this.shift--
        for (let i = 0; i < old.length; i++) {
          const e = old[i]
          if (e === 0) continue
          let p = Math.imul(this.h[e - 1], 0x9e3779b1) >>> this.shift
          while (index[p] !== 0) p = p + 1 & mask
          index[p] = e
        }
      }
      ${findMethod(shape)}
      ${addMethod(shape)}
      ${hasText && !isStored ? textOf : NOTHING}
    }
    ${isStored ? storedCursorClasses(shape) : cursorClass(name, fields)}`
}

/** What the code of row logs refers to. */
export const ROW_LOG_SCOPE: Readonly<Record<string, unknown>> = {
  textAt,
  parseJson: JSON.parse,
  printJson: JSON.stringify,
}

function columnsOf({ fields, keys, isTimed, isMarked, isStored }: RowLogShape): (readonly [string, string])[] {
  const isColumn = (field: Field): boolean =>
    !isStored || (!isText(field) && keys.some(({ name }) => name === field.name))
  const own = fields.flatMap((field, index) =>
    !isColumn(field)
      ? []
      : [
          (isText(field)
            ? [`l${index}`, 'Int32Array']
            : field.type === 'boolean'
              ? [`c${index}`, 'Uint8Array']
              : [`c${index}`, 'Float64Array']) as readonly [string, string],
        ],
  )
  const texts: (readonly [string, string])[] = isStored
    ? [['a', 'Int32Array']]
    : fields.some(isText)
      ? [
          ['o', 'Int32Array'],
          ['b', 'Int32Array'],
          ['w', 'Uint8Array'],
        ]
      : []
  const marks: (readonly [string, string])[] = [
    ...(isTimed ? [['time', 'Float64Array'] as const] : []),
    ...(isMarked ? [['m', 'Uint8Array'] as const] : []),
  ]
  return [['h', 'Int32Array'], ['next', 'Int32Array'], ...marks, ...texts, ...own]
}

/** Variables of a key's values: k0, k1, … */
export function keyParameters(keys: readonly Field[]): Code[] {
  return keys.map((_, index) => js`k${index}`)
}

/** find: the newest row of a key none of whose values is null, or -1. */
function findMethod(shape: RowLogShape): Code {
  const { keys, indexing } = shape
  if (indexing === 'never') return NOTHING
  return js`
    find(${[js`h`, ...keyParameters(keys)]}) {
      ${indexing === 'searched' ? js`if (this.indexed !== this.n) this.catchUp()` : NOTHING}
      const index = this.index, mask = this.mask
      let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
      while ((e = index[p] - 1) >= 0) {
        if (${sameKey(shape)}) return e
        p = p + 1 & mask
      }
      return -1
    }`
}

function sameKey({ name, fields, keys, isStored }: RowLogShape): Code {
  const tests = keys.map((key, index) => {
    const at = fields.findIndex((field) => field.name === key.name)
    const value = js`k${index}`
    if (key.type === 'string' && isStored) return sameStoredText(name, key, value)
    const isSameText = js`this.textOf(e).startsWith(${value}, ${textStart(fields, at, js`this`)})`
    if (key.type === 'string') return js`this.l${at}[e] === ${value}.length && ${isSameText}`
    return key.type === 'boolean' ? js`this.c${at}[e] === (${value} ? 1 : 0)` : js`this.c${at}[e] === ${value}`
  })
  return joined([js`this.h[e] === h`, ...tests], ' && ')
}

/** Where a text field begins within the text of row e. */
function textStart(fields: readonly Field[], at: number, table: Code): Code {
  const before = fields.slice(0, at).flatMap((field, index) => {
    if (!isText(field)) return []
    const length = js`${table}.l${index}[e]`
    return [field.nullable ? js`(${length} > 0 ? ${length} : 0)` : length]
  })
  return before.length === 0 ? js`0` : joined(before, ' + ')
}

/** add: takes row r; a row whose key holds a null (isLinked false) is kept but never found. */
function addMethod(shape: RowLogShape): Code {
  const { fields, keys, isTimed, isMarked, isStored, indexing } = shape
  const parameters = [js`r`, js`time`, js`matched`, js`isLinked`, js`h`, ...keyParameters(keys)]
  // nothing before the last lines but room leaves a trace when it throws: the row is there once n says so
  return js`
    add(${parameters}) {
      ${isStored ? js`if (arena.debt) arena.maintain()` : NOTHING}
      if (this.n === this.cap) this.grow()
      ${indexing === 'each' ? js`if (this.keyCount * 2 > this.mask) this.reindex()` : NOTHING}
      const e = this.n
      ${isStored ? lines([storeRow(shape), storeKeyColumns(shape)]) : storeColumns(fields)}
      this.h[e] = h
      ${isTimed ? js`this.time[e] = time` : NOTHING}
      ${isMarked ? js`this.m[e] = matched` : NOTHING}
      this.next[e] = isLinked ? e : -1
      this.n = e + 1
      ${indexing === 'each' ? enterIndex(shape) : NOTHING}
      ${indexing === 'searched' ? js`if (e - this.indexed >= ${MOST_UNINDEXED}) this.catchUp()` : NOTHING}
    }
    ${indexing === 'searched' ? catchUpMethod(shape) : NOTHING}`
}

/** Puts row e, the newest, into the index: into the ring of its key, or as the first row of it. */
function enterIndex(shape: RowLogShape): Code {
  return js`
    if (!isLinked) return
    const index = this.index, mask = this.mask, row = e
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift
    for (let e; (e = index[p] - 1) >= 0; p = p + 1 & mask) {
      if (${sameKey(shape)}) {
        this.next[row] = this.next[e]
        this.next[e] = row
        index[p] = row + 1
        return
      }
    }
    this.keyCount++
    index[p] = row + 1`
}

/** Puts the fields of row r into the columns of row e, its texts among those of the pane. */
function storeColumns(fields: readonly Field[]): Code {
  const texts = fields.flatMap((field, index) => (isText(field) ? [presentText(field, index)] : []))
  return js`
    ${fields.map((field, index) => {
      if (!isText(field)) return storeColumn(field, index)
      return js`
        const s${index} = ${textValue(field)}
        this.l${index}[e] = ${textLength(field, index)}`
    })}
    ${texts.length > 0 ? js`this.texts.add(this, e, ${joined(texts, ' + ')})` : NOTHING}`
}

function storeKeyColumns({ fields, keys }: RowLogShape): Code {
  return lines(
    fields.map((field, index) =>
      !isText(field) && keys.some(({ name }) => name === field.name) ? storeColumn(field, index) : NOTHING,
    ),
  )
}

function storeColumn(field: Field, index: number): Code {
  const value = js`r${property(field.name)}`
  if (field.type === 'boolean') return js`this.c${index}[e] = ${booleanByte(field)}`
  if (!field.nullable) return js`this.c${index}[e] = ${value}`
  return js`
    {
      const v = ${value}
      this.c${index}[e] = v === null ? NaN : v
    }`
}

/** catchUp: the rows that came since it was last searched enter the index, those whose key holds a null excepted. */
function catchUpMethod({ fields, keys }: RowLogShape): Code {
  const columns = keys.map((key) => fields.findIndex((field) => field.name === key.name))
  const isSame = [js`hashes[e] === h`, ...columns.map((column) => js`column${column}[e] === column${column}[row]`)]
  return js`
    catchUp() {
      const n = this.n, next = this.next, hashes = this.h
      let index = this.index, mask = this.mask, shift = this.shift
      ${[...new Set(columns)].map((column) => js`const column${column} = this.c${column}`)}
      for (let row = this.indexed; row < n; row++) {
        if (next[row] < 0) continue
        const h = hashes[row]
        let p = Math.imul(h, 0x9e3779b1) >>> shift, e
        while ((e = index[p] - 1) >= 0 && !(${joined(isSame, ' && ')})) p = p + 1 & mask
        index[p] = row + 1
        if (e >= 0) {
          next[row] = next[e]
          next[e] = row
        } else if (++this.keyCount * 2 > mask) {
          this.reindex()
          index = this.index
          mask = this.mask
          shift = this.shift
        }
      }
      this.indexed = n
    }`
}

/** Words of a record without its text, or one more. */
export function recordWords(fields: readonly Field[]): number {
  return recordHead(fields).words + 1
}

/**
 * Measure, dump and parse of a snapshot's records. A record is padded to 8 bytes: f64 time, f64 per number (NaN
 * is null), i32 matched (written by version 1 alone) | encoding of the text << 1, i32 bytes of text, i32 per text (its
 * length, −1 for null) and boolean (2 for null) in the order of the fields, the text. `group` is the group of hash h.
 */
export function recordFunctions(shape: RowLogShape, group: Code): Code {
  return shape.isStored
    ? storedRecordFunctions(shape, group)
    : lines([measureAndDump(shape, group), parseFunction(shape)])
}

/** A record's columns of texts and booleans. */
function otherColumn(fields: readonly Field[], index: number): Code {
  return isText(fields[index] as Field) ? js`l${index}` : js`c${index}`
}

function measureAndDump({ name, fields, isTimed }: RowLogShape, group: Code): Code {
  const { numbers, others, words } = recordHead(fields)
  const hasText = fields.some(isText)
  const size = hasText ? js`(${words + 1} + (t.b[e] + 3 >> 2) & ~1)` : js`${words + (words & 1)}`
  const copyText = js`
    const chunk = t.texts.words[t.o[e] >>> ${CHUNK_BITS}]
    for (let q = t.o[e] & ${(1 << CHUNK_BITS) - 1}, end = q + (t.b[e] + 3 >> 2); q < end; q++) own[p++] = chunk[q]`
  return js`
    function measure${identifier(name)}(t, e, to, words) {
      for (; e < to; e++) {
        const h = t.h[e]
        words[${group}] += ${size}
      }
    }
    function dump${identifier(name)}(t, e, to, places, ints, doubles) {
      for (; e < to; e++) {
        const h = t.h[e], g = ${group}
        let p = places[g]
        places[g] = p + ${size}
        const own = ints[g], numbers = doubles[g]
        let d = p >> 1
        numbers[d++] = ${isTimed ? js`t.time[e]` : 0}
        ${numbers.map((index) => js`numbers[d++] = t.c${index}[e]`)}
        p = d * 2
        own[p++] = ${hasText ? js`t.w[e] << 1` : 0}
        own[p++] = ${hasText ? js`t.b[e]` : 0}
        ${others.map((index) => js`own[p++] = t.${otherColumn(fields, index)}[e]`)}
        ${hasText ? copyText : NOTHING}
      }
    }`
}

/**
 * parse: the record at word p of the views becomes row 0 of log t, its text loaded into the cursor; returns the next
 * p.
 */
function parseFunction({ name, fields, isTimed, isMarked }: RowLogShape): Code {
  const { numbers, others } = recordHead(fields)
  const loadText = js`
    if (q * 4 + size > bytes.length || size < 0) return -1
    const c = cursor${identifier(name)}
    c.$s = textAt(bytes, q * 4, size, flags >> 1)
    c.$st = t
    c.$se = 0
    c.$sv = t.version`
  return js`
    function parse${identifier(name)}(p, ints, doubles, bytes, t) {
      let d = p >> 1
      ${isTimed ? js`t.time[0] = doubles[d]` : NOTHING}
      d++
      ${numbers.map((index) => js`t.c${index}[0] = doubles[d++]`)}
      let q = d * 2
      const flags = ints[q++], size = ints[q++]
      ${isMarked ? js`t.m[0] = flags & 1` : NOTHING}
      ${others.map((index) => js`t.${otherColumn(fields, index)}[0] = ints[q++]`)}
      ${fields.some(isText) ? loadText : NOTHING}
      return q + (size + 3 >> 2) + 1 & ~1
    }`
}

/**
 * Reads row e of log t like an object of the row's class; call `$load` first where texts are read. Members that are
 * not fields begin with $, as no field does.
 */
function cursorClass(name: string, fields: readonly Field[]): Code {
  // the same row is often wanted again, by the next row that comes or by one soon after: making a string of bytes
  // is a native call
  const load = js`
    const t = this.$t, e = this.$e
    if (this.$st === t && this.$se === e && this.$sv === t.version) return
    this.$st = t
    this.$se = e
    this.$sv = t.version
    const b = t.b[e]
    if (b === 0 || b > ${LONGEST_KEPT}) {
      this.$s = t.textOf(e)
      return
    }
    const o = t.o[e], p = Math.imul(o, 0x9e3779b1) >>> ${32 - Math.log2(KEPT_TEXTS)}
    if (this.$ko[p] === o && this.$kt[p] === t.texts) {
      this.$s = this.$ks[p]
      return
    }
    this.$ko[p] = o
    this.$kt[p] = t.texts
    this.$s = this.$ks[p] = t.textOf(e)`
  return js`
    class ${identifier(name)}Cursor {
      constructor() {
        this.$t = new ${identifier(name)}Log(null)
        this.$e = 0
        this.$s = ''
        this.$st = null
        this.$se = 0
        this.$sv = 0
        this.$ks = []
        this.$ko = new Int32Array(${KEPT_TEXTS})
        this.$kt = []
      }
      $load() {
        ${fields.some(isText) ? load : NOTHING}
      }
      ${fields.map(
        (field, index) => js`
          get ${identifier(field.name)}() {
            const t = this.$t, e = this.$e
            ${getField(fields, field, index)}
          }`,
      )}
    }`
}

function getField(fields: readonly Field[], field: Field, index: number): Code {
  if (field.type === 'boolean')
    return field.nullable
      ? js`return t.c${index}[e] === 2 ? null : t.c${index}[e] === 1`
      : js`return t.c${index}[e] === 1`
  if (!isText(field))
    return js`
      const v = t.c${index}[e]
      return ${field.nullable ? js`v !== v ? null : v` : js`v`}`
  const text = js`this.$s.slice(a, a + n)`
  return js`
    const n = t.l${index}[e]
    ${field.nullable ? js`if (n < 0) return null` : NOTHING}
    const a = ${textStart(fields, index, js`t`)}
    return ${field.type === 'json' ? js`parseJson(${text})` : text}`
}
