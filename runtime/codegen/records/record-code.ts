import type { Row } from '../../model/schema.ts'
import { compileKeyCodec } from '../keys/key-codec.ts'
import type { StateKey } from '../../memory/state-key.ts'
import { emitHashHelpers } from '../keys/key-hash.ts'
import type { RecordArena } from '../../memory/arena/record-arena.ts'
import { RecordEmitter, type RecordSpec } from './record-emitter.ts'
import type { RecordGroup } from '../../memory/arena/record-group.ts'
import { APPEND, BOXED, layoutOf, ONE_BYTE, UNITS, VALUE } from '../../memory/arena/record-layout.ts'
import { emitLoop, loopScope, type LoopCode, type RecordLoop } from './record-loops.ts'

/**
 * The generated functions of one table; an address is segment << 15 | offset / 8, an entry the word of the index it
 * stands at.
 */
export interface RecordCode {
  /** Entry of a key, -1 when it is not there. */
  find(group: RecordGroup, key: StateKey, user: StateKey | undefined): number
  /** The same for what is not read on: a record on disk stays there. */
  look(group: RecordGroup, key: StateKey, user: StateKey | undefined): number
  /** Entry of the key that record `a` has, -1 when it is not in the index. */
  findOf(group: RecordGroup, a: number): number
  /**
   * A look at the index and then at the records of keys that are about to be asked for, at most 1024: the looks do
   * not wait for each other, so that the cache misses of a batch overlap. Changes nothing. Of a table without user
   * keys.
   */
  touch(groups: Uint16Array, all: readonly StateKey[], count: number, groupAt: (group: number) => RecordGroup): void
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
  /** Of a table that has a loop. */
  readonly loop?: LoopCode
}

const HELPERS = `
const SI = A.i32, SD = A.f64, SB = A.buffer
function boxOf(S, q) { const b = (q << 2) + FIXED; return JSON.parse(SB[S].utf8Slice(b, b + SI[S][q + LENGTHS])) }
function sameText(S, I, q, w, j, from, length, text) {
  if (w & BOXED) return boxOf(S, q)[j] === text
  if (length !== text.length) return false
  const B = SB[S], b = (q << 2) + FIXED + from
  if (!(w & ONE_BYTE)) return textAt(S, q, w, j, from, length) === text
  if (length > 48) return B.latin1Slice(b, b + length) === text
  for (let c = 0; c < length; c++) if (B[b + c] !== text.charCodeAt(c)) return false
  return true
}
function endOf(S, q, w) { const u = w & UNITS; return u === 0 ? (A.base[S] << 2) + A.end[S] : (q << 2) + u * 8 }
function textAt(S, q, w, j, from, length) {
  if (w & BOXED) return boxOf(S, q)[j]
  const b = (q << 2) + FIXED
  return w & ONE_BYTE ? SB[S].latin1Slice(b + from, b + from + length) : SB[S].utf8Slice(b, endOf(S, q, w)).slice(from, from + length)
}`

/** Generates the functions of one table over an arena. */
export function compileRecordCode(spec: RecordSpec, arena: RecordArena, loop?: RecordLoop): RecordCode {
  const layout = layoutOf(spec)
  const emitter = new RecordEmitter(spec, layout, arena.spills)
  const { code } = emitter
  code.line(
    `const FIXED = ${layout.fixedBytes}, LENGTHS = ${layout.lengthsWord}, BOXED = ${BOXED}, ONE_BYTE = ${ONE_BYTE}, UNITS = ${UNITS}`,
  )
  emitHashHelpers(code)
  code.line(HELPERS)
  emitSame(emitter)
  emitFind(emitter)
  emitTouch(emitter)
  emitPut(emitter)
  if (spec.chained) emitAppend(emitter)
  emitReaders(emitter)
  emitRow(emitter)
  if (loop !== undefined) emitLoop(emitter, loop)
  code.line(
    `return { find, look, findOf, touch, put, row, key, user, at, seq, claims${spec.chained ? ', append' : ''}${loop === undefined ? '' : ', loop'} }`,
  )
  const keys = compileKeyCodec(layout.keyFields ?? spec.key)
  return code.compile<RecordCode>({
    A: arena,
    Row: spec.rowClass,
    keys,
    quote: JSON.stringify,
    bytesOf: (text: string) => Buffer.byteLength(text),
    ...(loop === undefined ? {} : loopScope(spec, loop)),
  })
}

function emitSame(emitter: RecordEmitter): void {
  const {
    spec,
    layout: { keyFields, keyKind },
  } = emitter
  emitter.code.line(`function same(a, ${emitter.parts.join(', ')}) { ${emitter.locate()}`)
  const tests =
    keyFields === undefined
      ? [keyKind === 'number' ? `${emitter.numberAt('key')} === k0` : emitter.sameText('key', 'k0')]
      : keyFields.map((field, index) => emitter.sameField(field, `k${index}`))
  if (spec.user !== undefined)
    tests.push(spec.user === 'number' ? `${emitter.numberAt('user')} === u0` : emitter.sameText('user', 'u0'))
  emitter.code.line(`return ${tests.join(' && ')} }`)
}

function emitFind(emitter: RecordEmitter): void {
  const { code } = emitter
  for (const [name, then] of [
    ['find', emitter.promote()],
    ['look', ''],
  ] as const) {
    code.line(`function ${name}(g, key, user) { ${emitter.keyFromParameters()}; ${emitter.hash()}`)
    code.line(emitter.probe())
    code.line(then)
    code.line(`return a === 0 ? -1 : i }`)
  }
  code.line(
    `function findOf(g, a) { ${emitter.locate()}; ${emitter.keyFromRecord()}; return place(g, I[q + 1], ${emitter.parts.join(', ')}) }`,
  )
  code.line(`function place(g, h, ${emitter.parts.join(', ')}) {`)
  code.line(emitter.probe())
  code.line(`return a === 0 ? -1 : i }`)
}

function emitTouch(emitter: RecordEmitter): void {
  const { code } = emitter
  code.line(`const touched = new Int32Array(1024)`)
  code.line(`let seen = 0`)
  code.line(`function touch(groups, all, count, groupAt) { let z = 0`)
  if (emitter.spec.user === undefined) {
    code.line(`for (let j = 0; j < count; j++) { const key = all[j]; ${emitter.keyFromParameters()}; ${emitter.hash()}`)
    code.line(`const g = groupAt(groups[j]); touched[j] = g.index[(h >>> g.shift << 1) + 1] }`)
    code.line(
      `for (let j = 0; j < count; j++) { const a = touched[j]; ${emitter.touch()} z ^= SI[a >>> 15][A.base[a >>> 15] + ((a & 32767) << 1)] }`,
    )
  }
  // kept, so that no compiler leaves the looks out
  code.line(`seen = z; return seen }`)
}

/**
 * Always encoded at the log's end first, for only then its bytes are known; then over the old record where it fits
 * and no barrier has passed. That
 * keeps its size, so a row of less than half is written anew: else every record would end as large as its key's
 * largest row.
 */
function emitPut(emitter: RecordEmitter): void {
  const { code } = emitter
  code.line(`function put(g, key, user, r, at, seq) { ${emitter.keyFromParameters()}; ${emitter.hash()}`)
  code.line(emitter.room())
  code.line(emitter.probe())
  emitter.write(String(VALUE), '0')
  code.line(`if (a === 0) { g.n++; x[i] = h } else`)
  code.line(
    emitter.supersede(
      `if ((a & 32767) << 3 >= A.frozen[Z] && u !== 0 && u <= v && v <= u * 2) { const head = I[q] & ~UNITS | v; for (let c = 1; c < u * 2; c++) J[y + c] = I[q + c]; J[y] = head; return }`,
    ),
  )
  code.line(`${emitter.commit()}; if (A.debt) A.maintain() }`)
}

function emitAppend(emitter: RecordEmitter): void {
  const { code } = emitter
  code.line(`function append(g, key, user, r, at, seq) { ${emitter.keyFromParameters()}; ${emitter.hash()}`)
  code.line(emitter.room())
  code.line(emitter.probe())
  emitter.write(`(a === 0 ? ${VALUE} : ${APPEND})`, 'a')
  code.line(`if (a === 0) { g.n++; x[i] = h }`)
  code.line(`${emitter.commit()}; if (A.debt) A.maintain() }`)
}

function emitReaders(emitter: RecordEmitter): void {
  const { code, spec } = emitter
  const { keyFields, keyKind, texts, fixedBytes, lengthsWord } = emitter.layout
  code.line(`function at(a) { ${emitter.locate()}; return ${spec.timed ? emitter.numberAt('at') : '0'} }`)
  code.line(`function seq(a) { ${emitter.locate()}; return ${spec.sequenced ? emitter.numberAt('seq') : '0'} }`)
  code.line(
    `function user(a) { ${emitter.locate()}; return ${spec.user === undefined ? '0' : spec.user === 'number' ? emitter.numberAt('user') : emitter.textAt('user')} }`,
  )
  if (keyFields === undefined)
    code.line(
      `function key(a) { ${emitter.locate()}; return ${keyKind === 'number' ? emitter.numberAt('key') : emitter.textAt('key')} }`,
    )
  else code.line(`function key(a) { return keys.of(row(a)) }`)
  code.line(`function claims(a, bytes) { if (bytes < ${fixedBytes}) return -1; ${emitter.locate()}`)
  if (texts.length === 0) code.line(`return 0 }`)
  else
    code.line(
      `if (w & BOXED) return I[q + ${lengthsWord}] >>> 0; return ${texts.map((_, j) => emitter.lengthAt(j)).join(' + ')} }`,
    )
}

/** One native call for all texts of a row; each is then a slice of the one string. */
function emitRow(emitter: RecordEmitter): void {
  const { code } = emitter
  const { texts } = emitter.layout
  code.line(`function row(a) { ${emitter.locate()}`)
  if (texts.length > 0) {
    code.line(`let ${texts.map((_, j) => `t${j}`).join(', ')}`)
    code.line(`if (w & BOXED) [${texts.map((_, j) => `t${j}`).join(', ')}] = boxOf(S, q)`)
    code.line(
      `else { ${texts.map((_, j) => `const e${j} = ${j === 0 ? '' : `e${j - 1} + `}${emitter.lengthAt(j)}`).join('; ')}`,
    )
    const last = `e${texts.length - 1}`
    code.line(
      `const b = (q << 2) + FIXED, s = ${last} === 0 ? '' : w & ONE_BYTE ? SB[S].latin1Slice(b, b + ${last}) : SB[S].utf8Slice(b, endOf(S, q, w))`,
    )
    texts.forEach((_, j) => {
      code.line(`t${j} = s.slice(${j === 0 ? '0' : `e${j - 1}`}, e${j})`)
    })
    code.line(`}`)
  }
  code.line(`return new Row(${emitter.spec.schema.fields.map((field) => emitter.decoded(field)).join(', ')}) }`)
}
