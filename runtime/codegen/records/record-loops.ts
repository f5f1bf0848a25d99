import type { Field, Row } from '../../model/schema.ts'
import { joined, js, NOTHING, property, type Code } from '../emitter.ts'
import type { ColumnBatch } from '../../memory/column-batch.ts'
import type { Columns } from '../../memory/batch.ts'
import { rankedFunctions } from './ranked-rows.ts'
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
  /** Moves rows of rankings between columns and records. The table is a map by slot whose key is a number. */
  | { kind: 'ranked' }

/**
 * The functions of the loop's kind. A record last written at or before `since` counts as absent; `at` is written
 * beside it.
 */
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
   * rank: the place (from 0) at which the row enters, -1 when it does not; then `ranked` and `slot` are about its
   * key.
   */
  offer(group: RecordGroup, row: Row, at: number, since: number): number
  /** rank: the same of a row whose key is one number. */
  offerKey(group: RecordGroup, key: number, value: number, at: number, since: number): number
  /** rank: makes that of the record the ranking that `ranked` and `slot` are about. */
  select(record: number): void
  /** How many are ranked under the key of the last offer. */
  ranked(): number
  /** The slot of the row at a place; that of the row which entered last is free to be written. */
  slot(place: number): number
  /** ranked: the columns that `enter` takes rows of; they hold rows of the table. */
  open(columns: Columns): void
  /**
   * ranked: writes a row of the columns as the only one under key and slot, with `seq` where there was none before: 1
   * then, else 0; -1, and nothing is written, when a text is too long for it.
   */
  enter(group: RecordGroup, key: number, slot: number, row: number, seq: number): 0 | 1 | -1
  /**
   * ranked: puts the rows in slots[first..end), at most 1024, with their places + 1 behind the rows of `out`. 0, and
   * nothing is put, when one is not ASCII; -1 when one is not there.
   */
  give(group: RecordGroup, key: number, slots: Int32Array, first: number, end: number, out: ColumnBatch): 0 | 1 | -1
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

export function loopFunctions(emitter: RecordEmitter, loop: RecordLoop): Code {
  if (loop.kind === 'ranked') return rankedFunctions(emitter)
  return loop.kind === 'rank' ? rankFunctions(emitter, loop) : keepFunction(emitter, loop)
}

/** The scope that a loop's code refers to beside the table's. */
export function loopScope(spec: RecordSpec, loop: RecordLoop): Record<string, unknown> {
  return loop.kind === 'rank' ? { Entry: compileRowClass(spec.schema) } : {}
}

/**
 * Three passes: the hashes and a look at the index, a look at the records, then the work. The looks are independent of
 * each other, so that the cache misses of a batch overlap; they pay once the table is larger than the caches.
 */
function keepFunction(emitter: RecordEmitter, loop: Extract<RecordLoop, { kind: 'first' | 'latest' }>): Code {
  const { spec } = emitter
  return js`
    const hashes = new Int32Array(1024), addresses = new Int32Array(1024), groupsOf = []
    let looked = 0
    function keep(rows, count, groups, groupAt, at, since, out) {
      let n = out.length, sum = 0
      for (let j = 0; j < count; j++) {
        const r = rows[j]
        ${emitter.keyFromRow()}
        ${emitter.hash()}
        const g = groupAt(groups[j])
        groupsOf[j] = g
        hashes[j] = h
        addresses[j] = g.index[(h >>> g.shift << 1) + 1]
      }
      for (let j = 0; j < count; j++) {
        const a = addresses[j]
        ${emitter.look(js`sum`)}
      }
      looked = sum
      for (let j = 0; j < count; j++) {
        ${emitter.settle()}
        const r = rows[j], g = groupsOf[j], h = hashes[j]
        ${emitter.keyFromRow()}
        ${emitter.room()}
        ${emitter.probe()}
        ${emitter.promote()}
        if (a !== 0) {
          ${LOCATE}
          ${loop.kind === 'first' ? keepFirst(emitter) : keepLatest(emitter, fieldNamed(spec, loop.field))}
        }
        ${emitter.write(js`${VALUE}`, js`0`)}
        g.n++
        index[i] = h
        ${emitter.commit()}
        if (arena.debt) arena.maintain()
        out[n++] = r
      }
      return looked
    }
    const loop = { keep }`
}

/** Leaves row r, whose key record `a` has, or passes it when that record's time is over. */
function keepFirst(emitter: RecordEmitter): Code {
  if (!emitter.spec.timed) return js`continue`
  return js`
    if (${emitter.numberAt('at')} > since) continue
    ${passOver(emitter, [js`${emitter.numberAt('at')} = at`])}`
}

/** Leaves row r when it is older than record `a`, or passes it. */
function keepLatest(emitter: RecordEmitter, field: Field): Code {
  const { timed } = emitter.spec
  const value = js`r${property(field.name)}`
  const lives = timed ? [js`${emitter.numberAt('at')} > since`] : []
  return js`
    if (${joined([...lives, js`${emitter.numberAt(field)} > ${value}`], ' && ')}) continue
    ${passOver(emitter, [
      js`${emitter.numberAt(field)} = ${value}`,
      timed ? js`${emitter.numberAt('at')} = at` : NOTHING,
    ])}`
}

/** Passes row r after writing to record `a` in place. */
function passOver(emitter: RecordEmitter, writes: readonly Code[]): Code {
  return js`
    {
      ${emitter.own()}
      ${LOCATE}
      ${writes}
    }
    if (arena.debt) arena.maintain()
    out[n++] = r
    continue`
}

function fieldNamed({ schema }: RecordSpec, name: string): Field {
  return schema.fields.find((field) => field.name === name) as Field
}

function rankFunctions(
  emitter: RecordEmitter,
  { field: by, count, order, slots }: Extract<RecordLoop, { kind: 'rank' }>,
): Code {
  const { spec } = emitter
  const numbers = new Map(
    [...emitter.layout.numbers].map(([of, place]) => [typeof of === 'string' ? of : of.name, place]),
  )
  const at = (name: string): number => 1 + (numbers.get(name) ?? 0)
  const better = order === 'desc' ? js`>` : js`<`
  const lives = spec.timed ? [js`${emitter.numberAt('at')} > since`] : []
  const worst = js`doubles[p + VALUES + MOST - 1]`
  const cannotEnter = joined([js`doubles[p + COUNT] === MOST`, ...lives, js`!(value ${better} ${worst})`], ' && ')
  const write = emitter.write(js`${VALUE}`, js`0`)
  return js`
    const COUNT = ${at(RANK_COUNT)}, VALUES = ${at('millrace_rank_value_0')}
    const SLOTS = ${slots ? at('millrace_rank_slot_0') : 0}, MOST = ${count}
    let entry = 0
    function offer(g, r0, at, since) {
      ${emitter.keyFromRow(js`r0`)}
      return offerKey(g, ${emitter.parts}, r0${property(by)}, at, since)
    }
    function offerKey(g, ${emitter.parts}, value, at, since) {
      if (arena.debt) arena.maintain()
      ${emitter.hash()}
      ${emitter.room()}
      ${emitter.probe()}
      ${emitter.promote()}
      if (a === 0) {
        const r = new Entry(${spec.schema.fields.map((field) => keyValue(emitter, field))})
        ${write}
        g.n++
        index[i] = h
        ${emitter.commit()}
        a = index[i + 1]
      }
      entry = a
      {
        ${LOCATE}
        const p = start >> 1
        if (${cannotEnter}) return -1
      }
      entry = ${emitter.own()}
      ${LOCATE}
      const p = start >> 1
      let c = doubles[p + COUNT]
      ${spec.timed ? js`if (${emitter.numberAt('at')} <= since) c = 0` : NOTHING}
      let k = c
      while (k > 0 && value ${better} doubles[p + VALUES + k - 1]) k--
      ${slots ? js`const slot = c < MOST ? c : doubles[p + SLOTS + MOST - 1]` : NOTHING}
      if (c < MOST) c++
      for (let j = c - 1; j > k; j--) {
        doubles[p + VALUES + j] = doubles[p + VALUES + j - 1]
        ${slots ? js`doubles[p + SLOTS + j] = doubles[p + SLOTS + j - 1]` : NOTHING}
      }
      doubles[p + VALUES + k] = value
      doubles[p + COUNT] = c
      ${slots ? js`doubles[p + SLOTS + k] = slot` : NOTHING}
      ${spec.timed ? js`${emitter.numberAt('at')} = at` : NOTHING}
      return k
    }
    function select(record) {
      entry = record
    }
    function ranked() {
      const a = entry
      ${LOCATE}
      return doubles[(start >> 1) + COUNT]
    }
    function slot(place) {
      const a = entry
      ${LOCATE}
      return doubles[(start >> 1) + SLOTS + place]
    }
    const loop = { offer, offerKey, select, ranked, slot }`
}

/** A field of a fresh record: of the key its part, of the ranking nothing yet. */
function keyValue(emitter: RecordEmitter, field: Field): Code {
  const index = emitter.layout.keyFields?.indexOf(field) ?? -1
  return index < 0 ? js`0` : js`k${index}`
}
