import { isHeapColumn, keyColumns } from '../../memory/columns.ts'
import { CHANGED, type TableColumns } from '../../memory/key-table.ts'
import type { Field } from '../../model/schema.ts'
import { declareRecord, recordWidth, type AggregateCode } from '../aggregates/aggregate-code.ts'
import { type Code, identifier, joined, js, lines, NOTHING } from '../emitter.ts'
import { type GeneratedColumn, keyResult } from './key-columns.ts'
import { storageOf } from '../../model/type-traits.ts'

export interface KeyTableOptions {
  keys: readonly Field[]
  codes: readonly AggregateCode[]
  /** Columns beside keys and aggregates, and statements that give entry e of table t its first values in them. */
  extra?: { columns: readonly GeneratedColumn[]; start: Code }
  /** Statements of the constructor and of `clear`. */
  fields?: { create: Code; clear: Code }
  /** Keys are also found whose texts are ASCII bytes: findBytes. */
  bytes?: 'findBytes'
  /** The entries of a key are a chain through the column nx; only its head, where hd is 1, stands in the index. */
  chained?: 'by nx'
}

/** So many key texts of a table stay strings, none longer than so many characters. */
const KEPT_TEXTS = 256,
  LONGEST_KEPT = 256

export function keyTableColumns(options: KeyTableOptions): TableColumns {
  return { keys: hashedKeyColumns(options), values: valueColumns(options) }
}

function hashedKeyColumns({ keys }: KeyTableOptions): GeneratedColumn[] {
  return [{ name: 'h', array: 'Int32Array' }, ...keyColumns(keys)]
}

function valueColumns({ codes, extra }: KeyTableOptions): GeneratedColumn[] {
  return [...(extra?.columns ?? []), ...codes.flatMap(({ columns }) => columns)]
}

const indexesOf = (keys: readonly Field[], isText: 'text' | 'number'): number[] =>
  keys.flatMap((field, index) => ((storageOf(field) === 'text') === (isText === 'text') ? [index] : []))

/** The home of hash h in the index; the next places follow it. */
const HOME = js`Math.imul(h, 0x9e3779b1) >>> this.shift`

/** `class Table`: a KeyTable. */
export function keyTableClass(options: KeyTableOptions): Code {
  const { keys, codes, extra, fields } = options
  const columns = [
    ...hashedKeyColumns(options),
    ...valueColumns(options).filter(({ place }) => place === undefined),
    { name: 'u', array: 'Uint8Array' as const },
  ]
  const width = recordWidth(codes)
  const texts = indexesOf(keys, 'text')
  const [firstText] = texts
  return js`
    let serials = 0
    class Table {
      constructor() {
        this.n = 0
        this.chars = 0
        this.serial = ++serials
        this.cap = 8
        this.mask = 15
        this.shift = 28
        this.index = new Int32Array(16)
        this.changedIn = new Int32Array(0)
        this.lastChange = 0
        this.text = new Uint8Array(${texts.length > 0 ? 64 : 0})
        this.width = ${width}
        this.v = new Float64Array(${8 * width})
        ${texts.length > 0 ? lines([js`this.textAt = null`, js`this.lastTexts = []`]) : NOTHING}
        ${columns.map((column) => js`this.${identifier(column.name)} = ${emptyColumn(column)}`)}
        ${fields?.create ?? NOTHING}
      }
      clear() {
        this.n = 0
        this.chars = 0
        this.serial = ++serials
        this.lastChange = 0
        this.index.fill(0)
        ${texts.length > 0 ? js`this.textAt = null` : NOTHING}
        ${columns.map(clearColumn)}
        ${fields?.clear ?? NOTHING}
      }
      free(h) {
        const index = this.index, mask = this.mask
        let p = ${HOME}
        while (index[p] !== 0) p = p + 1 & mask
        return p
      }
      ${growMethods(columns, width, options)}
      ${options.chained === undefined ? NOTHING : chainMethod(keys)}
      ${findMethods(keys)}
      ${options.bytes === undefined ? NOTHING : findBytesMethods(keys)}
      enter(h, p) {
        if (this.n === this.cap) {
          this.grow()
          p = this.free(h)
        }
        const t = this, e = this.n++
        this.index[p] = e + 1
        this.h[e] = h
        this.start(e)
        return e
      }
      // the entry taken out of the index is the newest: no search passes over its place
      leave(e) {
        const index = this.index
        let p = Math.imul(this.h[e], 0x9e3779b1) >>> this.shift
        while (index[p] !== e + 1) p = p + 1 & this.mask
        index[p] = 0
        this.n = e
        ${firstText === undefined ? NOTHING : js`this.chars = this.o${firstText}[e]`}
      }
      start(e) {
        const t = this
        ${declareRecord(codes)}
        t.u[e] = ${CHANGED}
        ${extra?.start ?? NOTHING}
        ${codes.map(({ start }) => start)}
      }
      room(n) {
        const need = this.chars + n
        if (need > 2147483647) throw new RangeError('the string keys of a table exceed 2^31 characters')
        if (need > this.text.length) {
          const old = this.text
          this.text = new old.constructor(Math.max(need, old.length * 2))
          this.text.set(old)
        }
      }
      ${texts.length > 0 ? keyTextMethod(keys.length) : NOTHING}
      widen() { if (this.text instanceof Uint8Array) this.text = Uint16Array.from(this.text) }
      ${texts.map(textKeyMethods)}
    }`
}

function emptyColumn(column: GeneratedColumn): Code {
  if (column.create !== undefined) return column.create
  return isHeapColumn(column) ? js`[]` : js`new ${identifier(column.array)}(8)`
}

function clearColumn(column: GeneratedColumn): Code {
  if (isHeapColumn(column)) return js`this.${identifier(column.name)}.length = 0`
  return column.array === 'Whole' ? js`this.${identifier(column.name)}.clear()` : NOTHING
}

/** The same keys come out again and again, and making a string of bytes is a native call. */
function keyTextMethod(keys: number): Code {
  return js`
    keyText(i, e, o, l) {
      if (l === 0) return ''
      if (l > ${LONGEST_KEPT}) return textOf(this.text, o, o + l)
      if (this.textAt === null) this.textAt = new Int32Array(${KEPT_TEXTS})
      const p = e * ${keys} + i & ${KEPT_TEXTS - 1}
      if (this.textAt[p] !== o + 1) {
        this.textAt[p] = o + 1
        this.lastTexts[p] = textOf(this.text, o, o + l)
      }
      return this.lastTexts[p]
    }`
}

/** grow: twice the room. reindex: builds the index again from the hashes, as for a table that was restored. */
function growMethods(columns: readonly GeneratedColumn[], width: number, { chained }: KeyTableOptions): Code {
  const typed = columns.filter((column) => !isHeapColumn(column) && column.array !== 'Whole')
  const enter = js`this.index[this.free(this.h[e])] = e + 1`
  return js`
    grow() {
      const cap = this.cap * 2
      let old
      ${typed.map(
        ({ name, array }) => js`
          old = this.${identifier(name)}
          this.${identifier(name)} = new ${identifier(array)}(cap)
          this.${identifier(name)}.set(old)`,
      )}
      old = this.v
      this.v = new Float64Array(cap * ${width})
      this.v.set(old)
      this.cap = cap
      this.mask = cap * 2 - 1
      this.shift--
      this.reindex()
    }
    reindex() {
      this.index = new Int32Array(this.cap * 2)
      for (let e = 0; e < this.n; e++) ${chained === undefined ? enter : js`if (this.hd[e] === 1) ${enter}`}
    }`
}

/** `chain(x)`: one more entry of the key of entry x, behind it. */
function chainMethod(keys: readonly Field[]): Code {
  const columns = keyColumns(keys).map(({ name }) => identifier(name))
  return js`
    chain(x) {
      if (this.n === this.cap) this.grow()
      const e = this.n++
      this.h[e] = this.h[x]
      this.start(e)
      this.hd[e] = 0
      ${columns.map((column) => js`this.${column}[e] = this.${column}[x]`)}
      this.nx[e] = this.nx[x]
      this.nx[x] = e + 1
      return e
    }`
}

/**
 * find: the entry of a key given as values; a new one starts with the aggregates' initial values. findOf: the same for
 * a key of another table. seekOf: as findOf, -1 when it is not there.
 */
function findMethods(keys: readonly Field[]): Code {
  const hasText = indexesOf(keys, 'text').length > 0
  const isSameValue = keys.map((field, index) =>
    storageOf(field) === 'text' ? js`this.same${index}(e, v${index})` : js`this.k${index}[e] === v${index}`,
  )
  const isSameOf = keys.map((field, index) =>
    storageOf(field) === 'text' ? js`this.sameOf${index}(e, s, x)` : js`this.k${index}[e] === s.k${index}[x]`,
  )
  return js`
    find(${[...keys.map((_, index) => js`v${index}`), js`h`]}) {
      ${probe(isSameValue, hasText ? 'hash first' : 'keys alone')}
      e = this.enter(h, p)
      ${keys.map((field, index) =>
        storageOf(field) === 'text' ? js`this.put${index}(e, v${index})` : js`this.k${index}[e] = v${index}`,
      )}
      return e
    }
    findOf(s, x) {
      const h = s.h[x]
      ${probe(isSameOf, 'hash first')}
      e = this.enter(h, p)
      ${keys.map((field, index) =>
        storageOf(field) === 'text' ? js`this.putOf${index}(e, s, x)` : js`this.k${index}[e] = s.k${index}[x]`,
      )}
      return e
    }
    seekOf(s, x) {
      const h = s.h[x]
      ${probe(isSameOf, 'hash first')}
      return -1
    }`
}

/** The parameters of findBytes: of a text its bytes, where they begin and how many; -1 for null. */
export function byteKeyArguments(keys: readonly Field[]): Code[] {
  return [
    ...keys.flatMap((field, index) =>
      storageOf(field) === 'text' ? [js`b${index}`, js`from${index}`, js`length${index}`] : [js`v${index}`],
    ),
    js`h`,
  ]
}

/** findBytes: as find, of a key whose texts are bytes. */
function findBytesMethods(keys: readonly Field[]): Code {
  const textArguments = (index: number): Code => js`b${index}, from${index}, length${index}`
  const same = keys.map((field, index) =>
    storageOf(field) === 'text'
      ? js`this.sameBytes${index}(e, ${textArguments(index)})`
      : js`this.k${index}[e] === v${index}`,
  )
  return js`
    findBytes(${byteKeyArguments(keys)}) {
      ${probe(same, 'hash first')}
      e = this.enter(h, p)
      ${keys.map((field, index) =>
        storageOf(field) === 'text'
          ? js`this.putBytes${index}(e, ${textArguments(index)})`
          : js`this.k${index}[e] = v${index}`,
      )}
      return e
    }
    ${indexesOf(keys, 'text').map(
      (index) => js`
        sameBytes${index}(e, b, from, n) {
          if (this.l${index}[e] !== n) return false
          const text = this.text, at = this.o${index}[e]
          for (let i = 0; i < n; i++) if (text[at + i] !== b[from + i]) return false
          return true
        }
        putBytes${index}(e, b, from, n) {
          this.o${index}[e] = this.chars
          this.l${index}[e] = n
          if (n <= 0) return
          this.room(n)
          for (let i = 0, at = this.chars; i < n; i++) this.text[at + i] = b[from + i]
          this.chars += n
        }`,
    )}`
}

/** Returns the entry e that is equal; ends with `p`, the free place of the index, when the key is not there. */
function probe(equal: readonly Code[], compared: 'hash first' | 'keys alone'): Code {
  const tests = compared === 'hash first' ? [js`this.h[e] === h`, ...equal] : equal
  return js`
    const index = this.index, mask = this.mask
    let p = ${HOME}, e
    while ((e = index[p] - 1) >= 0) {
      if (${joined(tests, ' && ')}) return e
      p = p + 1 & mask
    }`
}

/** Compare and store the text of key field `index`, given as a string or as an entry of another table. */
function textKeyMethods(index: number): Code {
  const [offsets, lengths] = [js`this.o${index}`, js`this.l${index}`]
  return js`
    same${index}(e, v) {
      if (v === null) return ${lengths}[e] === -1
      const n = v.length
      if (${lengths}[e] !== n) return false
      const text = this.text, at = ${offsets}[e]
      for (let i = 0; i < n; i++) if (text[at + i] !== v.charCodeAt(i)) return false
      return true
    }
    put${index}(e, v) {
      ${offsets}[e] = this.chars
      if (v === null) {
        ${lengths}[e] = -1
        return
      }
      const n = v.length
      ${lengths}[e] = n
      this.room(n)
      for (let i = 0, at = this.chars; i < n; i++) {
        const c = v.charCodeAt(i)
        if (c > 255) this.widen()
        this.text[at + i] = c
      }
      this.chars += n
    }
    sameOf${index}(e, s, x) {
      const n = s.l${index}[x]
      if (${lengths}[e] !== n) return false
      const text = this.text, other = s.text, at = ${offsets}[e], from = s.o${index}[x]
      for (let i = 0; i < n; i++) if (text[at + i] !== other[from + i]) return false
      return true
    }
    putOf${index}(e, s, x) {
      const n = s.l${index}[x]
      ${offsets}[e] = this.chars
      ${lengths}[e] = n
      if (n <= 0) return
      this.room(n)
      if (s.text instanceof Uint16Array) this.widen()
      const text = this.text, other = s.text, from = s.o${index}[x], at = this.chars
      for (let i = 0; i < n; i++) text[at + i] = other[from + i]
      this.chars += n
    }`
}

/** `merge(t, s)`: all entries of s into t; and `mergeKnown(t, s)`: only those whose keys t has. */
export function mergeFunctions(codes: readonly AggregateCode[]): Code {
  return js`
    function combine(t, d, s, e) {
      const pd = d * ${recordWidth(codes)}, pe = e * ${recordWidth(codes)}
      ${codes.map(({ combine }) => combine)}
    }
    function merge(t, s) {
      for (let e = 0, n = s.n; e < n; e++) combine(t, t.findOf(s, e), s, e)
    }
    function mergeKnown(t, s) {
      for (let d = 0, n = t.n; d < n; d++) {
        const e = s.seekOf(t, d)
        if (e >= 0) combine(t, d, s, e)
      }
    }`
}

/**
 * `rows(t, first, end, windowStart, windowEnd, out, onRow)`: the output rows of entries [first, end) of a table from
 * which no entry was ever taken out.
 */
export function rowsFunction(keys: readonly Field[], codes: readonly AggregateCode[], between: readonly Code[]): Code {
  const firstText = indexesOf(keys, 'text')[0]
  const textAt = (offset: Code, length: Code): Code => js`text.slice(${offset} - lo, ${offset} - lo + ${length})`
  // entries are dense and their text was appended in order: one native read gives the text of all of them
  const allText = js`
    const lo = t.o${firstText ?? 0}[first]
    const text = textOf(t.text, lo, end === t.n ? t.chars : t.o${firstText ?? 0}[end])`
  return js`
    function rows(t, first, end, windowStart, windowEnd, out, onRow) {
      let n = 0
      ${firstText === undefined ? NOTHING : allText}
      for (let e = first; e < end; e++) {
        ${putRow([...keys.map((field, index) => keyResult(field, index, textAt)), ...between], codes)}
      }
      return n
    }`
}

/**
 * `rowsOf(t, entries, count, out, onRow)`: the output rows of the entries listed. `keysStay`: no key is ever taken out
 * of a table.
 */
export function rowsOfFunction(
  keys: readonly Field[],
  codes: readonly AggregateCode[],
  between: readonly Code[],
  lifetime: 'keysStay' | 'keysGo',
): Code {
  const results = keys.map((field, index) =>
    keyResult(field, index, (offset, length) =>
      lifetime === 'keysStay'
        ? js`t.keyText(${index}, e, ${offset}, ${length})`
        : js`textOf(t.text, ${offset}, ${offset} + ${length})`,
    ),
  )
  return js`
    function rowsOf(t, entries, count, out, onRow) {
      let n = 0
      for (let i = 0; i < count; i++) {
        const e = entries[i]
        ${putRow([...results, ...between], codes)}
      }
      return n
    }`
}

/**
 * `columnsOf(t, entries, from, end, out)`: the same into a ColumnBatch behind the rows it has, for the entries at
 * [from, end) of the list. Returns false, and leaves the batch with the rows it had, where rows are needed: for a text
 * that is not ASCII, and for a result that is refused. `aggregates` are the output fields of `codes`: numbers and booleans.
 */
export function columnsOfFunction(
  keys: readonly Field[],
  aggregates: readonly Field[],
  codes: readonly AggregateCode[],
): Code {
  const texts = indexesOf(keys, 'text')
  const numeric = [...keys, ...aggregates].flatMap((field, place) =>
    storageOf(field) === 'text' ? [] : [{ field, place }],
  )
  const results = [
    ...keys.map((field, index) => keyResult(field, index, () => NOTHING)),
    ...codes.map((code) => code.result),
  ]
  const refusals = codes.flatMap(({ refused }) => refused ?? [])
  return js`
    function columnsOf(t, entries, from, end, out) {
      ${texts.length === 0 ? NOTHING : js`if (!(t.text instanceof Uint8Array)) return false`}
      ${numeric.map(({ field, place }) => js`const c${place} = ${storageOf(field) === 'bit' ? js`out.bits(${place})` : js`out.numbers(${place})`}`)}
      let n = out.count
      for (let i = from; i < end; i++, n++) {
        const e = entries[i]
        ${declareRecord(codes)}
        ${refusals.length === 0 ? NOTHING : js`if (${joined(refusals, ' || ')}) return false`}
        ${texts.map((index) => putKeyText(keys[index] as Field, index))}
        ${numeric.map(({ field, place }) => putNumber(field, place, results[place] ?? NOTHING))}
      }
      out.count = n
      return true
    }`
}

function putKeyText(field: Field, index: number): Code {
  const put = (length: Code): Code => js`if (!out.putText(${index}, n, t.text, t.o${index}[e], ${length})) return false`
  if (!field.nullable) return put(js`t.l${index}[e]`)
  return js`
    if (t.l${index}[e] < 0) out.setNull(${index}, n)
    ${put(js`Math.max(t.l${index}[e], 0)`)}`
}

function putNumber(field: Field, place: number, result: Code): Code {
  const stored = (value: Code): Code => (storageOf(field) === 'bit' ? js`${value} ? 1 : 0` : value)
  if (!field.nullable) return js`c${place}[n] = ${stored(result)}`
  return js`
    {
      const value = ${result}
      if (value === null) out.setNull(${place}, n)
      c${place}[n] = ${stored(js`value`)}
    }`
}

function putRow(leading: readonly Code[], codes: readonly AggregateCode[]): Code {
  const refusals = codes.flatMap(({ refused }) => refused ?? [])
  const put = js`out[n++] = row`
  return js`
    ${declareRecord(codes)}
    const row = new Row(${[...leading, ...codes.map(({ result }) => result)]})
    ${refusals.length === 0 ? put : js`if (${joined(refusals, ' || ')}) onRow(row); else ${put}`}`
}
