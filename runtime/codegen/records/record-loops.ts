import { isOrderedByDigits, orderNumber, orderNumbers } from '../../model/order-numbers.ts'
import { fieldsOf, type Field, type Row } from '../../model/schema.ts'
import { joined, js, lines, NOTHING, property, type Code } from '../emitter.ts'
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
  /** Passes a row that is not older by `field` than the last of its key. The rows are the key and latestFields. */
  | { kind: 'latest'; field: Field }
  | RankLoop
  /**
   * Moves rows of rankings between batches and records, which are found by their addresses. The rows carry their key and
   * stand under it and a slot; with `columns` the key is a number, and rows may also come as columns.
   */
  | RankedLoop

export interface RankedLoop {
  kind: 'ranked'
  from: 'rows' | 'columns'
}

/**
 * Keeps the `count` best values of `by`, of which a later one decides where those before it are equal; the rows are those of rankFields. A slot is a small whole number, and the low
 * word of its double is free: there it has a link, the address of its row. Links mean something in this process only.
 */
export interface RankLoop {
  kind: 'rank'
  by: readonly RankBy[]
  count: number
  slots: boolean
}

export interface RankBy {
  field: Field
  order: 'asc' | 'desc'
}

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
  /** rank: the same of a row whose key is one number and whose value is a number of its own. */
  offerKey(group: RecordGroup, key: number, value: number, at: number, since: number): number
  /** rank: makes that of the record the ranking that `ranked` and `slot` are about. */
  select(record: number): void
  /** How many are ranked under the key of the last offer. */
  ranked(): number
  /** The slot of the row at a place; that of the row which entered last is free to be written. */
  slot(place: number): number
  /** Puts the links of the places from `first` on into the array, 0 where there is none, and returns where they end. */
  links(first: number, into: Int32Array): number
  /** The same of all places, also of those that are not ranked. */
  allLinks(into: Int32Array): void
  /** The link of the slot at a place is `address` from now on. */
  link(place: number, address: number): void
  /** The place with that link, or that has a link and that slot; also one behind those that are ranked; -1: none has. */
  placeOfLink(address: number): number
  placeOfSlot(slot: number): number
  /** Takes the links out of a record that another process has written. */
  unlink(record: number): void
  /** ranked: the columns that `enter` takes rows of; they hold rows of the table. */
  open(columns: Columns): void
  /**
   * ranked: writes a row of the columns under a slot in the place of record `old`, 0 when there is none, and returns its
   * address; 0, and nothing is written, when a text is too long for it. What debt it leaves is the caller's to pay.
   */
  enter(group: RecordGroup, old: number, slot: number, row: number): number
  /** ranked: the same of a row that is an object, whatever its texts are. */
  put(group: RecordGroup, old: number, slot: number, row: Row): number
  /** ranked: brings the records at addresses[first..end) into memory; true when some have moved. 0 stands for none. */
  promote(group: RecordGroup, addresses: Int32Array, first: number, end: number): boolean
  /**
   * ranked: puts the rows at addresses[first..end), at most 1024 and in memory, with their places + 1 behind the rows of
   * `out`. 0, and nothing is put, when one is not ASCII; -1 when one is not there.
   */
  give(addresses: Int32Array, first: number, end: number, out: ColumnBatch): 0 | 1 | -1
}

/** The fields of a latest table's rows beside its key, which is `key`: what orders the last row of each. */
export function latestFields(field: Field, key: readonly Field[]): Field[] {
  if (isOrderedByDigits(field)) return numberFields('millrace_order_', orderNumbers(field))
  return key.includes(field) ? [] : [{ ...field, nullable: false }]
}

/**
 * The fields of a rank table's rows beside its key: how many there are, their values from best to worst, their
 * slots, and what else orders values that one number cannot hold.
 */
export function rankFields({ by, count, slots }: RankLoop): Field[] {
  const numbers = by.reduce((sum, { field }) => sum + orderNumbers(field), 0)
  return [
    { name: RANK_COUNT, type: 'long', nullable: false },
    ...numberFields(rankValues(0), count),
    ...(slots ? numberFields(RANK_SLOTS, count) : []),
    ...Array.from({ length: numbers - 1 }, (_, more) => numberFields(rankValues(more + 1), count)).flat(),
  ]
}

const RANK_COUNT = 'millrace_rank_count'
const RANK_SLOTS = 'millrace_rank_slot_'

/** The first name is as savepoints have it. */
function rankValues(number: number): string {
  return number === 0 ? 'millrace_rank_value_' : `millrace_rank_value_${number}_`
}

function numberFields(prefix: string, count: number): Field[] {
  return Array.from({ length: count }, (_, i) => ({ name: `${prefix}${i}`, type: 'double', nullable: false }))
}

export function loopFunctions(emitter: RecordEmitter, loop: RecordLoop): Code {
  if (loop.kind === 'ranked') return rankedFunctions(emitter, loop)
  return loop.kind === 'rank' ? rankFunctions(emitter, loop) : keepFunction(emitter, loop)
}

/** The scope that a loop's code refers to beside the table's. */
export function loopScope(spec: RecordSpec, loop: RecordLoop): Record<string, unknown> {
  switch (loop.kind) {
    case 'rank':
      return { Entry: compileRowClass(spec.schema), orderNumber }
    case 'latest':
      return { orderNumber }
    case 'first':
    case 'ranked':
      return {}
  }
}

/**
 * Three passes: the hashes and a look at the index, a look at the records, then the work. The looks are independent of
 * each other, so that the cache misses of a batch overlap; they pay once the table is larger than the caches.
 */
function keepFunction(table: RecordEmitter, loop: Extract<RecordLoop, { kind: 'first' | 'latest' }>): Code {
  const order = loop.kind === 'first' ? undefined : orderOf(table, loop.field)
  const emitter = order?.emitter ?? table
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
        ${order?.declared ?? NOTHING}
        if (a !== 0) {
          ${LOCATE}
          ${order === undefined ? keepFirst(emitter) : keepLatest(order)}
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

/** The numbers that order the rows of a latest table: each in a record, with its twin `v<i>` of row r. */
interface Order {
  readonly emitter: RecordEmitter
  readonly declared: Code
  readonly numbers: readonly { readonly kept: Code; readonly given: Code }[]
}

function orderOf(table: RecordEmitter, by: Field): Order {
  const fields = orderFieldsOf(table.spec, by)
  const emitter = table.withFields((field) => {
    const index = fields.indexOf(field)
    return index < 0 ? js`r${property(field.name)}` : js`v${index}`
  })
  return {
    emitter,
    declared: declareNumbers(by, js`r${property(by.name)}`),
    numbers: fields.map((field, index) => ({ kept: emitter.numberAt(field), given: js`v${index}` })),
  }
}

/** The fields of the table that hold the numbers of `by`. */
function orderFieldsOf({ schema }: RecordSpec, by: Field): Field[] {
  const names = isOrderedByDigits(by) ? latestFields(by, []).map(({ name }) => name) : [by.name]
  return fieldsOf(schema, names)
}

/** Declares the numbers that order a value, from `v<first>` on. */
function declareNumbers(by: Field, value: Code, first = 0): Code {
  const count = orderNumbers(by)
  if (!isOrderedByDigits(by)) return js`const v${first} = ${value}`
  return lines(
    Array.from(
      { length: count },
      (_, index) => js`const v${first + index} = orderNumber(${value}, ${index}, ${count})`,
    ),
  )
}

/** Two numbers, and how the left one is beyond the right one. */
type Compared = readonly [left: Code, operator: Code, right: Code]

/** The test that some numbers, compared one after the other, are beyond their twins. */
function isBeyond([first, ...more]: readonly Compared[]): Code {
  if (first === undefined) return js`false`
  const [left, operator, right] = first
  if (more.length === 0) return js`${left} ${operator} ${right}`
  return js`(${left} ${operator} ${right} || ${left} === ${right} && ${isBeyond(more)})`
}

/** Leaves row r when it is older than record `a`, or passes it. */
function keepLatest({ emitter, numbers }: Order): Code {
  const { timed } = emitter.spec
  const lives = timed ? [js`${emitter.numberAt('at')} > since`] : []
  const isOlder = isBeyond(numbers.map(({ kept, given }) => [kept, js`>`, given]))
  return js`
    if (${joined([...lives, isOlder], ' && ')}) continue
    ${passOver(emitter, [
      ...numbers.map(({ kept, given }) => js`${kept} = ${given}`),
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

function rankFunctions(emitter: RecordEmitter, { by, count, slots }: RankLoop): Code {
  const { spec } = emitter
  const numbers = new Map(
    [...emitter.layout.numbers].map(([of, place]) => [typeof of === 'string' ? of : of.name, place]),
  )
  const at = (name: string): number => 1 + (numbers.get(name) ?? 0)
  const lives = spec.timed ? [js`${emitter.numberAt('at')} > since`] : []
  const orders = by.flatMap(({ field, order }) => Array.from({ length: orderNumbers(field) }, () => order))
  const values = orders.map((order, index) => ({
    given: js`v${index}`,
    beats: order === 'desc' ? js`>` : js`<`,
    from: at(`${rankValues(index)}0`),
  }))
  const firstOf = (place: number): number => by.slice(0, place).reduce((sum, { field }) => sum + orderNumbers(field), 0)
  const beats = (place: Code): Code =>
    isBeyond(values.map((value) => [value.given, value.beats, js`doubles[p + ${value.from} + ${place}]`]))
  const given = values.map((value) => value.given)
  const cannotEnter = joined([js`doubles[p + COUNT] === MOST`, ...lives, js`!(${beats(js`MOST - 1`)})`], ' && ')
  const write = emitter.write(js`${VALUE}`, js`0`)
  return js`
    const COUNT = ${at(RANK_COUNT)}, SLOTS = ${slots ? at(`${RANK_SLOTS}0`) : 0}, MOST = ${count}
    let entry = 0
    ${slots && spec.timed ? js`const spare = new Float64Array(MOST)` : NOTHING}
    function offer(g, r0, at, since) {
      ${emitter.keyFromRow(js`r0`)}
      ${by.map(({ field }, place) => declareNumbers(field, js`r0${property(field.name)}`, firstOf(place)))}
      return offerKey(g, ${emitter.parts}, ${given}, at, since)
    }
    function offerKey(g, ${emitter.parts}, ${given}, at, since) {
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
      ${spec.timed ? startAgain(emitter, slots) : NOTHING}
      let k = c
      while (k > 0 && ${beats(js`k - 1`)}) k--
      ${slots ? takeSlot(spec.timed) : NOTHING}
      if (c < MOST) c++
      for (let j = c - 1; j > k; j--) {
        ${values.map(({ from }) => js`doubles[p + ${from} + j] = doubles[p + ${from} + j - 1]`)}
        ${slots ? js`doubles[p + SLOTS + j] = doubles[p + SLOTS + j - 1]` : NOTHING}
      }
      ${values.map((value) => js`doubles[p + ${value.from} + k] = ${value.given}`)}
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
    ${slots ? slotFunctions(emitter) : NOTHING}
    const loop = { offer, offerKey, select, ranked${slots ? js`, slot, links, allLinks, link, placeOfLink, placeOfSlot, unlink` : NOTHING} }`
}

/** Empties a ranking whose time is over. Its slots with their links stay behind, each in the place of its number. */
function startAgain(emitter: RecordEmitter, slots: boolean): Code {
  const sort = js`
    for (let j = 0; j < c; j++) spare[doubles[p + SLOTS + j] | 0] = doubles[p + SLOTS + j]
    for (let j = 0; j < c; j++) doubles[p + SLOTS + j] = spare[j]`
  return js`
    if (${emitter.numberAt('at')} <= since) {
      ${slots ? sort : NOTHING}
      c = 0
    }`
}

/** Declares the slot, with its link, of a row that enters: of the row that leaves, one left behind, or a new one. */
function takeSlot(timed: boolean): Code {
  return js`
    let slot = c
    if (c === MOST) slot = doubles[p + SLOTS + MOST - 1]
    ${timed ? js`else if (${linkAt(js`c`)} !== 0) slot = doubles[p + SLOTS + c]` : NOTHING}`
}

/** The low word of a slot's double. */
function linkAt(place: Code): Code {
  return js`ints[(p + SLOTS + ${place}) * 2]`
}

function slotFunctions(emitter: RecordEmitter): Code {
  const ofEntry = js`
    const a = entry
    ${LOCATE}
    const p = start >> 1`
  return js`
    function slot(place) {
      ${ofEntry}
      return doubles[p + SLOTS + place] | 0
    }
    function links(first, into) {
      ${ofEntry}
      const end = doubles[p + COUNT]
      for (let j = first; j < end; j++) into[j] = ${linkAt(js`j`)}
      return end
    }
    function allLinks(into) {
      ${ofEntry}
      for (let j = 0; j < MOST; j++) into[j] = ${linkAt(js`j`)}
    }
    function link(place, address) {
      ${ofEntry}
      ${linkAt(js`place`)} = address
    }
    function placeOfLink(address) {
      ${ofReading(emitter)}
      for (let j = 0; j < MOST; j++) if (${linkAt(js`j`)} === address) return j
      return -1
    }
    function placeOfSlot(slot) {
      ${ofReading(emitter)}
      for (let j = 0; j < MOST; j++) if (${linkAt(js`j`)} !== 0 && (doubles[p + SLOTS + j] | 0) === slot) return j
      return -1
    }
    function unlink(a) {
      ${LOCATE}
      const p = start >> 1
      for (let j = 0; j < MOST; j++) ${linkAt(js`j`)} = 0
    }`
}

/** The entry's record, which may be on disk. */
function ofReading(emitter: RecordEmitter): Code {
  return js`
    let a = entry
    ${emitter.locate()}
    const p = start >> 1`
}

/** A field of a fresh record: of the key its part, of the ranking nothing yet. */
function keyValue(emitter: RecordEmitter, field: Field): Code {
  const index = emitter.layout.keyFields?.indexOf(field) ?? -1
  return index < 0 ? js`0` : js`k${index}`
}
