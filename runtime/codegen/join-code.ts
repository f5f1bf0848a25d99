import type { Expression } from '../expressions/ast.ts'
import { fieldsIn } from '../expressions/fields-in.ts'
import { fieldsOf, fieldOf, type Field, type Row, type Schema } from '../model/schema.ts'
import { MillraceError } from '../model/errors.ts'
import { fieldsKept, isOuter, type JoinSide, type JoinVerb } from '../graph/verbs/join/join.ts'
import type { RowErrorHandler } from './contracts.ts'
import { Emitter } from './emitter.ts'
import { EXPRESSION_SCOPE } from './expression.ts'
import { emitHashHelpers, keyGroupExpression, keyHashExpression } from './keys/key-hash.ts'
import { emitPairRow, emitPairTest, type PairVariables } from './rows/pair-row.ts'
import type { RecordArena } from '../memory/arena/record-arena.ts'
import {
  emitRecords,
  emitRowLog,
  keyParameters,
  recordWords,
  ROW_LOG_SCOPE,
  type PaneTexts,
  type RowLog,
} from './rows/row-log.ts'
import { storedRowsScope, type CursorReads } from './rows/stored-row-code.ts'
import { compileRowClass, type RowClass } from './rows/row.ts'

/** A stretch of time of one side: its rows in parts by the top bits of their hash, so that no part is large. */
export interface JoinPane {
  /** No other pane of its side ever had it. */
  readonly serial: number
  readonly start: number
  readonly end: number
  readonly parts: (RowLog | undefined)[]
  /** The texts of all its rows. */
  readonly texts: PaneTexts
}

/** What the generated loops read and fill; one per join, set before each call. */
export interface JoinHost {
  /** Rows before this moment of event time are late: the watermark (interval), or one more than it (window). */
  passed: number
  /** The same as restored, by key group, while the watermark has not come up to it. */
  held: Float64Array | null
  /** Which key groups ever had a row. */
  readonly seen: Uint8Array
  /** Processing time. */
  now: number
  /** Rows of the running batch that were late. */
  readonly late: Row[]
  paneAt(side: 0 | 1, time: number): JoinPane
  part(side: 0 | 1, pane: JoinPane, part: number): RowLog
  /** The newest row of a log is one of the group that was restored. Called for a side whose rows are marked later. */
  rowRestored(side: 0 | 1, log: RowLog, group: number): void
}

/** Rows of this side that have no match come out by themselves, once their time is over. */
export function isAwaited({ type }: JoinVerb, side: JoinSide): boolean {
  return isOuter(type, side) || (side === 'left' && type === 'anti')
}

/** Rows of this side are kept without a match and marked when one comes; in a window only while it fires. */
export function isMarkedLater(verb: JoinVerb, side: JoinSide): boolean {
  return verb.extent.kind !== 'window' && (isAwaited(verb, side) || (side === 'left' && verb.type === 'semi'))
}

export interface JoinSideCode {
  create(texts: PaneTexts, part: number): RowLog
  /**
   * Takes rows[from..count): puts matches among the panes of the other side to `out` and keeps what may yet match.
   * Stops early when `out` is full; returns where to go on. A window join only keeps.
   */
  take(
    rows: readonly Row[],
    from: number,
    count: number,
    others: readonly JoinPane[],
    host: JoinHost,
    out: Row[],
    onError: RowErrorHandler,
  ): number
  /** Puts out the rows of an outer side, from row `from`, that had no match; stops early as `take` does. */
  alone(
    log: RowLog,
    from: number,
    window: { start: number; end: number },
    host: JoinHost,
    out: Row[],
    onError: RowErrorHandler,
  ): number
  /** Adds to words[g] what rows [from, to) of each key group take in a snapshot, in words of 4 bytes. */
  measure(log: RowLog, from: number, to: number, words: Int32Array): void
  /** Writes rows [from, to) as records, each at word places[g] of its group's views, which moves on. */
  dump(
    log: RowLog,
    from: number,
    to: number,
    places: Int32Array,
    ints: readonly Int32Array[],
    doubles: readonly Float64Array[],
  ): void
  /** Takes back the records of words [from, to). False when they do not fit into that. */
  restore(
    block: { ints: Int32Array; doubles: Float64Array; bytes: Buffer },
    from: number,
    to: number,
    host: JoinHost,
  ): boolean
  /** What is kept, as text: a restore wants the same. */
  shape: string
  /** Words of a row in a snapshot without its text, or one more. */
  recordWords: number
}

export interface JoinCode {
  left: JoinSideCode
  right: JoinSideCode
  /** A closing window: rows of a left log against the right logs of the same part; stops early as `take` does. */
  fire(
    log: RowLog,
    from: number,
    rights: readonly RowLog[],
    window: { start: number; end: number },
    host: JoinHost,
    out: Row[],
    onError: RowErrorHandler,
  ): number
}

export interface JoinCodeOptions {
  verb: JoinVerb
  inputs: Readonly<Record<JoinSide, Schema>>
  output: { schema: Schema; rowClass: RowClass }
  maxParallelism: number
  /** Each pane has 2^partBits parts. */
  partBits: number
  operatorId: string
  /** Where rows lie when not all may be in memory: panes are to keep theirs as StoredPane there. */
  arena?: RecordArena | undefined
}

/** Looking ahead pays for so many rows. */
const LEAST_LOOK = 64

/** `out` is full at so many rows. */
export const JOIN_OUT_ROWS = 2048

/** Generates one join: the state of both sides and the loops over it. */
export function compileJoin(options: JoinCodeOptions): JoinCode {
  return new JoinGenerator(options).compile()
}

interface Side {
  readonly name: 'Left' | 'Right'
  readonly side: JoinSide
  readonly index: 0 | 1
  readonly fields: readonly Field[]
  readonly keys: readonly Field[]
  readonly time: { field: Field; offsetMs: number } | undefined
  readonly isTimed: boolean
  readonly isMarked: boolean
  readonly isStored: boolean
  readonly indexing: 'each' | 'searched' | 'never'
}

class JoinGenerator {
  readonly #options: JoinCodeOptions
  readonly #verb: JoinVerb
  readonly #code = new Emitter()
  readonly #left: Side
  readonly #right: Side

  constructor(options: JoinCodeOptions) {
    this.#options = options
    this.#verb = options.verb
    this.#left = this.#sideOf('left')
    this.#right = this.#sideOf('right')
  }

  compile(): JoinCode {
    const code = this.#code
    emitHashHelpers(code)
    for (const side of [this.#left, this.#right]) {
      emitRowLog(code, side)
      emitRecords(code, side, this.#group())
      this.#emitCursors(side)
      code.line(
        `const nothing${side.name} = { ${side.fields.map((field) => `${code.property(field.name).slice(1)}: null`).join(', ')} }`,
      )
      this.#emitStored(side)
    }
    for (const side of [this.#left, this.#right]) {
      if (this.#verb.extent.kind === 'window') this.#emitCollect(side)
      else this.#emitTake(side, side === this.#left ? this.#right : this.#left)
      this.#emitAlone(side)
    }
    if (this.#verb.extent.kind === 'window') this.#emitFire()
    else code.line(`const fire = undefined`)
    const sideCode = ({ name }: Side): string =>
      `{ create: (texts, part) => new ${name}Log(texts, part), take: take${name}, alone: alone${name}, measure: measure${name}, dump: dump${name}, restore: restore${name} }`
    code.line(`return { left: ${sideCode(this.#left)}, right: ${sideCode(this.#right)}, fire }`)
    const compiled = code.compile<JoinCode>({
      ...EXPRESSION_SCOPE,
      ...ROW_LOG_SCOPE,
      ...(this.#options.arena === undefined ? {} : storedRowsScope(this.#options.arena)),
      refuseTime,
      Row: this.#options.output.rowClass,
      KeptLeft: compileRowClass({ fields: this.#left.fields }),
      KeptRight: compileRowClass({ fields: this.#right.fields }),
      operatorId: this.#options.operatorId,
    })
    const withShape = (made: JoinSideCode, { fields }: Side): JoinSideCode => ({
      ...made,
      shape: fields.map(({ name, type, nullable }) => `${name}: ${type}${nullable ? '?' : ''}`).join(', '),
      recordWords: recordWords(fields),
    })
    return {
      left: withShape(compiled.left, this.#left),
      right: withShape(compiled.right, this.#right),
      fire: compiled.fire,
    }
  }

  #sideOf(side: JoinSide): Side {
    const schema = this.#options.inputs[side]
    const kept = fieldsKept(this.#verb, side)
    const fields = schema.fields.filter((field) => kept.has(field.name))
    const time = this.#verb.times?.[side]
    const field = time === undefined ? undefined : fieldOf(schema, time.field)
    const keys = fieldsOf(schema, this.#verb.keys[side])
    if (time !== undefined && field === undefined)
      throw new MillraceError('UNKNOWN_FIELD', `event time ${time.field} is no field of the join's ${side} input`)
    return {
      name: side === 'left' ? 'Left' : 'Right',
      side,
      index: side === 'left' ? 0 : 1,
      fields,
      keys,
      time: time === undefined || field === undefined ? undefined : { field, offsetMs: time.offsetMs },
      isTimed: this.#verb.extent.kind !== 'regular' || this.#verb.extent.ttlMs !== undefined,
      isMarked: this.#verb.type !== 'inner',
      isStored: this.#options.arena !== undefined,
      // a window that fires searches the right side alone
      indexing:
        this.#verb.extent.kind === 'window' && side === 'left'
          ? 'never'
          : hasText(keys) || this.#isKeptOnce(side)
            ? 'each'
            : 'searched',
    }
  }

  /** A right row of which no more than its being there is asked is kept once per key. */
  #isKeptOnce(side: JoinSide): boolean {
    const { type, where, extent } = this.#verb
    const isForEver = extent.kind === 'window' || (extent.kind === 'regular' && extent.ttlMs === undefined)
    return side === 'right' && (type === 'semi' || type === 'anti') && where === undefined && isForEver
  }

  #group(): string {
    return keyGroupExpression('h', this.#options.maxParallelism)
  }

  get #part(): string {
    return `h >>> ${32 - this.#options.partBits}`
  }

  /** k0…, isLinked, h of the row in the variable. */
  #emitKey({ keys }: Side, row: string): void {
    keys.forEach((field, index) => {
      this.#code.line(`const k${index} = ${row}${this.#code.property(field.name)}`)
    })
    const tests = keys.flatMap((field, index) => (field.nullable ? [`k${index} !== null`] : []))
    this.#code.line(`const isLinked = ${tests.length === 0 ? 'true' : tests.join(' && ')}`)
    this.#code.line(`const h = ${keyHashExpression(keys, keyParameters(keys))}`)
  }

  #emitTime(side: Side, row: string): void {
    const { time } = side
    if (time === undefined) {
      this.#code.line(`const time = host.now`)
      return
    }
    const value = `${row}${this.#code.property(time.field.name)}`
    if (time.field.nullable)
      this.#code.line(`if (${value} === null) refuseTime(${this.#code.literal(time.field.name)})`)
    this.#code.line(`const time = ${value}${time.offsetMs === 0 ? '' : ` + ${this.#code.literal(time.offsetMs)}`}`)
  }

  #args(side: Side): string {
    return ['h', ...keyParameters(side.keys)].join(', ')
  }

  /**
   * Puts row `row` into its pane; of a side kept once, whose key is no null then, `isNew` says whether it was the
   * first.
   */
  #emitKeep(side: Side, row: string, matched: string, until = 'to'): void {
    const code = this.#code
    code.line(
      `if (!(time >= from && time < ${until})) { if (pane !== undefined) pane.texts.flush(); pane = host.paneAt(${side.index}, time); from = pane.start; ${until} = pane.end; parts = pane.parts }`,
    )
    code.line(`const own = parts[${this.#part}] ?? host.part(${side.index}, pane, ${this.#part})`)
    if (this.#isKeptOnce(side.side)) code.line(`const isNew = own.find(${this.#args(side)}) < 0; if (isNew)`)
    // the text of a key is compared with that of the next row
    const flush = side.indexing === 'each' && hasText(side.keys) ? '; pane.texts.flush()' : ''
    code.line(`{ own.add(${row}, time, ${matched}, isLinked, ${this.#args(side)})${flush} }`)
  }

  #emitLateness(row: string, test: (passed: string) => string): void {
    this.#code.line(
      `if (${test('host.passed')} || (held !== null && ${test('held[g]')})) { host.late.push(${row}); continue }`,
    )
  }

  /** interval and regular: look for matches now, then keep the row. */
  #emitTake(side: Side, other: Side): void {
    const code = this.#code
    const { type, extent } = this.#verb
    const row = side.side === 'left' ? 'l' : 'r'
    const cursor = `cursor${other.name}`
    const variables: PairVariables = side.side === 'left' ? { left: 'l', right: cursor } : { left: cursor, right: 'r' }
    const endsAtMatch = side.side === 'left' && (type === 'semi' || type === 'anti')
    this.#emitLook(side)
    code.line(`function take${side.name}(rows, i, count, others, host, out, onError) {`)
    code.line(`const held = host.held, seen = host.seen; let pane, parts, from = Infinity, to = -Infinity`)
    this.#emitLookCall(side)
    code.line(`for (; i < count && out.length < ${JOIN_OUT_ROWS}; i++) { const ${row} = rows[i]; try {`)
    this.#emitTime(side, row)
    this.#emitKey(side, row)
    code.line(`const g = ${this.#group()}; seen[g] = 1; let matched = 0`)
    if (extent.kind === 'interval') {
      this.#emitLateness(row, (passed) => `time < ${passed}`)
      const [below, above] =
        side.side === 'left' ? [extent.beforeMs, extent.afterMs] : [extent.afterMs, extent.beforeMs]
      code.line(`const lo = time - ${below}, hi = time + ${above}`)
    }
    // who waited for such a row has been put out by the first of its key
    const isOnce = this.#isKeptOnce(side.side)
    if (isOnce) {
      code.line(`if (!isLinked) continue`)
      this.#emitKeep(side, row, '0')
      code.line(`if (!isNew) continue`)
    }
    code.line(`if (isLinked) search: for (let p = 0; p < others.length; p++) { const there = others[p]`)
    if (extent.kind === 'interval') code.line(`if (there.end <= lo || there.start > hi) continue`)
    code.line(
      `const t = there.parts[${this.#part}]; if (t === undefined) continue; const last = t.find(${this.#args(side)}); if (last < 0) continue`,
    )
    code.line(`let e = last; do { e = t.next[e]`)
    if (extent.kind === 'interval') code.line(`const at = t.time[e]; if (at < lo || at > hi) continue`)
    if (extent.kind === 'regular' && extent.ttlMs !== undefined)
      code.line(`if (t.time[e] + ${extent.ttlMs} <= time) continue`)
    if (side.side === 'right' && (type === 'semi' || type === 'anti')) code.line(`if (t.m[e] === 1) continue`)
    code.line(`${cursor}.$t = t; ${cursor}.$e = e`)
    this.#emitMatch(
      variables,
      other,
      () => {
        code.line(`matched = 1; ${isMarkedLater(this.#verb, other.side) ? 't.m[e] = 1' : ''}`)
      },
      [],
    )
    if (endsAtMatch) code.line(`break search`)
    code.line(`} while (e !== last) }`)
    if (endsAtMatch) code.line(`if (matched === 0) {`)
    // a row whose key is null matches nothing, ever
    if (!isOnce) {
      code.line(isAwaited(this.#verb, side.side) ? `{` : `if (isLinked) {`)
      this.#emitKeep(side, row, 'matched')
      code.line(`}${endsAtMatch ? ' }' : ''}`)
    }
    code.line(`} catch (error) { onError(error, ${row}, operatorId) } }`)
    code.line(`if (pane !== undefined) pane.texts.flush(); return i }`)
  }

  #looks(side: Side): boolean {
    return this.#isKeptOnce(side.side) && !hasText(side.keys)
  }

  /**
   * `look`: reads what adding the rows to a pane will read of its index, in two passes. The reads do not depend on each
   * other, so that the cache misses of a batch overlap. Where each row is searched for before it is added; not for
   * texts, whose hash is dear.
   */
  #emitLook(side: Side): void {
    if (!this.#looks(side)) return
    const code = this.#code
    code.line(
      `const hashes${side.name} = new Int32Array(1024), entries${side.name} = new Int32Array(1024); let looked${side.name} = 0`,
    )
    code.line(
      `function look${side.name}(rows, i, count, parts) { const H = hashes${side.name}, E = entries${side.name}; let z = 0`,
    )
    code.line(`for (let j = i; j < count; j++) { const r = rows[j]`)
    this.#emitKey(side, 'r')
    code.line(
      `const t = parts[${this.#part}]; H[j] = h; E[j] = t === undefined ? 0 : t.index[Math.imul(h, 0x9e3779b1) >>> t.shift] }`,
    )
    code.line(
      `for (let j = i; j < count; j++) if (E[j] !== 0) { const h = H[j]; z ^= parts[${this.#part}].h[E[j] - 1] }`,
    )
    code.line(`looked${side.name} = z }`)
  }

  #emitLookCall(side: Side): void {
    if (!this.#looks(side)) return
    const time =
      side.time === undefined
        ? 'host.now'
        : `rows[i]${this.#code.property(side.time.field.name)} + ${this.#code.literal(side.time.offsetMs)}`
    this.#code.line(
      `if (count - i >= ${LEAST_LOOK}) { const at = ${time}; if (at - at === 0) look${side.name}(rows, i, count, host.paneAt(${side.index}, at).parts) }`,
    )
  }

  /** A found pair: the condition, `onMatch`, and what comes out. `continue`s when the condition does not hold. */
  #emitMatch(variables: PairVariables, stored: Side, onMatch: () => void, bounds: readonly string[]): void {
    const code = this.#code
    const { type, where, fields } = this.#verb
    const wheresTexts = where !== undefined && readsText(where, stored)
    code.line(`{`)
    if (wheresTexts) code.line(`cursor${stored.name}.$load()`)
    emitPairTest(code, where, variables)
    onMatch()
    if (type !== 'anti') {
      if (!wheresTexts && fields.some(({ value }) => readsText(value, stored)))
        code.line(`cursor${stored.name}.$load()`)
      emitPairRow(code, fields, variables, bounds)
    }
    code.line(`}`)
  }

  #emitCollect(side: Side): void {
    const code = this.#code
    const { extent } = this.#verb
    if (extent.kind !== 'window') return
    const row = 'r'
    code.line(`function take${side.name}(rows, i, count, others, host, out, onError) {`)
    code.line(`const held = host.held, seen = host.seen; let pane, parts, from = Infinity, to = -Infinity`)
    code.line(`for (; i < count; i++) { const ${row} = rows[i]; try {`)
    this.#emitTime(side, row)
    this.#emitKey(side, row)
    code.line(`const g = ${this.#group()}; seen[g] = 1`)
    code.line(`const end = Math.floor(time / ${extent.slideMs}) * ${extent.slideMs} + ${extent.sizeMs}`)
    this.#emitLateness(row, (passed) => `end <= ${passed}`)
    if (!isAwaited(this.#verb, side.side)) code.line(`if (!isLinked) continue`)
    this.#emitKeep(side, row, '0')
    code.line(`} catch (error) { onError(error, ${row}, operatorId) } }`)
    code.line(`if (pane !== undefined) pane.texts.flush(); return i }`)
  }

  #emitFire(): void {
    const code = this.#code
    const { type } = this.#verb
    const left = this.#left
    const bounds = ['window.start', 'window.end']
    const needsLeft =
      this.#verb.fields.some(({ value }) => readsText(value, left)) ||
      (this.#verb.where !== undefined && readsText(this.#verb.where, left)) ||
      hasText(left.keys)
    code.line(
      `function fire(t, i, rights, window, host, out, onError) { const l = ${left.isStored ? 'aheadLeft' : 'cursorLeft'}, held = host.held; l.$t = t`,
    )
    code.line(`for (; i < t.n && out.length < ${JOIN_OUT_ROWS}; i++) { l.$e = i; const h = t.h[i]`)
    code.line(`if (held !== null && held[${this.#group()}] >= window.end) continue`)
    if (needsLeft) code.line(`l.$load()`)
    code.line(`try { let matched = 0`)
    left.keys.forEach((field, index) => {
      code.line(`const k${index} = l${code.property(field.name)}`)
    })
    const linked = left.keys.flatMap((field, index) => (field.nullable ? [`k${index} !== null`] : []))
    code.line(
      `if (${linked.length === 0 ? 'true' : linked.join(' && ')}) search: for (let p = 0; p < rights.length; p++) { const o = rights[p]`,
    )
    code.line(`const last = o.find(${this.#args(left)}); if (last < 0) continue; cursorRight.$t = o`)
    code.line(`let e = last; do { e = o.next[e]; cursorRight.$e = e`)
    this.#emitMatch(
      { left: 'l', right: 'cursorRight' },
      this.#right,
      () => {
        code.line(`matched = 1; ${isOuter(type, 'right') ? 'o.m[e] = 1' : ''}`)
      },
      bounds,
    )
    if (type === 'semi' || type === 'anti') code.line(`break search`)
    code.line(`} while (e !== last) }`)
    if (isAwaited(this.#verb, left.side)) {
      code.line(`if (matched === 0) {`)
      emitPairRow(code, this.#verb.fields, { left: 'l', right: 'nothingRight' }, bounds)
      code.line(`}`)
    }
    code.line(`} catch (error) { onError(error, keptLeft(t, i), operatorId) } }`)
    code.line(`return i }`)
  }

  #emitAlone(side: Side): void {
    const code = this.#code
    const cursor = side.isStored ? `ahead${side.name}` : `cursor${side.name}`
    code.line(`function alone${side.name}(t, i, window, host, out, onError) { const held = host.held; ${cursor}.$t = t`)
    code.line(`for (; i < t.n && out.length < ${JOIN_OUT_ROWS}; i++) { if (t.m[i] === 1) continue; const h = t.h[i]`)
    if (this.#verb.extent.kind === 'window')
      code.line(`if (held !== null && held[${this.#group()}] >= window.end) continue`)
    code.line(`${cursor}.$e = i; ${cursor}.$load(); try {`)
    emitPairRow(
      code,
      this.#verb.fields,
      side.side === 'left' ? { left: cursor, right: 'nothingRight' } : { left: 'nothingLeft', right: cursor },
      this.#verb.extent.kind === 'window' ? ['window.start', 'window.end'] : [],
    )
    code.line(`} catch (error) { onError(error, kept${side.name}(t, i), operatorId) } }`)
    code.line(`return i }`)
  }

  #emitCursors({ name, isStored }: Side): void {
    const cursor = (reads: CursorReads): string => `new ${name}Cursor(${isStored ? this.#code.literal(reads) : ''})`
    // rows of a window are gone soon after it fires, those of others may be asked for again
    this.#code.line(`const cursor${name} = ${cursor(this.#verb.extent.kind === 'window' ? 'one' : 'back')}`)
    if (isStored) this.#code.line(`const ahead${name} = ${cursor('ahead')}, finder${name} = ${cursor('one')}`)
  }

  #emitStored(side: Side): void {
    const code = this.#code
    const { name, fields } = side
    code.line(
      `function kept${name}(t, i) { const c = cursor${name}; c.$t = t; c.$e = i; c.$load(); return new Kept${name}(${fields.map((field) => `c${code.property(field.name)}`).join(', ')}) }`,
    )
    code.line(
      `function restore${name}({ ints, doubles, bytes }, p, to, host) { let pane, parts, from = Infinity, until = -Infinity; const one = new ${name}${side.isStored ? 'Parsed()' : 'Log(null)'}`,
    )
    code.line(
      `while (p < to) { ${side.isStored ? `const at = p; p = one.$at(p, ints, doubles, bytes)` : `p = parse${name}(p, ints, doubles, bytes, one)`}; if (p < 0 || p > to) return false`,
    )
    if (side.isStored)
      code.line(
        `const time = ${side.isTimed ? 'doubles[at >> 1]' : '0'}, matched = ${side.isMarked ? 'one.$flags() & 1' : '0'}, r = one`,
      )
    else
      code.line(
        `const time = ${side.isTimed ? 'one.time[0]' : '0'}, matched = ${side.isMarked ? 'one.m[0]' : '0'}, r = kept${name}(one, 0)`,
      )
    this.#emitKey(side, 'r')
    this.#emitKeep(side, 'r', 'matched', 'until')
    if (isMarkedLater(this.#verb, side.side)) code.line(`host.rowRestored(${side.index}, own, ${this.#group()})`)
    code.line(`} if (pane !== undefined) pane.texts.flush(); return true }`)
  }
}

function hasText(keys: readonly Field[]): boolean {
  return keys.some(({ type }) => type === 'string')
}

/** True when the expression reads a text of the side. */
function readsText(expression: Expression, { side }: Side): boolean {
  return fieldsIn(expression).some(({ of, type }) => of === side && (type === 'string' || type === 'json'))
}

function refuseTime(field: string): never {
  throw new MillraceError('RECORD_INVALID', `event time '${field}' is null`, { domain: 'user' })
}
