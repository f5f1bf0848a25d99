import type { Expression } from '../expressions/ast.ts'
import { fieldsIn } from '../expressions/fields-in.ts'
import { type Field, fieldOf, fieldsOf, type Schema } from '../model/schema.ts'
import { MillraceError } from '../model/errors.ts'
import { fieldsKept, isOuter, type JoinSide, type JoinVerb } from '../graph/verbs/join/join.ts'
import type { JoinCode, JoinSideCode } from './join-contracts.ts'
import { type Code, compile, identifier, joined, js, lines, NOTHING, property } from './emitter.ts'
import { EXPRESSION_SCOPE } from './expression.ts'
import { HASH_HELPERS, keyGroup, keyHash } from './keys/key-hash.ts'
import { type PairVariables, pushPairRow, skipOtherPairs } from './rows/pair-row.ts'
import type { RecordArena } from '../memory/arena/record-arena.ts'
import { keyParameters, ROW_LOG_SCOPE, rowLogClasses } from './rows/row-log.ts'
import { recordFunctions, recordWords } from './rows/row-records.ts'
import { type CursorReads, storedRowsScope } from './rows/stored-row-code.ts'
import { compileRowClass, type RowClass } from './rows/row.ts'
import { isKeptAsText, storageOf } from '../model/type-traits.ts'

/** Rows of this side that have no match come out by themselves, once their time is over. */
export function isAwaited({ type }: JoinVerb, side: JoinSide): boolean {
  return isOuter(type, side) || (side === 'left' && type === 'anti')
}

/** Rows of this side are kept without a match and marked when one comes; in a window only while it fires. */
export function isMarkedLater(verb: JoinVerb, side: JoinSide): boolean {
  return verb.extent.kind !== 'window' && (isAwaited(verb, side) || (side === 'left' && verb.type === 'semi'))
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
const JOIN_OUT_ROWS = 2048

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
  readonly #left: Side
  readonly #right: Side
  /** The key group and the part of a row's hash h. */
  readonly #group: Code
  readonly #part: Code

  constructor(options: JoinCodeOptions) {
    this.#options = options
    this.#verb = options.verb
    this.#left = this.#sideOf('left')
    this.#right = this.#sideOf('right')
    this.#group = keyGroup(js`h`, options.maxParallelism)
    this.#part = js`h >>> ${32 - options.partBits}`
  }

  compile(): JoinCode {
    const compiled = compile<JoinCode>('join', this.#code(), {
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

  #code(): Code {
    const sides = [this.#left, this.#right]
    const isWindow = this.#verb.extent.kind === 'window'
    const functionsOf = ({ name }: Side): Code => js`
      {
        create: (texts, part) => new ${identifier(name)}Log(texts, part),
        take: take${identifier(name)},
        alone: alone${identifier(name)},
        measure: measure${identifier(name)},
        dump: dump${identifier(name)},
        restore: restore${identifier(name)},
      }`
    return js`
      ${HASH_HELPERS}
      ${sides.map((side) => this.#stateOf(side))}
      ${sides.map((side) =>
        lines([
          isWindow
            ? this.#collectFunction(side)
            : this.#takeFunction(side, side === this.#left ? this.#right : this.#left),
          this.#aloneFunction(side),
        ]),
      )}
      ${isWindow ? this.#fireFunction() : js`const fire = undefined`}
      return { left: ${functionsOf(this.#left)}, right: ${functionsOf(this.#right)}, fire }`
  }

  /** The log of a side, its cursors, and what snapshots take from it and give back. */
  #stateOf(side: Side): Code {
    const nulls = side.fields.map((field) => js`${identifier(field.name)}: null`)
    return js`
      ${rowLogClasses(side)}
      ${recordFunctions(side, this.#group)}
      ${this.#cursors(side)}
      const nothing${identifier(side.name)} = { ${nulls} }
      ${this.#storedFunctions(side)}`
  }

  #sideOf(side: JoinSide): Side {
    const schema = this.#options.inputs[side]
    const kept = fieldsKept(this.#verb, side)
    const fields = schema.fields.filter((field) => kept.has(field.name))
    const time = this.#verb.times?.[side]
    const field = time === undefined ? undefined : fieldOf(schema, time.field)
    const keys = fieldsOf(schema, this.#verb.keys[side])
    if (time !== undefined && field === undefined)
      throw new MillraceError('UNKNOWN_FIELD', `event time ${time.field} is not a field of the join's ${side} input`)
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

  /** A right row is kept once per key where matches only ask whether there is one. */
  #isKeptOnce(side: JoinSide): boolean {
    const { type, where, extent } = this.#verb
    const isForEver = extent.kind === 'window' || (extent.kind === 'regular' && extent.ttlMs === undefined)
    return side === 'right' && (type === 'semi' || type === 'anti') && where === undefined && isForEver
  }

  /** Declares k0…, isLinked and h of the row in the variable. */
  #declareKey({ keys }: Side, row: Code): Code {
    return js`
      ${keys.map((field, index) => js`const k${index} = ${row}${property(field.name)}`)}
      const isLinked = ${isKeyWhole(keys)}
      const h = ${keyHash(keys, keyParameters(keys))}`
  }

  #declareTime({ time }: Side, row: Code): Code {
    if (time === undefined) return js`const time = host.now`
    const { name, nullable } = time.field
    const value = js`${row}${property(name)}`
    return js`
      ${nullable ? js`if (${value} === null) refuseTime(${name})` : NOTHING}
      const time = ${time.offsetMs === 0 ? value : js`${value} + ${time.offsetMs}`}`
  }

  #keyArguments({ keys }: Side): Code[] {
    return [js`h`, ...keyParameters(keys)]
  }

  /**
   * Puts row `row` into its pane; of a side kept once, whose key is not null then, `isNew` says whether it was the
   * first.
   */
  #keep(side: Side, row: Code, matched: Code, until = js`to`): Code {
    // the text of a key is compared with that of the next row
    const mustFlush = side.indexing === 'each' && hasText(side.keys)
    const add = js`
      {
        own.add(${row}, time, ${matched}, isLinked, ${this.#keyArguments(side)})
        ${mustFlush ? js`pane.texts.flush()` : NOTHING}
      }`
    const addFirst = js`
      const isNew = own.find(${this.#keyArguments(side)}) < 0
      if (isNew) ${add}`
    return js`
      if (!(time >= from && time < ${until})) {
        if (pane !== undefined) pane.texts.flush()
        pane = host.paneAt(${side.index}, time)
        from = pane.start
        ${until} = pane.end
        parts = pane.parts
      }
      const own = parts[${this.#part}] ?? host.part(${side.index}, pane, ${this.#part})
      ${this.#isKeptOnce(side.side) ? addFirst : add}`
  }

  #leaveLate(row: Code, isLate: (passed: Code) => Code): Code {
    return js`
      if (${isLate(js`host.passed`)} || (held !== null && ${isLate(js`held[g]`)})) {
        host.late.push(${row})
        continue
      }`
  }

  /** interval and regular: look for matches now, then keep the row. */
  #takeFunction(side: Side, other: Side): Code {
    const { type, extent } = this.#verb
    const row = side.side === 'left' ? js`l` : js`r`
    const endsAtMatch = side.side === 'left' && (type === 'semi' || type === 'anti')
    const isOnce = this.#isKeptOnce(side.side)
    const [below, above] =
      extent.kind !== 'interval'
        ? [0, 0]
        : side.side === 'left'
          ? [extent.beforeMs, extent.afterMs]
          : [extent.afterMs, extent.beforeMs]
    const bounds = js`
      ${this.#leaveLate(row, (passed) => js`time < ${passed}`)}
      const lo = time - ${below}, hi = time + ${above}`
    // rows that waited for a match have been put out by the first row of its key
    const keepFirst = js`
      if (!isLinked) continue
      ${this.#keep(side, row, js`0`)}
      if (!isNew) continue`
    // a row whose key is null matches nothing, ever
    const keepRow = js`
      {
        ${this.#keep(side, row, js`matched`)}
      }`
    const keep = isAwaited(this.#verb, side.side) ? keepRow : js`if (isLinked) ${keepRow}`
    const keepUnmatched = js`
      if (matched === 0) {
        ${isOnce ? NOTHING : keep}
      }`
    return js`
      ${this.#lookFunction(side)}
      function take${identifier(side.name)}(rows, i, count, others, host, out, onError) {
        const held = host.held, seen = host.seen
        let pane, parts, from = Infinity, to = -Infinity
        ${this.#lookAhead(side)}
        for (; i < count && out.length < ${JOIN_OUT_ROWS}; i++) {
          const ${row} = rows[i]
          try {
            ${this.#declareTime(side, row)}
            ${this.#declareKey(side, row)}
            const g = ${this.#group}
            seen[g] = 1
            let matched = 0
            ${extent.kind === 'interval' ? bounds : NOTHING}
            ${isOnce ? keepFirst : NOTHING}
            ${this.#search(side, other, row, endsAtMatch ? 'first match' : 'all matches')}
            ${endsAtMatch ? keepUnmatched : isOnce ? NOTHING : keep}
          } catch (error) {
            onError(error, ${row}, operatorId)
          }
        }
        if (pane !== undefined) pane.texts.flush()
        return i
      }`
  }

  /** Looks for the rows of the other side that match row `row`, and puts out what comes of each pair. */
  #search(side: Side, other: Side, row: Code, until: 'first match' | 'all matches'): Code {
    const { type, extent } = this.#verb
    const cursor = js`cursor${identifier(other.name)}`
    const variables: PairVariables = side.side === 'left' ? { left: row, right: cursor } : { left: cursor, right: row }
    const isInterval = extent.kind === 'interval'
    const isExpiring = extent.kind === 'regular' && extent.ttlMs !== undefined
    const skipOutside = js`
      const at = t.time[e]
      if (at < lo || at > hi) continue`
    const isMatchedOnce = side.side === 'right' && (type === 'semi' || type === 'anti')
    const onMatch = lines([js`matched = 1`, isMarkedLater(this.#verb, other.side) ? js`t.m[e] = 1` : NOTHING])
    return js`
      if (isLinked) search: for (let p = 0; p < others.length; p++) {
        const there = others[p]
        ${isInterval ? js`if (there.end <= lo || there.start > hi) continue` : NOTHING}
        const t = there.parts[${this.#part}]
        if (t === undefined) continue
        const last = t.find(${this.#keyArguments(side)})
        if (last < 0) continue
        let e = last
        do {
          e = t.next[e]
          ${isInterval ? skipOutside : NOTHING}
          ${isExpiring ? js`if (t.time[e] + ${extent.ttlMs ?? 0} <= time) continue` : NOTHING}
          ${isMatchedOnce ? js`if (t.m[e] === 1) continue` : NOTHING}
          ${cursor}.$t = t
          ${cursor}.$e = e
          ${this.#match(variables, other, onMatch, [])}
          ${until === 'first match' ? js`break search` : NOTHING}
        } while (e !== last)
      }`
  }

  #looks(side: Side): boolean {
    return this.#isKeptOnce(side.side) && !hasText(side.keys)
  }

  /**
   * `look`: reads what adding the rows to a pane will read of its index, in two passes. The reads do not depend on each
   * other, so that the cache misses of a batch overlap. Where each row is searched for before it is added; not for
   * texts, whose hash is dear.
   */
  #lookFunction(side: Side): Code {
    if (!this.#looks(side)) return NOTHING
    const name = identifier(side.name)
    return js`
      const hashes${name} = new Int32Array(1024), entries${name} = new Int32Array(1024)
      let looked${name} = 0
      function look${name}(rows, i, count, parts) {
        const hashes = hashes${name}, entries = entries${name}
        let sum = 0
        for (let j = i; j < count; j++) {
          const r = rows[j]
          ${this.#declareKey(side, js`r`)}
          const t = parts[${this.#part}]
          hashes[j] = h
          entries[j] = t === undefined ? 0 : t.index[Math.imul(h, 0x9e3779b1) >>> t.shift]
        }
        for (let j = i; j < count; j++) {
          if (entries[j] !== 0) {
            const h = hashes[j]
            sum ^= parts[${this.#part}].h[entries[j] - 1]
          }
        }
        looked${name} = sum
      }`
  }

  #lookAhead(side: Side): Code {
    if (!this.#looks(side)) return NOTHING
    const time =
      side.time === undefined ? js`host.now` : js`rows[i]${property(side.time.field.name)} + ${side.time.offsetMs}`
    return js`
      if (count - i >= ${LEAST_LOOK}) {
        const at = ${time}
        if (at - at === 0) look${identifier(side.name)}(rows, i, count, host.paneAt(${side.index}, at).parts)
      }`
  }

  /** A found pair: the condition, `onMatch`, and what comes out. `continue`s when the condition does not hold. */
  #match(variables: PairVariables, stored: Side, onMatch: Code, bounds: readonly Code[]): Code {
    const { type, where, fields } = this.#verb
    const load = js`cursor${identifier(stored.name)}.$load()`
    const wheresTexts = where !== undefined && readsText(where, stored)
    const readsTexts = type !== 'anti' && fields.some(({ value }) => readsText(value, stored))
    return js`
      {
        ${wheresTexts ? load : NOTHING}
        ${skipOtherPairs(where, variables)}
        ${onMatch}
        ${readsTexts && !wheresTexts ? load : NOTHING}
        ${type === 'anti' ? NOTHING : pushPairRow(fields, variables, bounds)}
      }`
  }

  /** window: only keeps the row. */
  #collectFunction(side: Side): Code {
    const { extent } = this.#verb
    if (extent.kind !== 'window') return NOTHING
    const row = js`r`
    return js`
      function take${identifier(side.name)}(rows, i, count, others, host, out, onError) {
        const held = host.held, seen = host.seen
        let pane, parts, from = Infinity, to = -Infinity
        for (; i < count; i++) {
          const r = rows[i]
          try {
            ${this.#declareTime(side, row)}
            ${this.#declareKey(side, row)}
            const g = ${this.#group}
            seen[g] = 1
            const end = Math.floor(time / ${extent.slideMs}) * ${extent.slideMs} + ${extent.sizeMs}
            ${this.#leaveLate(row, (passed) => js`end <= ${passed}`)}
            ${isAwaited(this.#verb, side.side) ? NOTHING : js`if (!isLinked) continue`}
            ${this.#keep(side, row, js`0`)}
          } catch (error) {
            onError(error, r, operatorId)
          }
        }
        if (pane !== undefined) pane.texts.flush()
        return i
      }`
  }

  /** A window closes: each row of a left log looks for its matches in the right logs. */
  #fireFunction(): Code {
    const { type, fields, where } = this.#verb
    const left = this.#left
    const bounds = [js`window.start`, js`window.end`]
    const needsLeft =
      fields.some(({ value }) => readsText(value, left)) ||
      (where !== undefined && readsText(where, left)) ||
      hasText(left.keys)
    const onMatch = lines([js`matched = 1`, isOuter(type, 'right') ? js`o.m[e] = 1` : NOTHING])
    const putAlone = js`
      if (matched === 0) {
        ${pushPairRow(fields, { left: js`l`, right: js`nothingRight` }, bounds)}
      }`
    return js`
      function fire(t, i, rights, window, host, out, onError) {
        const l = ${left.isStored ? js`aheadLeft` : js`cursorLeft`}, held = host.held
        l.$t = t
        for (; i < t.n && out.length < ${JOIN_OUT_ROWS}; i++) {
          l.$e = i
          const h = t.h[i]
          if (held !== null && held[${this.#group}] >= window.end) continue
          ${needsLeft ? js`l.$load()` : NOTHING}
          try {
            let matched = 0
            ${left.keys.map((field, index) => js`const k${index} = l${property(field.name)}`)}
            if (${isKeyWhole(left.keys)}) search: for (let p = 0; p < rights.length; p++) {
              const o = rights[p]
              const last = o.find(${this.#keyArguments(left)})
              if (last < 0) continue
              cursorRight.$t = o
              let e = last
              do {
                e = o.next[e]
                cursorRight.$e = e
                ${this.#match({ left: js`l`, right: js`cursorRight` }, this.#right, onMatch, bounds)}
                ${type === 'semi' || type === 'anti' ? js`break search` : NOTHING}
              } while (e !== last)
            }
            ${isAwaited(this.#verb, left.side) ? putAlone : NOTHING}
          } catch (error) {
            onError(error, keptLeft(t, i), operatorId)
          }
        }
        return i
      }`
  }

  #aloneFunction(side: Side): Code {
    const name = identifier(side.name)
    const cursor = side.isStored ? js`ahead${name}` : js`cursor${name}`
    const isWindow = this.#verb.extent.kind === 'window'
    const pair =
      side.side === 'left' ? { left: cursor, right: js`nothingRight` } : { left: js`nothingLeft`, right: cursor }
    return js`
      function alone${name}(t, i, window, host, out, onError) {
        const held = host.held
        ${cursor}.$t = t
        for (; i < t.n && out.length < ${JOIN_OUT_ROWS}; i++) {
          if (t.m[i] === 1) continue
          const h = t.h[i]
          ${isWindow ? js`if (held !== null && held[${this.#group}] >= window.end) continue` : NOTHING}
          ${cursor}.$e = i
          ${cursor}.$load()
          try {
            ${pushPairRow(this.#verb.fields, pair, isWindow ? [js`window.start`, js`window.end`] : [])}
          } catch (error) {
            onError(error, kept${name}(t, i), operatorId)
          }
        }
        return i
      }`
  }

  #cursors({ name: sideName, isStored }: Side): Code {
    const name = identifier(sideName)
    const cursor = (reads: CursorReads): Code => js`new ${name}Cursor(${isStored ? js`${reads}` : NOTHING})`
    // rows of a window are gone soon after it fires, other rows may be read again
    return js`
      const cursor${name} = ${cursor(this.#verb.extent.kind === 'window' ? 'one' : 'back')}
      ${isStored ? js`const ahead${name} = ${cursor('ahead')}, finder${name} = ${cursor('one')}` : NOTHING}`
  }

  /** kept: row i of log t as an object; restore: takes back the records of a snapshot. */
  #storedFunctions(side: Side): Code {
    const name = identifier(side.name)
    const { isStored, isTimed, isMarked } = side
    const parseStored = js`
      const at = p
      p = one.$at(p, ints, doubles, bytes)
      if (p < 0 || p > to) return false
      const time = ${isTimed ? js`doubles[at >> 1]` : 0}, matched = ${isMarked ? js`one.$flags() & 1` : 0}, r = one`
    const parse = js`
      p = parse${name}(p, ints, doubles, bytes, one)
      if (p < 0 || p > to) return false
      const time = ${isTimed ? js`one.time[0]` : 0}, matched = ${isMarked ? js`one.m[0]` : 0}, r = kept${name}(one, 0)`
    const tellRestored = js`host.rowRestored(${side.index}, own, ${this.#group})`
    return js`
      function kept${name}(t, i) {
        const c = cursor${name}
        c.$t = t
        c.$e = i
        c.$load()
        return new Kept${name}(${side.fields.map((field) => js`c${property(field.name)}`)})
      }
      function restore${name}({ ints, doubles, bytes }, p, to, host) {
        let pane, parts, from = Infinity, until = -Infinity
        const one = new ${isStored ? js`${name}Parsed()` : js`${name}Log(null)`}
        while (p < to) {
          ${isStored ? parseStored : parse}
          ${this.#declareKey(side, js`r`)}
          ${this.#keep(side, js`r`, js`matched`, js`until`)}
          ${isMarkedLater(this.#verb, side.side) ? tellRestored : NOTHING}
        }
        if (pane !== undefined) pane.texts.flush()
        return true
      }`
  }
}

/** The test that no value of the key is null: a row whose key holds a null matches nothing. */
function isKeyWhole(keys: readonly Field[]): Code {
  const tests = keys.flatMap((field, index) => (field.nullable ? [js`k${index} !== null`] : []))
  return tests.length === 0 ? js`true` : joined(tests, ' && ')
}

function hasText(keys: readonly Field[]): boolean {
  return keys.some((key) => storageOf(key) === 'text')
}

/** True when the expression reads a text of the side. */
function readsText(expression: Expression, { side }: Side): boolean {
  return fieldsIn(expression).some((field) => field.of === side && isKeptAsText(field))
}

function refuseTime(field: string): never {
  throw new MillraceError('RECORD_INVALID', `event time '${field}' is null`, { domain: 'user' })
}
