import { type Batch, RowBatch } from '../../runtime/memory/batch.ts'
import type { BatchCodec } from '../../runtime/codegen/contracts.ts'
import { compileBatchCodec } from '../../runtime/codegen/rows/codec.ts'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import type { Row } from '../../runtime/model/schema.ts'
import { MAX_TIMESTAMP, type Timestamp } from '../../runtime/model/time.ts'
import { loadAllOperators } from '../../runtime/operators/load-operators.ts'
import type { OperatorContext, StreamCode } from '../../runtime/operators/operator-context.ts'
import type { OperatorStage, Stage } from '../../runtime/operators/stage.ts'
import { UserFunctions } from '../../runtime/operators/user-functions.ts'
import { operatorOfInput, outputOfInput, type JobGraph, type OperatorNode } from '../../runtime/graph/job-graph.ts'
import { validateJob } from '../../runtime/front/job-spec.ts'
import type { ConnectorDeclarations } from '../../runtime/graph/connector-declaration.ts'
import { VirtualScratch } from '../../runtime/ports/virtual/scratch.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { HttpClient } from '../../runtime/ports/http-client.ts'
import type { ModuleExports } from '../../runtime/ports/modules.ts'
import { anyConnectors } from './any-connectors.ts'
import { ManualClock } from './manual-clock.ts'
import { MetricRegistry } from '../../runtime/telemetry/metric-registry.ts'

const OPERATORS = await loadAllOperators()

const ANY_CONNECTOR = anyConnectors('list', 'console')

export interface BedOptions {
  clock?: Clock
  modules?: Readonly<Record<string, ModuleExports>>
  http?: HttpClient
  openTable?: OperatorContext['openTable']
  slot?: number
  parallelism?: number
  /** Where state goes that may not lie in memory; a disk of its own when left out. */
  disk?: VirtualScratch
  /** Side outputs that somebody reads; all when left out. */
  sides?: readonly string[]
  /** As OperatorContext.readersOf, of every side output. */
  readersOf?: string
}

/** What comes out of an operator, as it comes: rows, watermarks. */
export class Collector implements Stage {
  readonly rows: Row[] = []
  readonly watermarks: Timestamp[] = []
  /** Rows and watermarks in their order. */
  readonly all: (Row | Timestamp)[] = []
  #asked = 0

  /** Every other time, so that operators give both columns and rows. */
  get takesColumns(): boolean {
    return this.#asked++ % 2 === 0
  }

  process(batch: Batch): Promise<void> {
    const taken = batch
      .rows()
      .slice(0, batch.count)
      .map((row) => ({ ...row }))
    this.rows.push(...taken)
    this.all.push(...taken)
    return Promise.resolve()
  }

  onWatermark(time: Timestamp): Promise<void> {
    this.watermarks.push(time)
    this.all.push(time)
    return Promise.resolve()
  }
}

/** One operator of a job alone: rows go in by hand, what comes out is collected, mails run when asked to. */
export class OperatorBed {
  readonly stage: OperatorStage
  readonly out = new Collector()
  readonly sides = new Map<string, Collector>()
  readonly errors: { error: Error & { code?: string }; row: Row; operator: string }[] = []
  readonly blocked: { operator: string; name: string; ms: number }[] = []
  readonly stopping = new AbortController()
  late = 0
  readonly #inputs: readonly StreamCode[]
  readonly #codecs: BatchCodec[] = []
  #batches = 0
  readonly #mails: (() => Promise<void>)[] = []

  constructor(graph: JobGraph, id: string, options: BedOptions = {}) {
    const node = nodeOf(graph, id)
    const clock = options.clock ?? new ManualClock()
    this.#inputs = node.from.map((name) => streamOf(schemaOf(graph, name)))
    const keepsRows = node.verb.kind === 'sideOutput'
    const context: OperatorContext = {
      node,
      inputs: this.#inputs,
      output: keepsRows ? (this.#inputs[0] as StreamCode) : streamOf(node.schema),
      next: this.out,
      side: (name) => (options.sides?.includes(name) === false ? undefined : this.side(name)),
      readersOf: (name) => options.readersOf ?? name,
      slot: options.slot ?? 0,
      parallelism: options.parallelism ?? 1,
      maxParallelism: graph.maxParallelism,
      clock,
      ...(graph.state === undefined
        ? {}
        : {
            spill: { limitBytes: graph.state.memoryBytes, open: () => (options.disk ?? new VirtualScratch()).open() },
          }),
      after: (delayMs, action) => this.#after(clock, delayMs, action),
      functions: new UserFunctions(new Map(Object.entries(options.modules ?? {}))),
      httpClient: options.http ?? { send: () => Promise.reject(new Error('no service is part of this test')) },
      openTable: options.openTable ?? (() => Promise.reject(new Error('no table is part of this test'))),
      stopping: this.stopping.signal,
      metrics: new MetricRegistry(),
      onBlocked: (operator, name, ms) => {
        this.blocked.push({ operator, name, ms })
      },
      onError: (error, row, operator) => {
        this.errors.push({ error: error as Error, row: { ...row }, operator })
      },
      onLate: (count) => {
        this.late += count
      },
    }
    this.stage = OPERATORS.createStage(context)
  }

  side(name: string): Collector {
    const known = this.sides.get(name) ?? new Collector()
    this.sides.set(name, known)
    return known
  }

  #after(clock: Clock, delayMs: number, action: () => Promise<void>): () => void {
    let isCancelled = false
    const mail = (): Promise<void> => (isCancelled ? Promise.resolve() : action())
    const cancel = clock.after(delayMs, () => {
      this.#mails.push(mail)
    })
    return () => {
      isCancelled = true
      cancel()
    }
  }

  /** Runs the mails that have come, and those that come of them. */
  async runMails(): Promise<number> {
    let ran = 0
    for (let mail = this.#mails.shift(); mail !== undefined; mail = this.#mails.shift(), ran++) await mail()
    return ran
  }

  /** Rows as plain objects, at most 1024: every other batch comes as a frame, as from an exchange. */
  process(rows: readonly Row[], input = 0): Promise<void> {
    const { schema, rowClass } = this.#inputs[input] as StreamCode
    const made = rows.map((row) => new rowClass(...schema.fields.map(({ name }) => row[name] ?? null)))
    if (this.#batches++ % 2 === 0) return this.stage.process(new RowBatch(made), input)
    const codec = (this.#codecs[input] ??= compileBatchCodec(schema, rowClass))
    return this.stage.process(codec.read(codec.encode(made, made.length).slice()), input)
  }

  watermark(time: Timestamp): Promise<void> {
    return this.stage.onWatermark(time)
  }

  end(): Promise<void> {
    return this.stage.onWatermark(MAX_TIMESTAMP)
  }
}

/** The graph of a job whose sources are called `list` and sinks `console`; throws with every problem it has. */
export function bedGraph(spec: object, connectors: ConnectorDeclarations = ANY_CONNECTOR): JobGraph {
  const validation = validateJob(spec, connectors)
  if ('graph' in validation) return validation.graph
  throw new Error(
    validation.problems.map((problem) => `${problem.code} ${problem.path}: ${problem.message}`).join('\n'),
  )
}

/**
 * A job of a source `in` with the schema, the operator `op` and a sink behind it and behind each of `sides`.
 * `memory`: how much of its state may lie there.
 */
export function aroundOperator(
  schema: object,
  operator: object,
  more: {
    modules?: object
    eventTime?: string
    sides?: readonly string[]
    memory?: string | undefined
    maxParallelism?: number
  } = {},
): JobGraph {
  return bedGraph({
    ...(more.maxParallelism === undefined ? {} : { maxParallelism: more.maxParallelism }),
    ...(more.memory === undefined ? {} : { state: { memory: more.memory } }),
    ...(more.modules === undefined ? {} : { modules: more.modules }),
    graph: [
      {
        id: 'in',
        source: 'list',
        schema,
        ...(more.eventTime === undefined ? {} : { eventTime: { field: more.eventTime } }),
      },
      { id: 'op', from: 'in', ...operator },
      { id: 'out', from: 'op', sink: 'console' },
      ...(more.sides ?? []).map((side) => ({ id: `out-${side.toLowerCase()}`, from: `op.${side}`, sink: 'console' })),
    ],
  })
}

function nodeOf(graph: JobGraph, id: string): OperatorNode {
  const node = graph.operators.find((operator) => operator.id === id)
  if (node === undefined) throw new Error(`there is no operator ${id}`)
  return node
}

function schemaOf(graph: JobGraph, input: string) {
  const node = nodeOf(graph, operatorOfInput(input))
  const output = outputOfInput(input)
  return output === undefined ? node.schema : (node.sideOutputs?.[output] ?? node.schema)
}

function streamOf(schema: StreamCode['schema']): StreamCode {
  return { schema, rowClass: compileRowClass(schema) }
}
