import { compileKeyCodec } from '../../codegen/keys/key-codec.ts'
import type { KeyCodec } from '../../codegen/keys/key-codec.ts'
import type { StateKey } from '../../memory/state-key.ts'
import { compileRowMaker, type RowMaker } from '../../codegen/rows/row-maker.ts'
import { compileRowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Field, Row } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import { bindMethods } from './bound-methods.ts'
import type { StateDeclaration } from '../../graph/verbs/process.ts'
import type { ListTable, MapTable, StateStore, TableShape, TimerTable, ValueTable } from '../../state/state-store.ts'

/** Whose turn it is: state and timers are those of this key. Undefined between the calls of the user's function. */
export interface Turn {
  group: number
  key: StateKey
  row: Row | undefined
  timestamp: Timestamp | null
}

/** Names a table must not share with a user's. */
export const TIMERS = 'timers'
export const PROCESSING_TIMERS = 'processingTimers'
export function tableName(state: string): string {
  return `state.${state}`
}
/** The inverse: what the job calls the table. */
export function declaredName(table: string): string {
  return table.replace(/^state\./, '')
}

/** The tables of the store for what a process declares. `mirrors` names those who read the changes of a table. */
export function tablesOf(
  state: Readonly<Record<string, StateDeclaration>>,
  mirrors: ReadonlyMap<string, string> = new Map(),
): Record<string, TableShape> {
  return {
    ...Object.fromEntries(
      Object.entries(state).map(([name, declared]) => {
        const mirror = mirrors.get(name)
        return [tableName(name), { ...declared, ...(mirror === undefined ? {} : { mirror }) }]
      }),
    ),
    [TIMERS]: { kind: 'timers' },
    [PROCESSING_TIMERS]: { kind: 'timers' },
  }
}

/**
 * What a process function sees besides its row; the types of users are in api/process.ts. It is good for the time
 * of the call only: what is used later, behind an await, throws.
 */
export class ProcessContext {
  /** Tables under the current key, by their declared names. */
  readonly state: Readonly<Record<string, ValueState | ListState | MapState>>
  readonly timers: Timers
  readonly processingTimers: Timers
  /** The newest watermark that came in. */
  watermark: Timestamp
  readonly #turn: TurnHolder
  readonly #keys: readonly Field[]
  readonly #codec: KeyCodec | undefined
  readonly #now: () => Timestamp
  readonly #emit: (row: unknown) => void
  readonly #emitSide: (name: string, row: unknown) => void

  constructor(parts: {
    turn: TurnHolder
    keys: readonly Field[]
    declared: Readonly<Record<string, StateDeclaration>>
    store: StateStore | undefined
    /** Where timers are set; of those that cannot be, what is missing. */
    timers: { event: TimerTable | string; processing: TimerTable | string }
    watermark: Timestamp
    now: () => Timestamp
    emit: (row: unknown) => void
    emitSide: (name: string, row: unknown) => void
  }) {
    const { turn, store } = parts
    this.#turn = turn
    this.#keys = parts.keys
    this.#codec = parts.keys.length === 0 ? undefined : compileKeyCodec(parts.keys)
    this.#emit = parts.emit
    this.#emitSide = parts.emitSide
    this.watermark = parts.watermark
    this.#now = parts.now
    this.timers = new Timers(turn, parts.timers.event)
    this.processingTimers = new Timers(turn, parts.timers.processing)
    this.state = Object.freeze(
      Object.fromEntries(
        Object.entries(parts.declared).flatMap(([name, declared]) =>
          store === undefined ? [] : [[name, stateOf(name, declared, store, turn)] as const],
        ),
      ),
    )
    bindMethods(this)
  }

  /** The fields of the current key; none when the operator is not keyed. */
  get key(): Row {
    const { key } = this.#turn.current()
    const values = this.#codec?.values(key) ?? []
    return Object.fromEntries(this.#keys.map((field, index) => [field.name, values[index]]))
  }

  /** Event time of the row, or the moment of the timer; null where the stream has none. */
  get timestamp(): Timestamp | null {
    return this.#turn.current().timestamp
  }

  /** Processing time, in ms since the epoch: the clock that `processingTimers` go by. */
  get now(): Timestamp {
    return this.#now()
  }

  emit(row: unknown): void {
    this.#turn.current()
    this.#emit(row)
  }

  sideOutput(name: string, row: unknown): void {
    this.#turn.current()
    this.#emitSide(name, row)
  }
}

export class TurnHolder {
  #turn: Turn | undefined

  set(turn: Turn | undefined): void {
    this.#turn = turn
  }

  current(): Turn {
    if (this.#turn !== undefined) return this.#turn
    throw new MillraceError('CONTEXT_ENDED', 'the context of a process function is good for the time of its call', {
      domain: 'user',
      hint: 'do not await in it: asyncMap calls services',
    })
  }
}

/** Timers of event time, or of processing time, under the current key. */
class Timers {
  readonly #turn: TurnHolder
  readonly #table: TimerTable | string

  constructor(turn: TurnHolder, table: TimerTable | string) {
    this.#turn = turn
    this.#table = table
    bindMethods(this)
  }

  /** Calls the function's handler once that time has passed; the same time again is the same timer. */
  at(time: Timestamp): void {
    const { group, key } = this.#turn.current()
    this.#timers().at(group, key, checkedTime(time))
  }

  cancel(time: Timestamp): void {
    const { group, key } = this.#turn.current()
    this.#timers().cancel(group, key, checkedTime(time))
  }

  #timers(): TimerTable {
    if (typeof this.#table !== 'string') return this.#table
    throw new MillraceError('TIMER_UNSUPPORTED', this.#table, { domain: 'user' })
  }
}

function checkedTime(time: unknown): Timestamp {
  if (Number.isSafeInteger(time)) return time as Timestamp
  throw new MillraceError(
    'VALUE_INVALID',
    `a timer at ${String(time)}: it must be whole milliseconds since the epoch`,
    { domain: 'user' },
  )
}

function stateOf(
  name: string,
  declared: StateDeclaration,
  store: StateStore,
  turn: TurnHolder,
): ValueState | ListState | MapState {
  const make = naming(name, compileRowMaker(declared.schema, compileRowClass(declared.schema)))
  switch (declared.kind) {
    case 'value':
      return new ValueState(turn, store.value(tableName(name)), make)
    case 'list':
      return new ListState(turn, store.list(tableName(name)), make)
    case 'map':
      return new MapState(turn, store.map(tableName(name)), make, userKeyOf(name, declared.userKey))
  }
}

/** Errors of a state's values say which state it is. */
function naming<T>(name: string, make: (value: unknown) => T): (value: unknown) => T {
  return (value) => {
    try {
      return make(value)
    } catch (cause) {
      throw new MillraceError('VALUE_INVALID', `state ${name}`, { domain: 'user', cause })
    }
  }
}

interface UserKey {
  of(value: unknown): StateKey
  value(key: StateKey): unknown
}

/** A key of one field is written as its value, of several as an object. */
function userKeyOf(name: string, fields: readonly Field[]): UserKey {
  const codec = compileKeyCodec(fields)
  const make: RowMaker = naming(name, compileRowMaker({ fields }, compileRowClass({ fields })))
  const [only, second] = fields
  if (only !== undefined && second === undefined) {
    return { of: (value) => codec.of(make({ [only.name]: value })), value: (key) => codec.values(key)[0] }
  }
  return {
    of: (value) => codec.of(make(value)),
    value: (key) => {
      const values = codec.values(key)
      return Object.fromEntries(fields.map((field, index) => [field.name, values[index]]))
    },
  }
}

/** One row per key. */
class ValueState {
  readonly #turn: TurnHolder
  readonly #table: ValueTable
  readonly #make: RowMaker

  constructor(turn: TurnHolder, table: ValueTable, make: RowMaker) {
    this.#turn = turn
    this.#table = table
    this.#make = make
    bindMethods(this)
  }

  /** Null where the key has none. */
  get(): Row | null {
    const { group, key } = this.#turn.current()
    return this.#table.get(group, key) ?? null
  }
  set(row: unknown): void {
    const { group, key } = this.#turn.current()
    this.#table.set(group, key, this.#make(row))
  }
  clear(): void {
    const { group, key } = this.#turn.current()
    this.#table.delete(group, key)
  }
}

/** Rows per key, in the order in which they were added. */
class ListState {
  readonly #turn: TurnHolder
  readonly #table: ListTable
  readonly #make: RowMaker

  constructor(turn: TurnHolder, table: ListTable, make: RowMaker) {
    this.#turn = turn
    this.#table = table
    this.#make = make
    bindMethods(this)
  }

  add(row: unknown): void {
    const { group, key } = this.#turn.current()
    this.#table.append(group, key, this.#make(row))
  }
  rows(): Row[] {
    const { group, key } = this.#turn.current()
    return this.#table.rows(group, key)
  }
  /** Drops the rows for which `keep` is false; returns how many those were. */
  retain(keep: (row: Row) => boolean): number {
    const { group, key } = this.#turn.current()
    return this.#table.retain(group, key, keep)
  }
  clear(): void {
    const { group, key } = this.#turn.current()
    this.#table.delete(group, key)
  }
}

/** Rows per key under a second key. */
class MapState {
  readonly #turn: TurnHolder
  readonly #table: MapTable
  readonly #make: RowMaker
  readonly #userKey: UserKey

  constructor(turn: TurnHolder, table: MapTable, make: RowMaker, userKey: UserKey) {
    this.#turn = turn
    this.#table = table
    this.#make = make
    this.#userKey = userKey
    bindMethods(this)
  }

  /** Null where the key has none. */
  get(userKey: unknown): Row | null {
    const { group, key } = this.#turn.current()
    return this.#table.get(group, key, this.#userKey.of(userKey)) ?? null
  }
  set(userKey: unknown, row: unknown): void {
    const { group, key } = this.#turn.current()
    this.#table.set(group, key, this.#userKey.of(userKey), this.#make(row))
  }
  delete(userKey: unknown): boolean {
    const { group, key } = this.#turn.current()
    return this.#table.delete(group, key, this.#userKey.of(userKey))
  }
  /** In the order in which the keys first came. */
  entries(): [userKey: unknown, row: Row][] {
    const { group, key } = this.#turn.current()
    return this.#table.entries(group, key).map(([userKey, row]) => [this.#userKey.value(userKey), row])
  }
  clear(): void {
    const { group, key } = this.#turn.current()
    this.#table.clear(group, key)
  }
}
