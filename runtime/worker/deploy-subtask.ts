import { readStateFile } from '../checkpoint/state-file.ts'
import { PassedTexts } from '../codegen/json/passed-texts.ts'
import { compileBatchCodec } from '../codegen/rows/codec.ts'
import { compileKeyGrouper } from '../codegen/keys/key-grouper.ts'
import { compileMaxEventTime } from '../codegen/max-event-time.ts'
import { compileRowClass, type RowClass } from '../codegen/rows/row.ts'
import type { Connectors } from '../connectors/registry.ts'
import { deadLetterConnector, sinkConnector, sourceConnector } from '../connectors/registry.ts'
import type { SinkWriter } from '../connectors/sink.ts'
import type { Deployment } from '../control/messages.ts'
import { ChannelWriter } from '../exchange/channel-writer.ts'
import type { ChannelServer } from '../exchange/channel-server.ts'
import { encodeFrame } from '../exchange/frame.ts'
import { InputGate } from '../exchange/input-gate.ts'
import { RecordWriter, type Routing } from '../exchange/record-writer.ts'
import { errorReport, MillraceError } from '../model/errors.ts'
import { subtaskId } from '../model/ids.ts'
import { isPlanted } from '../model/planted-bugs.ts'
import { fieldOf, fieldsOf, type Field } from '../model/schema.ts'
import type { StreamCode } from '../operators/operator-context.ts'
import { UserFunctions } from '../operators/user-functions.ts'
import type { OperatorState } from '../operators/stage.ts'
import type { Chain, Exchange, ExecutionPlan } from '../plan/execution-plan.ts'
import type { ErrorPolicy, OperatorNode, SourceVerb } from '../plan/job-graph.ts'
import { keyGroupsOfSlot } from '../plan/key-groups.ts'
import { functionsOf } from '../plan/user-function.ts'
import type { ModuleExports } from '../ports/modules.ts'
import type { Connection } from '../ports/net.ts'
import type { Ports } from '../ports/ports.ts'
import type { Store } from '../ports/store.ts'
import { BadRecords } from '../task/bad-records.ts'
import { GateInput, type ExchangeReader } from '../task/gate-input.ts'
import type { Input } from '../task/input.ts'
import { Mailbox } from '../task/mailbox.ts'
import { compileOperatorChain } from '../task/operator-chain.ts'
import { Signal } from '../task/signal.ts'
import { SourceInput } from '../task/source-input.ts'
import { ExchangeStage } from '../task/stage.ts'
import { Subtask, type SubtaskCounters, type SubtaskEvents } from '../task/subtask.ts'
import { passedFields } from './passed-fields.ts'

export interface DeployContext {
  deployment: Deployment
  /** Counted into from the start: what a sink or source cannot reach is seen while it is being opened. */
  counters: SubtaskCounters
  plan: ExecutionPlan
  ports: Ports
  connectors: Connectors
  store: Store
  channels: ChannelServer
  events: SubtaskEvents
  /** Aborted when the subtask, or its deployment, is to end: whatever waits for the outside is then given up. */
  stopping: AbortController
  /** False once a newer attempt has come: what was awaited must then be given up. */
  isCurrent(): boolean
}

/**
 * Builds one subtask: offers its channels, restores its state, opens its sinks (which commit what the checkpoint
 * holds and fence older writers), then connects to its inputs. Rejects with ATTEMPT_SUPERSEDED when a newer
 * attempt came meanwhile; whatever was opened is closed then.
 */
export async function deploySubtask(context: DeployContext): Promise<Subtask> {
  return new Deployer(context).deploy()
}

class Deployer {
  readonly #context: DeployContext
  readonly #chain: Chain
  readonly #signal = new Signal()
  readonly #counters: SubtaskCounters
  readonly #opened: (() => Promise<void> | void)[] = []

  constructor(context: DeployContext) {
    this.#context = context
    this.#counters = context.counters
    const { plan, deployment } = context
    const chain = plan.chains.find((candidate) => candidate.id === deployment.chain)
    if (!chain) throw new MillraceError('CHAIN_UNKNOWN', `the plan has no chain ${deployment.chain}`)
    this.#chain = chain
  }

  async deploy(): Promise<Subtask> {
    try {
      return await this.#build()
    } catch (error) {
      for (const close of this.#opened.reverse()) await close()
      throw error
    }
  }

  async #build(): Promise<Subtask> {
    const { deployment, plan, ports, store, events } = this.#context
    const source = this.#chain.operators[0] as OperatorNode
    const inputs = this.#inputStreams()
    const ends = this.#exchangeStages()
    const mailbox = new Mailbox(ports.clock, this.#signal)
    this.#opened.push(() => { mailbox.close() })
    const badRecords = await this.#openBadRecords()
    const passed = ends.size === 0 ? this.#passedTexts(source) : undefined
    const sinks = await this.#openSinks(passed)
    const chain = compileOperatorChain({
      operators: source.verb.kind === 'source' ? this.#chain.operators.slice(1) : this.#chain.operators,
      inputs, end: ends.get('main'), sideEnd: (operatorId, output) => ends.get(`${operatorId}.${output}`), sinks,
      slot: deployment.slot, parallelism: this.#chain.parallelism, maxParallelism: plan.maxParallelism,
      clock: ports.clock, after: (delayMs, action) => mailbox.after(delayMs, action),
      functions: await this.#loadFunctions(), httpClient: ports.httpClient, stopping: this.#context.stopping.signal,
      onBlocked: (operatorId, name, ms) => { this.#onBlocked(operatorId, name, ms) },
      onError: (error, row, operatorId) => { badRecords.onRow(error, passed?.shown(row) ?? row, operatorId) },
      onLate: (count) => { this.#counters.lateRecords += count },
      onOut: (count) => { this.#counters.recordsOut += count },
    })
    for (const close of [...chain.operators.values()].map((operator) => operator.close?.bind(operator))) if (close) this.#opened.push(close)
    for (const [operator, state] of chain.states) await this.#restore(operator, state)
    const inputOf = source.verb.kind === 'source'
      ? await this.#sourceInput(source, source.verb, { rows: (inputs[0] as StreamCode).rowClass, sides: [...sidesOf(source, ends).keys()], passed }, badRecords) : await this.#gateInput(inputs)
    return new Subtask({
      id: subtaskId(deployment.chain, deployment.slot), attempt: deployment.attempt, input: inputOf, chain, sinks,
      exchanges: [...ends.values()], sideEnds: [...ends].flatMap(([name, end]) => (name === 'main' ? [] : [end])), sourceSides: sidesOf(source, ends), mailbox,
      badRecords, stopping: this.#context.stopping, store, clock: ports.clock, signal: this.#signal, counters: this.#counters, events,
    })
  }

  async #restore(operator: string, state: OperatorState): Promise<void> {
    const { deployment, plan, store } = this.#context
    const range = state.scope === 'broadcast' ? { first: 0, endExclusive: 1 }
      : keyGroupsOfSlot(deployment.slot, plan.maxParallelism, this.#chain.parallelism)
    for (const file of deployment.restore.state[operator] ?? []) {
      for (const [group, bytes] of await readStateFile(store, file, range)) state.restore(group, bytes)
      this.#checkCurrent()
    }
    state.restored?.()
  }

  /** One per input of the first operator. The inputs of a union have equal schemas and are read as one stream. */
  #inputStreams(): StreamCode[] {
    const first = this.#chain.operators[0] as OperatorNode
    const isOneStream = first.distribution === undefined
    const schemas = first.verb.kind === 'source' ? [first.schema]
      : first.from.map((_, input) => (this.#inputs().find((exchange) => exchange.consumer.input === input) as Exchange).schema)
    return (isOneStream ? schemas.slice(0, 1) : schemas).map((schema) => ({ schema, rowClass: compileRowClass(schema) }))
  }

  #inputs(): Exchange[] {
    return this.#context.plan.exchanges.filter((exchange) => exchange.consumer.chain === this.#chain.id)
  }

  /** By `main`, or by `operator.output` for side outputs. A chain that ends in a sink has no main end. */
  #exchangeStages(): Map<string, ExchangeStage> {
    const { plan, deployment, channels } = this.#context
    const outputs = Map.groupBy(plan.exchanges.filter((exchange) => exchange.producer.chain === this.#chain.id),
      ({ producer: { operator, output } }) => (output === undefined ? 'main' : `${operator}.${output}`))
    if (this.#chain.operators.at(-1)?.verb.kind !== 'sink' && !outputs.has('main')) outputs.set('main', [])
    const channelWriters = new Map<string, ChannelWriter[]>()
    const stages = new Map([...outputs].map(([name, exchanges]) => [name, this.#exchangeStage(exchanges, channelWriters)]))
    if (stages.size === 0) return stages
    channels.offer({
      jobUid: deployment.jobUid, attempt: deployment.attempt,
      find: (exchange, producerSlot, consumerSlot) =>
        producerSlot === deployment.slot ? channelWriters.get(exchange)?.[consumerSlot] : undefined,
    })
    return stages
  }

  #exchangeStage(outputs: readonly Exchange[], channelWriters: Map<string, ChannelWriter[]>): ExchangeStage {
    const { plan, deployment, ports } = this.#context
    const stage: ExchangeStage = new ExchangeStage(outputs.map((exchange) => {
      const consumers = chainOf(plan, exchange.consumer.chain).parallelism
      const writers = Array.from({ length: consumers }, (_, slot) =>
        new ChannelWriter(`${exchange.id} ${deployment.slot}→${slot}`, () => { stage.wake(); this.#signal.raise() }))
      channelWriters.set(exchange.id, exchange.partitioning.kind === 'forward' ? sparse(writers, deployment.slot) : writers)
      const { schema } = exchange
      // Encoding reads fields by name, so any class of the schema will do; decoding is the consumer's.
      const codec = compileBatchCodec(schema, compileRowClass(schema))
      return exchange.partitioning.kind === 'forward'
        ? new RecordWriter([writers[deployment.slot] as ChannelWriter], codec, { kind: 'one', channel: 0 }, ports.clock)
        : new RecordWriter(writers, codec, this.#routing(exchange), ports.clock)
    }), (count) => { this.#counters.recordsOut += count })
    this.#opened.push(() => { for (const writer of stage.writers) writer.close() })
    return stage
  }

  #routing(exchange: Exchange): Routing {
    const { plan } = this.#context
    switch (exchange.partitioning.kind) {
      case 'forward': return { kind: 'one', channel: this.#context.deployment.slot }
      case 'rebalance': return { kind: 'roundRobin' }
      case 'broadcast': return { kind: 'broadcast' }
      case 'hash': {
        const keys = fieldsOf(exchange.schema, exchange.partitioning.keyBy)
        return { kind: 'hash', grouper: compileKeyGrouper(keys, plan.maxParallelism), maxParallelism: plan.maxParallelism }
      }
    }
  }

  /** Only those that this chain calls: another's may be of no use here, or not be there yet. */
  async #loadFunctions(): Promise<UserFunctions> {
    const { plan, deployment, ports } = this.#context
    const loaded = new Map<string, ModuleExports>()
    for (const name of new Set(this.#chain.operators.flatMap((operator) => functionsOf(operator.verb)).map((ref) => ref.module))) {
      const source = plan.modules?.[name]
      if (source !== undefined) loaded.set(name, await ports.modules.load(name, source, deployment.baseDir))
      this.#checkCurrent()
    }
    return new UserFunctions(loaded)
  }

  #onBlocked(operatorId: string, name: string, ms: number): void {
    this.#counters.blockedMs[operatorId] = (this.#counters.blockedMs[operatorId] ?? 0) + ms
    this.#context.ports.logger.warn('a function of the job held up its whole process', { operator: operatorId, function: name, ms })
  }

  #reportTrouble(error: Error | null): void { this.#counters.trouble = error ? errorReport(error) : null }

  async #openBadRecords(): Promise<BadRecords> {
    const { plan, deployment, ports, connectors } = this.#context
    const policy = policyOf(plan, this.#chain)
    const deadLetters = policy.kind !== 'deadLetter' ? undefined : await deadLetterConnector(connectors, policy.connector).open({
      slot: deployment.slot, options: policy.options, ports, baseDir: deployment.baseDir, stopping: this.#context.stopping.signal,
      reportTrouble: (error) => { this.#reportTrouble(error) },
    })
    if (deadLetters) this.#opened.push(() => deadLetters.close())
    this.#checkCurrent()
    return new BadRecords({ policy, counters: this.#counters, logger: ports.logger, deadLetters })
  }

  /** Where source and sink of the chain agree on it. */
  #passedTexts({ verb, sideOutputs }: OperatorNode): PassedTexts | undefined {
    const { connectors } = this.#context
    const last = this.#chain.operators.at(-1)
    if (verb.kind !== 'source' || sideOutputs !== undefined || last?.verb.kind !== 'sink' || sourceConnector(connectors, verb.connector).passesTexts?.(verb.options) !== true) return undefined
    const fields = passedFields(this.#chain.operators, sinkConnector(connectors, last.verb.connector).takesTexts?.(last.verb.options, last.schema) ?? new Set())
    return fields && new PassedTexts(fields.source, fields.sink)
  }

  async #openSinks(passed: PassedTexts | undefined): Promise<Map<string, SinkWriter>> {
    const { deployment, connectors, ports } = this.#context
    const sinks = new Map<string, SinkWriter>()
    for (const operator of this.#chain.operators) {
      if (operator.verb.kind !== 'sink') continue
      const writer = sinkConnector(connectors, operator.verb.connector).writer({
        jobUid: deployment.jobUid, operatorId: operator.id, slot: deployment.slot, attempt: deployment.attempt,
        schema: operator.schema, options: operator.verb.options, ports, baseDir: deployment.baseDir, stopping: this.#context.stopping.signal,
        reportTrouble: (error) => { this.#reportTrouble(error) },
        ...(passed === undefined ? {} : { passed }),
      })
      this.#opened.push(() => writer.close())
      await writer.open(isPlanted('noRecommit') ? [] : deployment.restore.committables[operator.id] ?? [])
      this.#checkCurrent()
      sinks.set(operator.id, writer)
    }
    return sinks
  }

  async #sourceInput(operator: OperatorNode, verb: SourceVerb, streams: { rows: RowClass; sides: readonly string[]; passed: PassedTexts | undefined }, badRecords: BadRecords): Promise<Input> {
    const { deployment, connectors, ports } = this.#context
    const reader = sourceConnector(connectors, verb.connector).reader({
      operatorId: operator.id, verb, schema: operator.schema, ports, baseDir: deployment.baseDir,
      slot: deployment.slot, parallelism: this.#chain.parallelism,
      sides: Object.fromEntries(streams.sides.flatMap((name) => (operator.sideOutputs?.[name] === undefined ? [] : [[name, compileRowClass(operator.sideOutputs[name])]]))),
      onBadRecord: (error, where, raw) => { badRecords.onRaw(error, where, raw) },
      reportTrouble: (error) => { this.#reportTrouble(error) },
      ...(streams.passed === undefined ? {} : { passed: streams.passed }),
    }, streams.rows)
    this.#opened.push(() => reader.close())
    const splits = deployment.restore.splits[operator.id] ?? []
    await reader.open(splits)
    this.#checkCurrent()
    return new SourceInput({
      operatorId: operator.id, reader, splits,
      eventTime: verb.eventTime && {
        max: compileMaxEventTime(eventTimeField(operator, verb.eventTime.field)), outOfOrdernessMs: verb.eventTime.outOfOrdernessMs,
        ...(verb.eventTime.idleAfterMs === undefined ? {} : { idleAfterMs: verb.eventTime.idleAfterMs }),
      },
      ...(verb.eventTime?.align === undefined ? {} : {
        align: { maxDriftMs: verb.eventTime.align.maxDriftMs, tell: (minimum) => { this.#context.events.aligned(minimum) } },
      }),
      clock: ports.clock,
    })
  }

  async #gateInput(inputs: readonly StreamCode[]): Promise<Input> {
    const wanted = this.#inputs().flatMap((exchange) => this.#channelsOf(exchange))
    const gate = new InputGate(wanted.length, () => { this.#signal.raise() })
    this.#opened.push(() => { gate.close() })
    const connections = await Promise.all(wanted.map((channel) => this.#connect(channel)))
    this.#checkCurrent()
    connections.forEach((connection, index) => {
      const { exchange } = wanted[index] as WantedChannel
      gate.add(exchange.id, connection, exchange.partitioning.kind === 'broadcast' ? 'do not count' : 'count')
    })
    const readers = inputs.map(({ schema, rowClass }, input) => ({ codec: compileBatchCodec(schema, rowClass), input }))
    return new GateInput(gate, new Map(this.#inputs().map((exchange) => [exchange.id, readers[exchange.consumer.input] ?? readers[0] as ExchangeReader])))
  }

  #channelsOf(exchange: Exchange): WantedChannel[] {
    const { plan, deployment } = this.#context
    const producers = chainOf(plan, exchange.producer.chain).parallelism
    const slots = exchange.partitioning.kind === 'forward' ? [deployment.slot] : Array.from({ length: producers }, (_, slot) => slot)
    return slots.map((producerSlot) => ({ exchange, producerSlot }))
  }

  async #connect({ exchange, producerSlot }: WantedChannel): Promise<Connection> {
    const { deployment, ports } = this.#context
    const address = deployment.upstream[subtaskId(exchange.producer.chain, producerSlot)]
    if (!address) throw new MillraceError('CHANNEL_ADDRESS', `no address is known for ${exchange.producer.chain}-${producerSlot}`)
    const connection = await ports.net.connect(address)
    this.#opened.push(() => { connection.destroy() })
    connection.pause()
    connection.write(encodeFrame({ kind: 'hello', hello: {
      jobUid: deployment.jobUid, attempt: deployment.attempt, exchange: exchange.id, producerSlot, consumerSlot: deployment.slot,
    } }))
    return connection
  }

  #checkCurrent(): void {
    if (this.#context.isCurrent()) return
    throw new MillraceError('ATTEMPT_SUPERSEDED', `attempt ${this.#context.deployment.attempt} ended while it was deployed`, { domain: 'platform', retriable: true })
  }
}

interface WantedChannel { exchange: Exchange; producerSlot: number }

/** The ends behind a source's own side outputs, by name. */
function sidesOf(source: OperatorNode, ends: ReadonlyMap<string, ExchangeStage>): Map<string, ExchangeStage> {
  return new Map(Object.keys(source.verb.kind === 'source' ? source.sideOutputs ?? {} : {}).flatMap((name) => {
    const end = ends.get(`${source.id}.${name}`)
    return end === undefined ? [] : [[name, end] as const]
  }))
}

/** A forward exchange offers one channel: slot to slot. */
function sparse(writers: readonly ChannelWriter[], slot: number): ChannelWriter[] {
  const only: ChannelWriter[] = []
  const own = writers[slot]
  if (own) only[slot] = own
  return only
}

function chainOf(plan: ExecutionPlan, id: string): Chain {
  const chain = plan.chains.find((candidate) => candidate.id === id)
  if (!chain) throw new MillraceError('CHAIN_UNKNOWN', `the plan has no chain ${id}`)
  return chain
}

/** Rows carry no mark of their source: a chain follows the policy of the first source upstream of it. */
function policyOf(plan: ExecutionPlan, chain: Chain): ErrorPolicy {
  const first = chain.operators[0] as OperatorNode
  if (first.verb.kind === 'source') return first.verb.onError
  const input = plan.exchanges.find((exchange) => exchange.consumer.chain === chain.id)
  return input ? policyOf(plan, chainOf(plan, input.producer.chain)) : { kind: 'skip' }
}

function eventTimeField(operator: OperatorNode, name: string): Field {
  const field = fieldOf(operator.schema, name)
  if (!field) throw new MillraceError('UNKNOWN_FIELD', `source ${operator.id} has no field ${name} for its event time`, { domain: 'user' })
  return field
}
