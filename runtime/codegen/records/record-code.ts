import type { Row } from '../../model/schema.ts'
import { compileKeyCodec } from '../keys/key-codec.ts'
import { isPlainKey, type StateKey } from '../../memory/state-key.ts'
import { compile, joined, js, NOTHING, type Code } from '../emitter.ts'
import { HASH_HELPERS } from '../keys/key-hash.ts'
import type { RecordArena } from '../../memory/arena/record-arena.ts'
import { RecordEmitter, type RecordSpec } from './record-emitter.ts'
import type { RecordGroup } from '../../memory/arena/record-group.ts'
import { APPEND, BOXED, layoutOf, ONE_BYTE, UNITS, VALUE } from '../../memory/arena/record-layout.ts'
import { loopFunctions, loopScope, type LoopCode, type RecordLoop } from './record-loops.ts'

/**
 * The generated functions of one table; an address is segment << 15 | offset / 8, an entry the word of the index it
 * stands at.
 */
export interface RecordCode {
  /** Entry of a key, -1 when it is not there. */
  find(group: RecordGroup, key: StateKey, user: StateKey | undefined): number
  /** As find, for a caller that does not read the record: a record on disk stays there. */
  look(group: RecordGroup, key: StateKey, user: StateKey | undefined): number
  /** Entry of the key that record `a` has, -1 when it is not in the index. */
  findOf(group: RecordGroup, a: number): number
  /**
   * A look at the index and then at the records of keys that are searched for next, at most 1024: the looks do
   * not wait for each other, so that the cache misses of a batch overlap. Changes nothing. Only for tables without
   * user keys.
   */
  touch(groups: Uint16Array, all: ArrayLike<StateKey>, count: number, groupAt: (group: number) => RecordGroup): void
  /** Writes the row as the only one under its key; over the old record where it fits. */
  put(group: RecordGroup, key: StateKey, user: StateKey | undefined, row: Row, at: number, seq: number): void
  /** Writes the row behind those under its key. */
  append(group: RecordGroup, key: StateKey, user: StateKey | undefined, row: Row, at: number, seq: number): void
  row(a: number): Row
  key(a: number): StateKey
  user(a: number): StateKey
  at(a: number): number
  seq(a: number): number
  /** Characters the texts of a record claim, or -1 when its bytes cannot be right: for records from outside. */
  claims(a: number, bytes: number): number
  /** Only where the table has a loop. */
  readonly loop?: LoopCode
}

const HELPERS = js`
  const INTS = arena.i32, DOUBLES = arena.f64, BUFFERS = arena.buffer, VIEWS = arena.view
  function boxOf(segment, start) {
    const b = (start << 2) + FIXED
    return JSON.parse(BUFFERS[segment].utf8Slice(b, b + INTS[segment][start + LENGTHS]))
  }
  function sameText(segment, ints, start, head, j, from, length, text) {
    if (head & BOXED) return boxOf(segment, start)[j] === text
    if (length !== text.length) return false
    const buffer = BUFFERS[segment], b = (start << 2) + FIXED + from
    if (!(head & ONE_BYTE)) return textAt(segment, start, head, j, from, length) === text
    if (length > 48) return buffer.latin1Slice(b, b + length) === text
    for (let c = 0; c < length; c++) if (buffer[b + c] !== text.charCodeAt(c)) return false
    return true
  }
  function endOf(segment, start, head) {
    const units = head & UNITS
    return units === 0 ? (arena.base[segment] << 2) + arena.end[segment] : (start << 2) + units * 8
  }
  function textAt(segment, start, head, j, from, length) {
    if (head & BOXED) return boxOf(segment, start)[j]
    const b = (start << 2) + FIXED
    return head & ONE_BYTE
      ? BUFFERS[segment].latin1Slice(b + from, b + from + length)
      : BUFFERS[segment].utf8Slice(b, endOf(segment, start, head)).slice(from, from + length)
  }`

/** Generates the functions of one table over an arena. */
export function compileRecordCode(spec: RecordSpec, arena: RecordArena, loop?: RecordLoop): RecordCode {
  const layout = layoutOf(spec)
  const emitter = new RecordEmitter(spec, layout, arena.spills)
  const keys = compileKeyCodec(layout.keyFields ?? spec.key)
  const functions = [js`find`, js`look`, js`findOf`, js`touch`, js`put`, js`row`, js`key`, js`user`, js`at`, js`seq`]
  const optional = [spec.chained ? js`append` : NOTHING, loop === undefined ? NOTHING : js`loop`]
  return compile<RecordCode>(
    'records',
    js`
      const FIXED = ${layout.fixedBytes}, LENGTHS = ${layout.lengthsWord}
      const BOXED = ${BOXED}, ONE_BYTE = ${ONE_BYTE}, UNITS = ${UNITS}
      ${HASH_HELPERS}
      ${HELPERS}
      ${sameFunction(emitter)}
      ${findFunctions(emitter)}
      ${touchFunction(emitter)}
      ${putFunction(emitter)}
      ${spec.chained ? appendFunction(emitter) : NOTHING}
      ${partFunctions(emitter)}
      ${rowFunction(emitter)}
      ${loop === undefined ? NOTHING : loopFunctions(emitter, loop)}
      return { ${[...functions, js`claims`, ...optional]} }`,
    {
      arena,
      Row: spec.rowClass,
      keys,
      quote: JSON.stringify,
      bytesOf: (text: string) => Buffer.byteLength(text),
      ...(loop === undefined ? {} : loopScope(spec, loop)),
    },
  )
}

/** same: whether record `a` has the key. */
function sameFunction(emitter: RecordEmitter): Code {
  const {
    spec,
    layout: { keyFields, keyKind },
  } = emitter
  const key =
    keyFields === undefined
      ? [keyKind === 'number' ? js`${emitter.numberAt('key')} === k0` : emitter.sameText('key', js`k0`)]
      : keyFields.map((field, index) => emitter.sameField(field, js`k${index}`))
  const user =
    spec.user === undefined
      ? []
      : [spec.user === 'number' ? js`${emitter.numberAt('user')} === u0` : emitter.sameText('user', js`u0`)]
  return js`
    function same(a, ${emitter.parts}) {
      ${emitter.locate()}
      return ${joined([...key, ...user], ' && ')}
    }`
}

function findFunctions(emitter: RecordEmitter): Code {
  const search = js`
    ${emitter.keyFromParameters()}
    ${emitter.hash()}
    ${emitter.probe()}`
  return js`
    function find(g, key, user) {
      ${search}
      ${emitter.promote()}
      return a === 0 ? -1 : i
    }
    function look(g, key, user) {
      ${search}
      return a === 0 ? -1 : i
    }
    function findOf(g, a) {
      ${emitter.locate()}
      ${emitter.keyFromRecord()}
      return place(g, ints[start + 1], ${emitter.parts})
    }
    function place(g, h, ${emitter.parts}) {
      ${emitter.probe()}
      return a === 0 ? -1 : i
    }`
}

function touchFunction(emitter: RecordEmitter): Code {
  const looks = js`
    for (let j = 0; j < count; j++) {
      const key = all[j]
      ${emitter.keyFromParameters()}
      ${emitter.hash()}
      const g = groupAt(groups[j])
      touched[j] = g.index[(h >>> g.shift << 1) + 1]
    }
    for (let j = 0; j < count; j++) {
      const a = touched[j]
      ${emitter.look(js`sum`)}
    }`
  // the sum is kept, so that no compiler leaves the looks out
  return js`
    const touched = new Int32Array(1024)
    let seen = 0
    function touch(groups, all, count, groupAt) {
      let sum = 0
      ${emitter.spec.user === undefined ? looks : NOTHING}
      seen = sum
      return seen
    }`
}

/** Always encoded at the log's end first, for only then its bytes are known. */
function putFunction(emitter: RecordEmitter): Code {
  return js`
    function put(g, key, user, r, at, seq) {
      ${emitter.keyFromParameters()}
      ${emitter.hash()}
      ${emitter.room()}
      ${emitter.probe()}
      ${emitter.write(js`${VALUE}`, js`0`)}
      if (a === 0) {
        g.n++
        index[i] = h
      } else ${emitter.supersede(emitter.overwrite(js`return`))}
      ${emitter.commit()}
      if (arena.debt) arena.maintain()
    }`
}

function appendFunction(emitter: RecordEmitter): Code {
  return js`
    function append(g, key, user, r, at, seq) {
      ${emitter.keyFromParameters()}
      ${emitter.hash()}
      ${emitter.room()}
      ${emitter.probe()}
      ${emitter.write(js`(a === 0 ? ${VALUE} : ${APPEND})`, js`a`)}
      if (a === 0) {
        g.n++
        index[i] = h
      }
      ${emitter.commit()}
      if (arena.debt) arena.maintain()
    }`
}

/** at, seq, user, key and claims: what a record says beside its row. */
function partFunctions(emitter: RecordEmitter): Code {
  const { spec } = emitter
  const { keyFields, keyKind, texts, fixedBytes, lengthsWord } = emitter.layout
  const part = (name: Code, value: Code): Code => js`
    function ${name}(a) {
      ${emitter.locate()}
      return ${value}
    }`
  const user =
    spec.user === undefined ? js`0` : spec.user === 'number' ? emitter.numberAt('user') : emitter.textAt('user')
  const ownKey = (): Code => (keyKind === 'number' ? emitter.numberAt('key') : emitter.textAt('key'))
  const keyInRow = isPlainKey(keyFields ?? [])
    ? js`
        function key(a) {
          ${emitter.locate()}
          ${emitter.keyFromRecord()}
          return k0
        }`
    : js`function key(a) { return keys.of(row(a)) }`
  const lengths = joined(
    texts.map((_, j) => emitter.lengthAt(j)),
    ' + ',
  )
  const claimedByTexts = js`
    if (head & BOXED) return ints[start + ${lengthsWord}] >>> 0
    return ${lengths}`
  return js`
    ${part(js`at`, spec.timed ? emitter.numberAt('at') : js`0`)}
    ${part(js`seq`, spec.sequenced ? emitter.numberAt('seq') : js`0`)}
    ${part(js`user`, user)}
    ${keyFields === undefined ? part(js`key`, ownKey()) : keyInRow}
    function claims(a, bytes) {
      if (bytes < ${fixedBytes}) return -1
      ${emitter.locate()}
      ${texts.length === 0 ? js`return 0` : claimedByTexts}
    }`
}

/** One native call for all texts of a row; each is then a slice of the one string. */
function rowFunction(emitter: RecordEmitter): Code {
  const { texts } = emitter.layout
  const variables = texts.map((_, j) => js`t${j}`)
  const ends = texts.map((_, j) =>
    j === 0 ? js`const e0 = ${emitter.lengthAt(0)}` : js`const e${j} = e${j - 1} + ${emitter.lengthAt(j)}`,
  )
  const end = js`e${texts.length - 1}`
  const readTexts = js`
    let ${variables}
    if (head & BOXED) [${variables}] = boxOf(segment, start)
    else {
      ${ends}
      const b = (start << 2) + FIXED
      const s = ${end} === 0
        ? ''
        : head & ONE_BYTE
          ? BUFFERS[segment].latin1Slice(b, b + ${end})
          : BUFFERS[segment].utf8Slice(b, endOf(segment, start, head))
      ${texts.map((_, j) => js`t${j} = s.slice(${j === 0 ? js`0` : js`e${j - 1}`}, e${j})`)}
    }`
  return js`
    function row(a) {
      ${emitter.locate()}
      ${texts.length > 0 ? readTexts : NOTHING}
      return new Row(${emitter.spec.schema.fields.map((field) => emitter.decoded(field))})
    }`
}
