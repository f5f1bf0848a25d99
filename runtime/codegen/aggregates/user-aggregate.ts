import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { Aggregate, UserAggregate } from '../../graph/verbs/kit/aggregate-fields.ts'
import type { Accumulator } from '../../memory/accumulators/accumulator.ts'
import { js, NOTHING } from '../emitter.ts'
import { unsupported, type AggregateCode } from './aggregate-code.ts'
import { compileRowMaker, type RowMaker } from '../rows/row-maker.ts'
import { compileRowClass } from '../rows/row.ts'

/** An aggregate of the user: an accumulator of declared fields per entry, in column a. */
export function userAggregate(aggregate: Aggregate, index: number): AggregateCode {
  if (aggregate.user === undefined) throw unsupported(aggregate, undefined)
  const calls = new AggregateCalls(aggregate.field.name, aggregate, aggregate.user)
  return {
    columns: [{ name: `a${index}`, array: 'Object', read: (bytes) => new UserAccumulator(calls).fill(bytes) }],
    start: js`t.a${index}[e] = new UserAccumulator(calls${index})`,
    declare: () => NOTHING,
    refusesFirst: true,
    prepare: js`const n${index} = t.a${index}[e].after(r)`,
    store: js`t.a${index}[e].value = n${index}`,
    combine: js`t.a${index}[d].merge(s.a${index}[e])`,
    result: js`t.a${index}[e].result()`,
    scope: { UserAccumulator, [`calls${index}`]: calls },
  }
}

type Functions = Record<'init' | 'add' | 'merge' | 'result', (...values: unknown[]) => unknown>

/** The user's functions of one aggregate, what they give checked. */
class AggregateCalls {
  readonly #name: string
  readonly #functions: Functions
  readonly #state: RowMaker
  readonly #result: RowMaker

  constructor(name: string, { field }: Aggregate, { state, code, function: ref }: UserAggregate) {
    this.#name = name
    this.#functions = functionsOf(code, `${ref.function} of module ${ref.module}`)
    this.#state = compileRowMaker(state, compileRowClass(state))
    const result = { fields: [field] }
    this.#result = compileRowMaker(result, compileRowClass(result))
  }

  add(value: Row | undefined, row: Row): Row {
    return this.#state(this.#functions.add(value ?? this.#state(this.#functions.init()), row))
  }

  /** Not in the course of a row: an error here fails the subtask, and says which aggregate it is. */
  merge(left: Row, right: Row): Row {
    return this.#named(() => this.#state(this.#functions.merge(left, right)))
  }

  result(value: Row | undefined): unknown {
    return this.#named(
      () =>
        this.#result({ [this.#name]: this.#functions.result(value ?? this.#state(this.#functions.init())) })[
          this.#name
        ],
    )
  }

  copy(value: Row): Row {
    return this.#state(value)
  }

  #named<T>(run: () => T): T {
    try {
      return run()
    } catch (cause) {
      throw new MillraceError('AGGREGATE_FAILED', `aggregate ${this.#name}`, { domain: 'user', cause })
    }
  }
}

function functionsOf(code: unknown, what: string): Functions {
  const found = (typeof code === 'object' && code !== null ? code : {}) as Partial<Functions>
  const missing = (['init', 'add', 'merge', 'result'] as const).filter((name) => typeof found[name] !== 'function')
  if (missing.length > 0)
    throw new MillraceError(
      'FUNCTION_MISSING',
      `${what} lacks ${missing.join(', ')}: an aggregate is an object with init(), add(state, row), merge(state, state) and result(state)`,
      { domain: 'user' },
    )
  const { init, add, merge, result } = found as Functions
  return {
    init: () => init.call(code),
    add: (state, row) => add.call(code, state, row),
    merge: (left, right) => merge.call(code, left, right),
    result: (state) => result.call(code, state),
  }
}

class UserAccumulator implements Accumulator {
  /** Undefined while it holds no row. */
  value: Row | undefined
  readonly #calls: AggregateCalls

  constructor(calls: AggregateCalls) {
    this.#calls = calls
  }

  after(row: Row): Row {
    return this.#calls.add(this.value, row)
  }

  /** A copy of what comes first: the user's merge might write to it. */
  merge({ value }: UserAccumulator): void {
    if (value === undefined) return
    this.value = this.value === undefined ? this.#calls.copy(value) : this.#calls.merge(this.value, value)
  }

  result(): unknown {
    return this.#calls.result(this.value)
  }

  write(): Uint8Array {
    return Buffer.from(JSON.stringify(this.value ?? null))
  }

  fill(bytes: Uint8Array): this {
    const value = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'),
    ) as Row | null
    if (value !== null) this.value = this.#calls.copy(value)
    return this
  }
}
