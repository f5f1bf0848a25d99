import type { Field, Row } from '../../model/schema.ts'
import { LOCATE, type RecordEmitter, type RecordSpec } from './record-emitter.ts'
import type { RecordGroup } from '../../memory/arena/record-group.ts'
import { VALUE } from '../../memory/arena/record-layout.ts'
import { compileRowClass } from '../rows/row.ts'

/** Work over the rows of a batch that is generated into a table, because it touches few words of a record. */
export type RecordLoop =
  /** Passes a row when it is the first of its key. The rows of the table are the key. */
  | { kind: 'first' }
  /** Passes a row that is not older by `field` than the last of its key. The rows are the key and that field. */
  | { kind: 'latest'; field: string }
  /** Keeps the `count` best values of `field`; the rows are those of rankFields. */
  | { kind: 'rank'; field: string; count: number; order: 'asc' | 'desc'; slots: boolean }

/** Those of its loop's kind. A record last written at or before `since` counts as absent; `at` is written beside it. */
export interface LoopCode {
  /** first, latest: appends the rows of rows[0..count) that pass to `out`; `groups` are their key groups. */
  keep(
    rows: readonly Row[],
    count: number,
    groups: Uint16Array,
    groupAt: (group: number) => RecordGroup,
    at: number,
    since: number,
    out: Row[],
  ): void
  /**
   * rank: the place (from 0) at which the row enters, -1 when it does not; then `ranked` and `slot` tell of its
   * key.
   */
  offer(group: RecordGroup, row: Row, at: number, since: number): number
  /** How many are ranked under the key of the last offer. */
  ranked(): number
  /** The slot of the row at a place; that of the row which entered last is free to be written. */
  slot(place: number): number
}

/**
 * The fields of a rank table's rows beside its key: how many there are, their values from best to worst, their
 * slots.
 */
export function rankFields({ count, slots }: { count: number; slots: boolean }): Field[] {
  const column = (name: string): Field[] =>
    Array.from({ length: count }, (_, i) => ({ name: `${name}${i}`, type: 'double', nullable: false }))
  return [
    { name: RANK_COUNT, type: 'long', nullable: false },
    ...column('millrace_rank_value_'),
    ...(slots ? column('millrace_rank_slot_') : []),
  ]
}

const RANK_COUNT = 'millrace_rank_count'

export function emitLoop(emitter: RecordEmitter, loop: RecordLoop): void {
  if (loop.kind === 'rank') emitRank(emitter, loop)
  else emitKeep(emitter, loop)
}

/** What a loop's code refers to beside the table's. */
export function loopScope(spec: RecordSpec, loop: RecordLoop): Record<string, unknown> {
  return loop.kind === 'rank' ? { Entry: compileRowClass(spec.schema) } : {}
}

/**
 * Three passes: the hashes and a look at the index, a look at the records, then the work. The looks are independent of
 * each other, so that the cache misses of a batch overlap; they pay once the table is larger than the caches.
 */
function emitKeep(emitter: RecordEmitter, loop: Exclude<RecordLoop, { kind: 'rank' }>): void {
  const { code, spec } = emitter
  const field = loop.kind === 'latest' ? spec.schema.fields.find(({ name }) => name === loop.field) : undefined
  const value = field === undefined ? '' : `r${code.property(field.name)}`
  code.line(`const H = new Int32Array(1024), T = new Int32Array(1024), G = []`)
  code.line(`let looked = 0`)
  code.line(`function keep(rows, count, groups, groupAt, at, since, out) { let n = out.length, z = 0`)
  code.line(`for (let j = 0; j < count; j++) { const r = rows[j]; ${emitter.keyFromRow()}; ${emitter.hash()}`)
  code.line(`const g = groupAt(groups[j]); G[j] = g; H[j] = h; T[j] = g.index[(h >>> g.shift << 1) + 1] }`)
  code.line(
    `for (let j = 0; j < count; j++) { const a = T[j]; ${emitter.touch()} z ^= SI[a >>> 15][A.base[a >>> 15] + ((a & 32767) << 1)] }`,
  )
  code.line(`looked = z`)
  code.line(
    `for (let j = 0; j < count; j++) { ${emitter.settle()}; const r = rows[j], g = G[j], h = H[j]; ${emitter.keyFromRow()}`,
  )
  code.line(emitter.room())
  code.line(emitter.probe())
  code.line(emitter.promote())
  code.line(`if (a !== 0) { ${LOCATE}`)
  if (field === undefined) code.line(spec.timed ? `if (${emitter.numberAt('at')} > since) continue` : `continue`)
  else
    code.line(
      `if (${spec.timed ? `${emitter.numberAt('at')} > since && ` : ''}${emitter.numberAt(field)} > ${value}) continue`,
    )
  if (field !== undefined || spec.timed) {
    code.line(`{ ${emitter.own()}; ${LOCATE}`)
    if (field !== undefined) code.line(`${emitter.numberAt(field)} = ${value}`)
    if (spec.timed) code.line(`${emitter.numberAt('at')} = at`)
    code.line(`} if (A.debt) A.maintain(); out[n++] = r; continue`)
  }
  code.line(`}`)
  emitter.write(String(VALUE), '0')
  code.line(`g.n++; x[i] = h; ${emitter.commit()}; if (A.debt) A.maintain(); out[n++] = r`)
  code.line(`} return looked }`)
  code.line(`const loop = { keep }`)
}

function emitRank(
  emitter: RecordEmitter,
  { field: by, count, order, slots }: Extract<RecordLoop, { kind: 'rank' }>,
): void {
  const { code, spec } = emitter
  const numbers = new Map(
    [...emitter.layout.numbers].map(([of, place]) => [typeof of === 'string' ? of : of.name, place]),
  )
  const at = (name: string): number => 1 + (numbers.get(name) ?? 0)
  const better = order === 'desc' ? '>' : '<'
  code.line(
    `const COUNT = ${at(RANK_COUNT)}, VALUES = ${at('millrace_rank_value_0')}, SLOTS = ${slots ? at('millrace_rank_slot_0') : 0}, MOST = ${count}`,
  )
  code.line(`let entry = 0`)
  code.line(
    `function offer(g, r0, at, since) { if (A.debt) A.maintain(); ${emitter.keyFromRow('r0')}; ${emitter.hash()}; const value = r0${code.property(by)}`,
  )
  code.line(emitter.room())
  code.line(emitter.probe())
  code.line(emitter.promote())
  code.line(
    `if (a === 0) { const r = new Entry(${spec.schema.fields.map((field) => keyValue(emitter, field)).join(', ')})`,
  )
  emitter.write(String(VALUE), '0')
  code.line(`g.n++; x[i] = h; ${emitter.commit()}; a = x[i + 1] }`)
  const lives = spec.timed ? ` && ${emitter.numberAt('at')} > since` : ''
  code.line(
    `entry = a; { ${LOCATE}; const p = q >> 1; if (D[p + COUNT] === MOST${lives} && !(value ${better} D[p + VALUES + MOST - 1])) return -1 }`,
  )
  code.line(`entry = ${emitter.own()}; ${LOCATE}; const p = q >> 1; let c = D[p + COUNT]`)
  if (spec.timed) code.line(`if (${emitter.numberAt('at')} <= since) c = 0`)
  code.line(`let k = c; while (k > 0 && value ${better} D[p + VALUES + k - 1]) k--`)
  if (slots) code.line(`const slot = c < MOST ? c : D[p + SLOTS + MOST - 1]`)
  code.line(`if (c < MOST) c++`)
  code.line(
    `for (let j = c - 1; j > k; j--) { D[p + VALUES + j] = D[p + VALUES + j - 1]${slots ? '; D[p + SLOTS + j] = D[p + SLOTS + j - 1]' : ''} }`,
  )
  code.line(`D[p + VALUES + k] = value; D[p + COUNT] = c${slots ? '; D[p + SLOTS + k] = slot' : ''}`)
  if (spec.timed) code.line(`${emitter.numberAt('at')} = at`)
  code.line(`return k }`)
  code.line(`function ranked() { const a = entry; ${LOCATE}; return D[(q >> 1) + COUNT] }`)
  code.line(`function slot(place) { const a = entry; ${LOCATE}; return D[(q >> 1) + SLOTS + place] }`)
  code.line(`const loop = { offer, ranked, slot }`)
}

/** A field of a fresh record: of the key its part, of the ranking nothing yet. */
function keyValue(emitter: RecordEmitter, field: Field): string {
  const index = emitter.layout.keyFields?.indexOf(field) ?? -1
  return index < 0 ? '0' : `k${index}`
}
