import { aggregateFields, type AggregateOver, type Results } from './aggregates.ts'
import type { Sink, Source } from './connectors.ts'
import { checkExpressions, textsOf, typesOf, type Expressions, type ShapeOf } from './expressions.ts'
import { ownFunction, type GraphNode, type NodeOutput, type UserCode } from './graph.ts'
import {
  joinDeclares,
  joinFields,
  selectedTexts,
  type BroadcastOptions,
  type Joined,
  type JoinOptions,
  type LateSides,
  type LookedUp,
  type LookupOptions,
  type Matched,
  type Selection,
} from './join.ts'
import { checkFunction, checkId, checkObject, refuse } from './misuse.ts'
import type { Found, PatternOptions, PatternSelected, PatternSteps, TimedOut } from './pattern.ts'
import type {
  AsyncContext,
  AsyncSettings,
  HttpRequest,
  KeyedContext,
  MirroredName,
  MirrorShape,
  ProcessContext,
  StateShape,
} from './process.ts'
import type { FieldsOf, Flat, KeyField, Merged, NewRow, Row, Shape, TypeText } from './shapes.ts'
import type { Duration, Window } from './windows.ts'

type Condition<S extends Shape> = string | ((row: Row<S>) => boolean)
type Shapes = Readonly<Record<string, Shape>>
type NoShapes = Readonly<Record<never, Shape>>

/** Settings that every operator may have. */
export interface OperatorOptions {
  readonly replicas?: number
  /**
   * What happens to a row that makes the operator fail. Without it, an exception of a function, or a service that does
   * not answer, fails the job; a row on which an expression throws follows the source.
   */
  readonly onError?: OnError
}

export type OnError = 'fail' | 'skip' | { readonly deadLetter: Readonly<Record<string, unknown>> }

/** A function over rows without a key. */
export interface ProcessDefinition<S extends Shape, O extends Shape, Sides extends Shapes> {
  readonly output: O
  readonly sideOutputs?: Sides
  /** The field of the output that carries event time, when it is not the one of the same name as before. */
  readonly eventTime?: keyof O & string
  onRow(row: Row<S>, context: ProcessContext<O, Sides>): void
}

export interface KeyedProcessDefinition<
  S extends Shape,
  K extends KeyField<S>,
  O extends Shape,
  St extends StateShape,
  Sides extends Shapes,
  Mirrored extends MirroredName<St> = never,
> {
  readonly output: O
  readonly sideOutputs?: Sides
  readonly state?: St
  /** States whose changes are told at every checkpoint: `side` has a stream of each. */
  readonly stateMirror?: readonly Mirrored[]
  readonly eventTime?: keyof O & string
  onRow(row: Row<S>, context: KeyedContext<S, K, O, St, Sides>): void
  onTimer?(time: number, context: KeyedContext<S, K, O, St, Sides>): void
  onProcessingTimer?(time: number, context: KeyedContext<S, K, O, St, Sides>): void
}

/** A stream with side outputs beside it, by name. */
export type WithSides<S extends Shape, Sides extends Shapes> = Stream<S> & {
  readonly side: { readonly [Name in keyof Sides]: Stream<Sides[Name]> }
}

/**
 * Rows of one shape on their way. Every verb takes the id of its operator first: state is matched by it for ever,
 * so it must be one's own in the job and stay. Verbs and their options: docs/verbs.
 */
export class Stream<S extends Shape> {
  readonly #from: NodeOutput

  constructor(from: NodeOutput) {
    this.#from = from
  }

  /** Rows for which the condition is true; text is an expression over fields. */
  filter(id: string, condition: Condition<S>, options: OperatorOptions = {}): Stream<S> {
    checkId('filter', id)
    if (typeof condition !== 'string')
      checkFunction(
        `the condition of filter "${id}"`,
        condition,
        `filter('${id}', 'price > 100') or filter('${id}', (row) => …)`,
      )
    return typeof condition === 'string'
      ? this.#then(id, { filter: condition, ...options })
      : this.#then(id, { filter: ownFunction(id), ...options }, { [id]: condition })
  }

  /** A new row from each: by expressions, or by a function whose rows have the declared shape. */
  map<const E extends Expressions>(id: string, fields: E, options?: OperatorOptions): Stream<ShapeOf<E>>
  map<const O extends Shape>(
    id: string,
    output: O,
    call: (row: Row<S>) => NewRow<O>,
    options?: OperatorOptions,
  ): Stream<O>
  map(
    id: string,
    shape: Expressions | Shape,
    call?: UserCode | OperatorOptions,
    options: OperatorOptions = {},
  ): Stream<never> {
    checkId('map', id)
    checkObject(`what map "${id}" gives`, shape, `map('${id}', { price: 'long' }, (row) => …), with the shape first`)
    if (typeof call === 'function')
      return this.#then(id, { map: { ...ownFunction(id), output: shape }, ...options }, { [id]: call })
    checkExpressions(`map "${id}"`, shape)
    return this.#declaring(
      id,
      { map: textsOf(shape as Expressions), ...(call as OperatorOptions | undefined) },
      typesOf(shape as Expressions),
    )
  }

  /** Adds fields, or replaces those of the same name. */
  set<const E extends Expressions>(
    id: string,
    fields: E,
    options: OperatorOptions = {},
  ): Stream<Merged<S, ShapeOf<E>>> {
    checkId('set', id)
    checkExpressions(`set "${id}"`, fields)
    return this.#declaring(id, { set: textsOf(fields), ...options }, typesOf(fields))
  }

  /** Only these fields. */
  select<const Name extends keyof S & string>(id: string, ...names: Name[]): Stream<Flat<Pick<S, Name>>> {
    checkId('select', id)
    return this.#then(id, { map: Object.fromEntries(names.map((name) => [name, name])) })
  }

  /** Any number of rows from each: an array, or what a generator yields. */
  flatMap<const O extends Shape>(
    id: string,
    output: O,
    call: (row: Row<S>) => Iterable<NewRow<O>>,
    options: OperatorOptions = {},
  ): Stream<O> {
    checkId('flatMap', id)
    checkObject(`what flatMap "${id}" gives`, output, `flatMap('${id}', { word: 'string' }, (row) => …)`)
    checkFunction(`what flatMap "${id}" calls`, call, `flatMap('${id}', { word: 'string' }, (row) => …)`)
    return this.#then(id, { flatMap: { ...ownFunction(id), output }, ...options }, { [id]: call })
  }

  /** A row for each element of a json array; the element, called `as`, stands where the array stood. */
  unnest<const Name extends FieldsOf<S, 'json'>, const As extends string, const T extends TypeText>(
    id: string,
    array: Name,
    element: { as: As; type: T; keepEmpty?: false },
    options: OperatorOptions = {},
  ): Stream<Merged<Omit<S, Name>, { [Field in As]: T }>> {
    checkId('unnest', id)
    checkObject(`the element of unnest "${id}"`, element, `unnest('${id}', 'words', { as: 'word', type: 'string' })`)
    return this.#then(id, { flatMap: { unnest: array, ...element }, ...options })
  }

  /** Deals rows to named outputs, each to the first whose condition it meets; the others go on in the stream itself. */
  sideOutput<const C extends Readonly<Record<string, Condition<S>>>>(
    id: string,
    conditions: C,
    options: OperatorOptions = {},
  ): WithSides<S, { [Name in keyof C]: S }> {
    checkId('sideOutput', id)
    checkObject(`what sideOutput "${id}" gives`, conditions, `sideOutput('${id}', { large: 'price > 100' })`)
    const written = Object.entries(conditions).map(
      ([name, condition]) => [name, typeof condition === 'string' ? condition : ownFunction(`${id}.${name}`)] as const,
    )
    const functions = Object.entries(conditions).flatMap(([name, condition]): [string, UserCode][] =>
      typeof condition === 'string' ? [] : [[`${id}.${name}`, condition]],
    )
    return this.#withSides(
      id,
      { sideOutput: written.map(([name, condition]) => ({ [name]: condition })), ...options },
      Object.keys(conditions),
      Object.fromEntries(functions),
    )
  }

  /** Rows of both, as one stream; their shapes are the same. */
  union(id: string, ...others: Stream<S>[]): Stream<S> {
    checkId('union', id)
    for (const other of others) checkStream(`what union "${id}" reads`, other)
    return outputOf({
      id,
      from: [this.#from, ...others.map((other) => other.#from)],
      fields: { union: {} },
      functions: {},
    })
  }

  /** The verbs of a key: window, aggregate, process with state. */
  keyBy<const K extends KeyField<S>>(...fields: [K, ...K[]]): KeyedStream<S, K> {
    const wrong = fields.find((field) => typeof field !== 'string')
    if (wrong !== undefined || fields.length === 0)
      refuse(
        'what keyBy takes',
        'names of fields',
        wrong,
        "keyBy('auction'); a key that is computed becomes a field by set before",
      )
    return new KeyedStream(this.#from, fields)
  }

  /** A function over each row, without state. */
  process<const O extends Shape, const Sides extends Shapes = NoShapes>(
    id: string,
    definition: ProcessDefinition<S, O, Sides>,
    options: OperatorOptions = {},
  ): WithSides<O, Sides> {
    return outputWithSides(
      processNode(id, this.#from, definition, { ...options }),
      Object.keys(definition.sideOutputs ?? {}),
    )
  }

  /** One asynchronous call for each row, many at once. */
  asyncMap<const O extends Shape>(
    id: string,
    definition: AsyncSettings & { output: O; call: (row: Row<S>, context: AsyncContext) => Promise<NewRow<O>> },
    options: OperatorOptions = {},
  ): Stream<O> {
    checkId('asyncMap', id)
    checkObject(
      `the definition of asyncMap "${id}"`,
      definition,
      `asyncMap('${id}', { output: { … }, call: async (row) => … })`,
    )
    const { call, ...settings } = definition
    checkFunction(`call of asyncMap "${id}"`, call, `asyncMap('${id}', { output: { … }, call: async (row) => … })`)
    return this.#then(id, { asyncMap: { ...ownFunction(id), ...settings }, ...options }, { [id]: call })
  }

  /** One HTTP request for each row; fields of the JSON answer stand behind those of the row. */
  asyncHttp<const O extends Shape>(
    id: string,
    definition: AsyncSettings & { output: O; http: HttpRequest },
    options: OperatorOptions = {},
  ): Stream<Merged<S, O>> {
    checkId('asyncHttp', id)
    return this.#then(id, { asyncMap: definition, ...options })
  }

  /**
   * Rows of this stream (`left`) with rows of the other (`right`) whose key fields are equal. Those too late for
   * it: `side.lateLeft`, `side.lateRight`.
   */
  join<const R extends Shape, const J extends JoinOptions<S, R>>(
    id: string,
    right: Stream<R>,
    options: J,
  ): WithSides<Joined<S, R, J>, LateSides<S, R, J>> {
    checkId('join', id)
    checkStream(`what join "${id}" reads`, right)
    checkObject(`the options of join "${id}"`, options, `join('${id}', other, { on: …, within: …, select: { … } })`)
    const isTimed = options.window !== undefined || options.within !== undefined
    const node: GraphNode = {
      id,
      from: [this.#from, right.#from],
      fields: { join: joinFields(options) },
      functions: {},
      declares: joinDeclares(options),
    }
    return outputWithSides(node, isTimed ? ['lateLeft', 'lateRight'] : [])
  }

  /** Each row with what a service knows of it; answers may be kept for a while. */
  lookup<const O extends Shape, const J extends LookupOptions<S, O>>(
    id: string,
    definition: J & { readonly output: O },
    options: OperatorOptions = {},
  ): Stream<LookedUp<S, O, J>> {
    checkId('lookup', id)
    checkObject(`the definition of lookup "${id}"`, definition, `lookup('${id}', { http: …, output: { … } })`)
    const { type, ...lookup } = definition
    return this.#then(id, { join: { ...(type === undefined ? {} : { type }), lookup }, ...options })
  }

  /** Every event of this stream with each rule of the other that holds for it. */
  broadcast<const R extends Shape, const B extends BroadcastOptions<S, R>>(
    id: string,
    rules: Stream<R>,
    options: B,
  ): Stream<Matched<S, R, B>> {
    checkId('broadcast', id)
    checkStream(`what broadcast "${id}" reads`, rules)
    checkObject(
      `the options of broadcast "${id}"`,
      options,
      `broadcast('${id}', rules, { key: …, where: …, select: { … } })`,
    )
    return outputOf({
      id,
      from: [this.#from, rules.#from],
      fields: { broadcast: joinFields(options) },
      functions: {},
      declares: joinDeclares(options),
    })
  }

  /** Any verb of the graph as its entry is written; `output` says what comes out, which is checked with the job. */
  operator<const O extends Shape>(id: string, entry: Readonly<Record<string, unknown>>, output: O): Stream<O>
  operator(id: string, entry: Readonly<Record<string, unknown>>, output: Shape): Stream<never> {
    return this.#declaring(id, entry, output)
  }

  /** An end of the graph, to be named in `job({ sinks })`. */
  sink(id: string, sink: Sink, options: OperatorOptions = {}): GraphNode {
    checkId('sink', id)
    checkObject(`where sink "${id}" writes`, sink, `sink('${id}', file({ … })), or kafka, druid, print`)
    return { id, from: [this.#from], fields: { sink: sink.written, ...options }, functions: {} }
  }

  #then<O extends Shape>(
    id: string,
    fields: Readonly<Record<string, unknown>>,
    functions: Readonly<Record<string, UserCode>> = {},
  ): Stream<O> {
    return outputOf({ id, from: [this.#from], fields, functions })
  }

  #declaring<O extends Shape>(id: string, fields: Readonly<Record<string, unknown>>, declares: Shape): Stream<O> {
    return outputOf({ id, from: [this.#from], fields, functions: {}, declares })
  }

  #withSides<O extends Shape, Sides extends Shapes>(
    id: string,
    fields: Readonly<Record<string, unknown>>,
    names: readonly string[],
    functions: Readonly<Record<string, UserCode>>,
  ): WithSides<O, Sides> {
    return outputWithSides({ id, from: [this.#from], fields, functions }, names)
  }
}

type WindowBounds = { windowStart: 'timestamp'; windowEnd: 'timestamp' }
type WindowShape<S extends Shape, K extends keyof S, W extends Window, R extends Shape> = Flat<
  Pick<S, K> & (W extends Window<'bounds'> ? WindowBounds : unknown) & R
>

/** Rows grouped by fields. */
export class KeyedStream<S extends Shape, K extends KeyField<S>> {
  readonly #from: NodeOutput
  readonly #keys: readonly string[]

  constructor(from: NodeOutput, keys: readonly string[]) {
    this.#from = from
    this.#keys = keys
  }

  /**
   * Out come the key, for windows of time `windowStart` and `windowEnd`, and the aggregates. Rows that came too
   * late: `side.late`.
   */
  window<const W extends Window, const A extends Readonly<Record<string, AggregateOver<S>>>>(
    id: string,
    window: W,
    aggregate: A,
    options: OperatorOptions & { lateness?: Duration; emit?: { early: Duration } } = {},
  ): WithSides<WindowShape<S, K, W, Results<S, A>>, { late: S }> {
    checkId('window', id)
    checkObject(`the window of "${id}"`, window, `window('${id}', tumble('10s'), { seen: count() })`)
    const { written, ...code } = aggregateFields(id, aggregate)
    return outputWithSides({ ...this.#node(id, { window: window.written, aggregate: written, ...options }), ...code }, [
      'late',
    ])
  }

  /** A running aggregate: a row with the key and the newest values for each row that comes. */
  aggregate<const A extends Readonly<Record<string, AggregateOver<S>>>>(
    id: string,
    aggregate: A,
    options: OperatorOptions & { ttl?: Duration; emit?: unknown } = {},
  ): Stream<Flat<Pick<S, K> & Results<S, A>>> {
    checkId('aggregate', id)
    const { written, ...code } = aggregateFields(id, aggregate)
    return outputOf({ ...this.#node(id, { aggregate: written, ...options }), ...code })
  }

  /** One row per key; `keep: 'last'` gives upserts. */
  dedupe(id: string, options: OperatorOptions & DedupeOptions<S>): Stream<S> {
    checkId('dedupe', id)
    checkObject(`the options of dedupe "${id}"`, options, `dedupe('${id}', { keep: 'first' })`)
    const { replicas, onError, ...dedupe } = options
    const common = { ...(replicas === undefined ? {} : { replicas }), ...(onError === undefined ? {} : { onError }) }
    return outputOf(this.#node(id, { dedupe, ...common }))
  }

  /** The n best rows of every key; with `rank` upserts by key and rank. */
  topN<const T extends TopNOptions<S>>(
    id: string,
    options: T,
  ): Stream<T extends { readonly rank: infer Rank extends string } ? Flat<S & { [Name in Rank]: 'long' }> : S> {
    return outputOf(this.#node(id, { topN: options }))
  }

  /** Each row combined with what came out last for its key: expressions over `previous` and `current`. */
  reduce(
    id: string,
    fields: Readonly<Partial<Record<Exclude<keyof S & string, K>, string>>>,
    options: OperatorOptions & { ttl?: Duration } = {},
  ): Stream<S> {
    return outputOf(this.#node(id, { reduce: fields, ...options }))
  }

  /**
   * Emits a row for each sequence of rows that fits. Sequences that are not complete in time go to `side.timedOut`,
   * rows that came too late to `side.late`.
   */
  pattern<
    const Steps extends PatternSteps,
    const Select extends Readonly<Record<string, PatternSelected<S, K, Steps>>>,
  >(
    id: string,
    pattern: PatternOptions<Steps, Select>,
    options: OperatorOptions = {},
  ): WithSides<Found<S, Steps, Select>, { late: S; timedOut: TimedOut<S, Steps, Select> }> {
    checkId('pattern', id)
    checkObject(`pattern "${id}"`, pattern, `pattern('${id}', { steps: …, within: …, select: { … } })`)
    const select: Selection = pattern.select
    const node = this.#node(id, { pattern: { ...pattern, select: selectedTexts(select) }, ...options })
    return outputWithSides({ ...node, declares: joinDeclares({ select }) }, ['late', 'timedOut'])
  }

  /** A function over each row with state and timers under its key. */
  process<
    const O extends Shape,
    const St extends StateShape = Readonly<Record<never, never>>,
    const Sides extends Shapes = NoShapes,
    const Mirrored extends MirroredName<St> = never,
  >(
    id: string,
    definition: KeyedProcessDefinition<S, K, O, St, Sides, Mirrored>,
    options: OperatorOptions = {},
  ): WithSides<O, Sides & { readonly [Name in Mirrored]: MirrorShape<Flat<Pick<S, K>>, St[Name]> }> {
    return outputWithSides(processNode(id, this.#from, definition, { keyBy: this.#keys, ...options }), [
      ...Object.keys(definition.sideOutputs ?? {}),
      ...(definition.stateMirror ?? []),
    ])
  }

  /** Any keyed verb of the graph as its entry is written beside `keyBy`. */
  operator<const O extends Shape>(id: string, entry: Readonly<Record<string, unknown>>, output: O): Stream<O>
  operator(id: string, entry: Readonly<Record<string, unknown>>, output: Shape): Stream<never> {
    return outputOf({ ...this.#node(id, entry), declares: output })
  }

  #node(id: string, fields: Readonly<Record<string, unknown>>): GraphNode {
    checkId(Object.keys(fields).at(0) ?? 'operator', id)
    return { id, from: [this.#from], fields: { keyBy: this.#keys, ...fields }, functions: {} }
  }
}

type OrderField<S extends Shape> = FieldsOf<S, 'long' | 'double' | 'timestamp'>
type RankField<S extends Shape> = FieldsOf<S, 'long' | 'double' | 'timestamp' | 'string'>
export interface DedupeOptions<S extends Shape> {
  readonly keep: 'first' | 'last'
  readonly orderBy?: OrderField<S>
  readonly ttl?: Duration
}
export interface TopNOptions<S extends Shape> {
  readonly limit: number
  /** Of several fields a later one decides where those before it are equal. */
  readonly by: RankField<S> | readonly RankField<S>[]
  /** For all fields, or one for each. */
  readonly order?: 'asc' | 'desc' | readonly ('asc' | 'desc')[]
  readonly rank?: string
  readonly ttl?: Duration
  /** The ranking of a key comes once, when event time has passed it: the key has the event time of its rows. */
  readonly emit?: 'final'
}

export interface StreamOptions<S extends Shape> extends OperatorOptions {
  readonly eventTime?: {
    readonly field: FieldsOf<S, 'timestamp'>
    readonly outOfOrderness?: Duration
    readonly idleAfter?: Duration
    readonly align?: { readonly group: string; readonly maxDrift: Duration }
  }
}

/** Begins a graph: the rows of a source. A source without a shape of its own needs `schema`. */
export function stream<const S extends Shape>(id: string, source: Source<S>, options?: StreamOptions<S>): Stream<S>
export function stream<const S extends Shape>(
  id: string,
  source: Source<undefined>,
  options: StreamOptions<S> & { readonly schema: S },
): Stream<S>
export function stream(id: string, source: Source, options: object = {}): Stream<never> {
  checkId('stream', id)
  checkObject(`what stream "${id}" reads`, source, `stream('${id}', kafka({ … }), { schema: { … } })`)
  checkObject(`the options of stream "${id}"`, options, `stream('${id}', kafka({ … }), { schema: { … } })`)
  return outputOf({ id, from: [], fields: { source: source.written, ...options }, functions: {} })
}

interface ProcessParts {
  output: Shape
  sideOutputs?: Shapes
  state?: StateShape
  stateMirror?: readonly string[]
  eventTime?: string
  onRow: unknown
  onTimer?: unknown
  onProcessingTimer?: unknown
}

function processNode(
  id: string,
  from: NodeOutput,
  definition: ProcessParts,
  options: Readonly<Record<string, unknown>>,
): GraphNode {
  checkId('process', id)
  checkObject(
    `the definition of process "${id}"`,
    definition,
    `process('${id}', { output: { … }, onRow(row, context) { … } })`,
  )
  const { output, sideOutputs, state, stateMirror, eventTime } = definition
  checkFunction(
    `onRow of process "${id}"`,
    definition.onRow,
    `process('${id}', { output: { … }, onRow(row, context) { … } })`,
  )
  const process = {
    ...ownFunction(id),
    output,
    ...(sideOutputs === undefined ? {} : { sideOutputs }),
    ...(state === undefined ? {} : { state }),
    ...(stateMirror === undefined ? {} : { stateMirror }),
    ...(eventTime === undefined ? {} : { eventTime }),
  }
  return { id, from: [from], fields: { process, ...options }, functions: { [id]: definition } }
}

function outputOf<S extends Shape>(node: GraphNode): Stream<S> {
  return new Stream({ node })
}

function outputWithSides<S extends Shape, Sides extends Shapes>(
  node: GraphNode,
  names: readonly string[],
): WithSides<S, Sides> {
  const side = Object.fromEntries(names.map((name) => [name, new Stream({ node, output: name })]))
  return Object.assign(new Stream<S>({ node }), { side }) as WithSides<S, Sides>
}

function checkStream(what: string, value: unknown): void {
  if (!(value instanceof Stream)) refuse(what, 'a stream', value, "const other = stream('other', …), and give it other")
}
