import type { Field } from '../../model/schema.ts'
import { textAt } from '../../memory/row-texts.ts'
import { type Code, identifier, joined, js, lines, NOTHING, property } from '../emitter.ts'
import { booleanByte, presentText, textLength, textValue } from './row-values.ts'
import { cursorClass, textStart } from './row-cursor.ts'
import { sameStoredText, storedCursorClasses, storeRow } from './stored-row-code.ts'
import { isKeptAsText, storageOf } from '../../model/type-traits.ts'

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
  /** Whether rows are in an arena, and so may be on disk (stored-row-code.ts). */
  isStored: boolean
  /**
   * When rows enter the index: each as it comes; when it is next searched, for keys without texts; or never, when
   * the log is not searched.
   */
  indexing: 'each' | 'searched' | 'never'
}

/** So many rows at most enter the index in one go, a few milliseconds. */
const MOST_UNINDEXED = 1 << 16

/** The classes of a log and of the cursors that read it. The unit's scope must hold ROW_LOG_SCOPE. */
export function rowLogClasses(shape: RowLogShape): Code {
  const { name, fields, isStored } = shape
  const hasText = fields.some(isKeptAsText)
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
    !isStored || (!isKeptAsText(field) && keys.some(({ name }) => name === field.name))
  const own = fields.flatMap((field, index) =>
    !isColumn(field)
      ? []
      : [
          (isKeptAsText(field)
            ? [`l${index}`, 'Int32Array']
            : storageOf(field) === 'bit'
              ? [`c${index}`, 'Uint8Array']
              : [`c${index}`, 'Float64Array']) as readonly [string, string],
        ],
  )
  const texts: (readonly [string, string])[] = isStored
    ? [['a', 'Int32Array']]
    : fields.some(isKeptAsText)
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
    if (storageOf(key) === 'text' && isStored) return sameStoredText(name, key, value)
    const isSameText = js`this.textOf(e).startsWith(${value}, ${textStart(fields, at, js`this`)})`
    if (storageOf(key) === 'text') return js`this.l${at}[e] === ${value}.length && ${isSameText}`
    return storageOf(key) === 'bit' ? js`this.c${at}[e] === (${value} ? 1 : 0)` : js`this.c${at}[e] === ${value}`
  })
  return joined([js`this.h[e] === h`, ...tests], ' && ')
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
  const texts = fields.flatMap((field, index) => (isKeptAsText(field) ? [presentText(field, index)] : []))
  return js`
    ${fields.map((field, index) => {
      if (!isKeptAsText(field)) return storeColumn(field, index)
      return js`
        const s${index} = ${textValue(field)}
        this.l${index}[e] = ${textLength(field, index)}`
    })}
    ${texts.length > 0 ? js`this.texts.add(this, e, ${joined(texts, ' + ')})` : NOTHING}`
}

function storeKeyColumns({ fields, keys }: RowLogShape): Code {
  return lines(
    fields.map((field, index) =>
      !isKeptAsText(field) && keys.some(({ name }) => name === field.name) ? storeColumn(field, index) : NOTHING,
    ),
  )
}

function storeColumn(field: Field, index: number): Code {
  const value = js`r${property(field.name)}`
  if (storageOf(field) === 'bit') return js`this.c${index}[e] = ${booleanByte(field)}`
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
