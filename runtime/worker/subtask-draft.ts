import { loadOperators, type Operators } from '../operators/load-operators.ts'
import { generatedFor } from '../codegen/emitter.ts'
import { PassedTexts } from '../memory/passed-texts.ts'
import { compileBatchCodec } from '../codegen/rows/codec.ts'
import { compileKeyGrouper } from '../codegen/keys/key-grouper.ts'
import { compileRowClass } from '../codegen/rows/row.ts'
import type { Connectors } from '../connectors/registry.ts'
import type { SinkWriter } from '../connectors/sink.ts'
import { ChannelWriter } from '../exchange/channel-writer.ts'
import { RecordWriter, type Routing } from '../exchange/record-writer.ts'
import { MillraceError } from '../model/errors.ts'
import { fieldsOf } from '../model/schema.ts'
import type { StreamCode } from '../operators/operator-context.ts'
import { UserFunctions } from '../operators/user-functions.ts'
import type { Chain, Exchange, ExecutionPlan } from '../plan/execution-plan.ts'
import type { OperatorNode } from '../graph/job-graph.ts'
import { definitionOf } from '../graph/verbs/all.ts'
import type { ModuleExports } from '../ports/modules.ts'
import type { Ports } from '../ports/ports.ts'
import type { BadRecords } from '../task/bad-records.ts'
import { Mailbox } from '../task/mailbox.ts'
import { compileOperatorChain, type OperatorChain } from '../task/operator-chain.ts'
import { Signal } from '../task/signal.ts'
import { ExchangeStage } from '../task/stage.ts'
import { SubtaskCounters } from '../task/subtask.ts'
import { passedFields } from './passed-fields.ts'
import { spillOf } from './spill.ts'

/** Where a subtask stands, whatever the attempt. */
export interface DraftParts {
  /** The job's name, for stack traces and CPU profiles. */
  job?: string | undefined
  plan: ExecutionPlan
  chain: string
  slot: number
  baseDir: string
  ports: Ports
  connectors: Connectors
  /** Throws when the draft is not wanted any more: called after everything that was awaited. */
  checkWanted(): void
}

/**
 * A subtask that does nothing yet: its chain compiled, its state there to be filled, everything that leads outside
 * still open. It belongs to no attempt, fences nobody and is seen by nobody, so that it may come to be while the
 * subtask it is to replace runs. `deploySubtask` makes the subtask of it, or `discard` gives it up.
 */
export class SubtaskDraft {
  readonly plan: ExecutionPlan
  readonly chain: Chain
  readonly slot: number
  readonly baseDir: string
  readonly signal = new Signal()
  readonly counters = new SubtaskCounters()
  /** Aborted when the subtask, or its deployment, is to end: whatever waits for the outside is then given up. */
  readonly stopping = new AbortController()
  readonly mailbox: Mailbox
  /** One per input of the first operator. The inputs of a union have equal schemas and are read as one stream. */
  readonly inputs: readonly StreamCode[]
  /** By `main`, or by `operator.output` for side outputs. A chain that ends in a sink has no main end. */
  readonly ends: ReadonlyMap<string, ExchangeStage>
  /** By exchange, and the consumer's slot. */
  readonly channels = new Map<string, ChannelWriter[]>()
  readonly passed: PassedTexts | undefined
  /** Filled by the deployment, before the first row. */
  readonly sinks = new Map<string, SinkWriter>()
  badRecords: BadRecords | undefined
  /** What is to be closed when the subtask does not come to be. */
  readonly opened: (() => Promise<void> | void)[] = []
  readonly #parts: DraftParts
  #operators: OperatorChain | undefined

  private constructor(parts: DraftParts) {
    this.#parts = parts
    this.plan = parts.plan
    this.chain = chainOf(parts.plan, parts.chain)
    this.slot = parts.slot
    this.baseDir = parts.baseDir
    this.mailbox = new Mailbox(parts.ports.clock, this.signal)
    this.opened.push(() => {
      this.mailbox.close()
    })
    this.inputs = this.#inputStreams()
    this.ends = this.#exchangeStages()
    this.passed = this.ends.size === 0 ? this.#passedTexts() : undefined
  }

  /**
   * Loads the connectors and the user's code and compiles the chain, so that the deployment does not wait for modules.
   * Rejects with what `checkWanted` throws.
   */
  static async compile(parts: DraftParts): Promise<SubtaskDraft> {
    const draft = generatedFor({ job: parts.job }, () => new SubtaskDraft(parts))
    try {
      await parts.connectors.preload(draft.#connectorNames())
      parts.checkWanted()
      const functions = await draft.#loadFunctions()
      const loaded = await loadOperators(draft.chain.operators.map(({ verb }) => verb.kind))
      parts.checkWanted()
      generatedFor({ job: parts.job }, () => {
        draft.#compile(functions, loaded)
      })
      return draft
    } catch (error) {
      await draft.discard()
      throw error
    }
  }

  get source(): OperatorNode {
    return this.chain.operators[0] as OperatorNode
  }

  get operators(): OperatorChain {
    if (!this.#operators) throw new MillraceError('CHAIN_UNCOMPILED', `chain ${this.chain.id} has not been compiled`)
    return this.#operators
  }

  /** The exchanges that the chain reads. */
  exchangesIn(): Exchange[] {
    return this.plan.exchanges.filter((exchange) => exchange.consumer.chain === this.chain.id)
  }

  /** Closes what has been opened; nothing was to be seen of it. */
  async discard(): Promise<void> {
    for (const close of this.opened.splice(0).reverse()) await close()
  }

  #compile(functions: UserFunctions, loaded: Operators): void {
    const { ports } = this.#parts
    const { source, ends, mailbox, passed } = this
    const operators = compileOperatorChain({
      loaded,
      operators: source.verb.kind === 'source' ? this.chain.operators.slice(1) : this.chain.operators,
      inputs: this.inputs,
      end: ends.get('main'),
      sideEnd: (operatorId, output) => ends.get(`${operatorId}.${output}`),
      sinks: this.sinks,
      slot: this.slot,
      parallelism: this.chain.parallelism,
      maxParallelism: this.plan.maxParallelism,
      spill: spillOf(this.plan, this.chain, ports.openScratchFile),
      clock: ports.clock,
      after: (delayMs, action) => mailbox.after(delayMs, action),
      functions,
      httpClient: ports.httpClient,
      stopping: this.stopping.signal,
      onBlocked: (operatorId, name, ms) => {
        this.#onBlocked(operatorId, name, ms)
      },
      onError: (error, row, operatorId) => {
        this.badRecords?.onRow(error, passed?.shown(row) ?? row, operatorId)
      },
      onLate: (count) => {
        this.counters.lateRecords += count
      },
      onOut: (count) => {
        this.counters.recordsOut += count
      },
    })
    for (const operator of operators.operators.values()) this.opened.push(() => operator.close?.())
    this.#operators = operators
  }

  #inputStreams(): StreamCode[] {
    const first = this.source
    const isOneStream = first.distribution === undefined
    const schemas =
      first.verb.kind === 'source'
        ? [first.schema]
        : first.from.map(
            (_, input) => (this.exchangesIn().find((exchange) => exchange.consumer.input === input) as Exchange).schema,
          )
    return generatedFor({ operator: first.id }, () =>
      (isOneStream ? schemas.slice(0, 1) : schemas).map((schema) => ({ schema, rowClass: compileRowClass(schema) })),
    )
  }

  #exchangeStages(): Map<string, ExchangeStage> {
    const outputs = Map.groupBy(
      this.plan.exchanges.filter((exchange) => exchange.producer.chain === this.chain.id),
      ({ producer: { operator, output } }) => (output === undefined ? 'main' : `${operator}.${output}`),
    )
    if (this.chain.operators.at(-1)?.verb.kind !== 'sink' && !outputs.has('main')) outputs.set('main', [])
    return new Map([...outputs].map(([name, exchanges]) => [name, this.#exchangeStage(exchanges)]))
  }

  #exchangeStage(outputs: readonly Exchange[]): ExchangeStage {
    const { clock } = this.#parts.ports
    const stage: ExchangeStage = new ExchangeStage(
      outputs.map((exchange) =>
        generatedFor({ operator: exchange.id }, () => {
          const consumers = chainOf(this.plan, exchange.consumer.chain).parallelism
          const writers = Array.from(
            { length: consumers },
            (_, slot) =>
              new ChannelWriter(`${exchange.id} ${this.slot}→${slot}`, () => {
                stage.wake()
                this.signal.raise()
              }),
          )
          this.channels.set(
            exchange.id,
            exchange.partitioning.kind === 'forward' ? sparse(writers, this.slot) : writers,
          )
          const { schema } = exchange
          // Encoding reads fields by name, so any class of the schema will do; decoding is the consumer's.
          const codec = compileBatchCodec(schema, compileRowClass(schema))
          return exchange.partitioning.kind === 'forward'
            ? new RecordWriter([writers[this.slot] as ChannelWriter], codec, { kind: 'one', channel: 0 }, clock)
            : new RecordWriter(writers, codec, this.#routing(exchange), clock)
        }),
      ),
      (count) => {
        this.counters.recordsOut += count
      },
    )
    this.opened.push(() => {
      for (const writer of stage.writers) writer.close()
    })
    return stage
  }

  #routing(exchange: Exchange): Routing {
    const { maxParallelism } = this.plan
    switch (exchange.partitioning.kind) {
      case 'forward':
        return { kind: 'one', channel: this.slot }
      case 'rebalance':
        return { kind: 'roundRobin' }
      case 'broadcast':
        return { kind: 'broadcast' }
      case 'hash':
        return {
          kind: 'hash',
          grouper: compileKeyGrouper(fieldsOf(exchange.schema, exchange.partitioning.keyBy), maxParallelism),
          maxParallelism,
        }
    }
  }

  /** Where source and sink of the chain agree on it. */
  #passedTexts(): PassedTexts | undefined {
    const { connectors } = this.#parts
    const { verb, sideOutputs } = this.source
    const last = this.chain.operators.at(-1)
    if (
      verb.kind !== 'source' ||
      sideOutputs !== undefined ||
      last?.verb.kind !== 'sink' ||
      connectors.sources[verb.connector]?.passesTexts?.(verb.options) !== true
    )
      return undefined
    const fields = passedFields(
      this.chain.operators,
      connectors.sinks[last.verb.connector]?.takesTexts?.(last.verb.options, last.schema) ?? new Set(),
    )
    return fields && new PassedTexts(fields.source, fields.sink)
  }

  #connectorNames(): string[] {
    return this.chain.operators.flatMap(({ verb }) => {
      if (verb.kind === 'sink') return [verb.connector]
      if (verb.kind !== 'source') return []
      return verb.onError.kind === 'deadLetter' ? [verb.connector, verb.onError.connector] : [verb.connector]
    })
  }

  /** Only those that this chain calls: another's may be of no use here, or not be there yet. */
  async #loadFunctions(): Promise<UserFunctions> {
    const { ports, checkWanted } = this.#parts
    const loaded = new Map<string, ModuleExports>()
    for (const name of new Set(
      this.chain.operators
        .flatMap((operator) => definitionOf(operator).functions(operator.verb))
        .map((ref) => ref.module),
    )) {
      const source = this.plan.modules?.[name]
      if (source !== undefined) loaded.set(name, await ports.modules.load(name, source, this.baseDir))
      checkWanted()
    }
    return new UserFunctions(loaded)
  }

  #onBlocked(operatorId: string, name: string, ms: number): void {
    this.counters.blockedMs[operatorId] = (this.counters.blockedMs[operatorId] ?? 0) + ms
    this.#parts.ports.logger.warn('a function of the job held up its whole process', {
      operator: operatorId,
      function: name,
      ms,
    })
  }
}

/** A forward exchange offers one channel: slot to slot. */
function sparse(writers: readonly ChannelWriter[], slot: number): ChannelWriter[] {
  const only: ChannelWriter[] = []
  const own = writers[slot]
  if (own) only[slot] = own
  return only
}

/** Throws CHAIN_UNKNOWN. */
export function chainOf(plan: ExecutionPlan, id: string): Chain {
  const chain = plan.chains.find((candidate) => candidate.id === id)
  if (!chain) throw new MillraceError('CHAIN_UNKNOWN', `the plan has no chain ${id}`)
  return chain
}
