import { readStateFile } from '../checkpoint/state-file.ts'
import { compileBatchCodec } from '../codegen/codec.ts'
import { compileKeyGrouper } from '../codegen/key-grouper.ts'
import { compileMaxEventTime } from '../codegen/max-event-time.ts'
import { compileRowClass, type RowClass } from '../codegen/row.ts'
import type { Connectors } from '../connectors/registry.ts'
import { sinkConnector, sourceConnector } from '../connectors/registry.ts'
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
import { fieldOf, type Field, type Schema } from '../model/schema.ts'
import type { Chain, Exchange, ExecutionPlan } from '../plan/execution-plan.ts'
import type { ErrorPolicy, OperatorNode, SourceVerb } from '../plan/job-graph.ts'
import { keyGroupsOfSlot } from '../plan/key-groups.ts'
import type { Connection } from '../ports/net.ts'
import type { Ports } from '../ports/ports.ts'
import type { Store } from '../ports/store.ts'
import { BadRecords } from '../task/bad-records.ts'
import { GateInput } from '../task/gate-input.ts'
import type { Input } from '../task/input.ts'
import { compileOperatorChain, keyFields } from '../task/operator-chain.ts'
import { Signal } from '../task/signal.ts'
import { SourceInput } from '../task/source-input.ts'
import { ExchangeStage } from '../task/stage.ts'
import { Subtask, SubtaskCounters, type SubtaskEvents } from '../task/subtask.ts'

export interface DeployContext {
  deployment: Deployment
  plan: ExecutionPlan
  ports: Ports
  connectors: Connectors
  store: Store
  channels: ChannelServer
  events: SubtaskEvents
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
  readonly #counters = new SubtaskCounters()
  readonly #badRecords: BadRecords
  readonly #opened: (() => Promise<void> | void)[] = []

  constructor(context: DeployContext) {
    this.#context = context
    const { plan, deployment, ports } = context
    const chain = plan.chains.find((candidate) => candidate.id === deployment.chain)
    if (!chain) throw new MillraceError('CHAIN_UNKNOWN', `the plan has no chain ${deployment.chain}`)
    this.#chain = chain
    this.#badRecords = new BadRecords(policyOf(plan, chain), this.#counters, ports, deployment.baseDir)
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
    const input = { schema: this.#inputSchema(), rowClass: compileRowClass(this.#inputSchema()) }
    const exchange = this.#exchangeStage()
    const sinks = await this.#openSinks()
    const chain = compileOperatorChain({
      operators: source.verb.kind === 'source' ? this.#chain.operators.slice(1) : this.#chain.operators,
      input, end: exchange, sinks, maxParallelism: plan.maxParallelism, clock: ports.clock,
      onError: (error, row, operatorId) => { this.#badRecords.onRow(error, row, operatorId) },
      onLate: (count) => { this.#counters.lateRecords += count },
      onOut: (count) => { this.#counters.recordsOut += count },
    })
    const range = keyGroupsOfSlot(deployment.slot, plan.maxParallelism, this.#chain.parallelism)
    for (const [operator, files] of Object.entries(deployment.restore.state)) {
      for (const file of files) {
        for (const [group, bytes] of await readStateFile(store, file, range)) chain.windows.get(operator)?.table.restore(group, bytes)
        this.#checkCurrent()
      }
    }
    const inputOf = source.verb.kind === 'source'
      ? await this.#sourceInput(source, source.verb, input.rowClass) : await this.#gateInput(input)
    return new Subtask({
      id: subtaskId(deployment.chain, deployment.slot), attempt: deployment.attempt, input: inputOf, chain, exchange, sinks,
      store, clock: ports.clock, signal: this.#signal, counters: this.#counters, events,
    })
  }

  /** A union's inputs have equal schemas, so that of the first stands for all. */
  #inputSchema(): Schema {
    const first = this.#chain.operators[0] as OperatorNode
    if (first.verb.kind === 'source') return first.schema
    const exchange = this.#inputs()[0] as Exchange
    return producerOf(this.#context.plan, exchange).schema
  }

  #inputs(): Exchange[] {
    return this.#context.plan.exchanges.filter((exchange) => exchange.consumer.chain === this.#chain.id)
  }

  #exchangeStage(): ExchangeStage | undefined {
    const { plan, deployment, channels, ports } = this.#context
    const outputs = plan.exchanges.filter((exchange) => exchange.producer.chain === this.#chain.id)
    if (outputs.length === 0) return undefined
    const channelWriters = new Map<string, ChannelWriter[]>()
    const stage: ExchangeStage = new ExchangeStage(outputs.map((exchange) => {
      const consumers = chainOf(plan, exchange.consumer.chain).parallelism
      const writers = Array.from({ length: consumers }, (_, slot) =>
        new ChannelWriter(`${exchange.id} ${deployment.slot}→${slot}`, () => { stage.wake(); this.#signal.raise() }))
      channelWriters.set(exchange.id, exchange.partitioning.kind === 'forward' ? sparse(writers, deployment.slot) : writers)
      const producer = producerOf(plan, exchange)
      // Encoding reads fields by name, so any class of the schema will do; decoding is the consumer's.
      const codec = compileBatchCodec(producer.schema, compileRowClass(producer.schema))
      return exchange.partitioning.kind === 'forward'
        ? new RecordWriter([writers[deployment.slot] as ChannelWriter], codec, { kind: 'one', channel: 0 }, ports.clock)
        : new RecordWriter(writers, codec, this.#routing(exchange), ports.clock)
    }), (count) => { this.#counters.recordsOut += count })
    channels.offer({
      jobUid: deployment.jobUid, attempt: deployment.attempt,
      find: (exchange, producerSlot, consumerSlot) =>
        producerSlot === deployment.slot ? channelWriters.get(exchange)?.[consumerSlot] : undefined,
    })
    this.#opened.push(() => { for (const writer of stage.writers) writer.close() })
    return stage
  }

  #routing(exchange: Exchange): Routing {
    const { plan } = this.#context
    switch (exchange.partitioning.kind) {
      case 'forward': return { kind: 'one', channel: this.#context.deployment.slot }
      case 'rebalance': return { kind: 'roundRobin' }
      case 'hash': {
        const consumer = operatorOf(plan, exchange.consumer.operator)
        const keys = keyFields(producerOf(plan, exchange).schema, consumer)
        return { kind: 'hash', grouper: compileKeyGrouper(keys, plan.maxParallelism), maxParallelism: plan.maxParallelism }
      }
    }
  }

  async #openSinks(): Promise<Map<string, SinkWriter>> {
    const { deployment, connectors, ports } = this.#context
    const sinks = new Map<string, SinkWriter>()
    for (const operator of this.#chain.operators) {
      if (operator.verb.kind !== 'sink') continue
      const writer = sinkConnector(connectors, operator.verb.connector).writer({
        jobUid: deployment.jobUid, operatorId: operator.id, slot: deployment.slot, attempt: deployment.attempt,
        schema: operator.schema, options: operator.verb.options, ports, baseDir: deployment.baseDir,
        reportTrouble: (error) => { this.#counters.trouble = error ? errorReport(error) : null },
      })
      this.#opened.push(() => writer.close())
      await writer.open(isPlanted('noRecommit') ? [] : deployment.restore.committables[operator.id] ?? [])
      this.#checkCurrent()
      sinks.set(operator.id, writer)
    }
    return sinks
  }

  async #sourceInput(operator: OperatorNode, verb: SourceVerb, rowClass: RowClass): Promise<Input> {
    const { deployment, connectors, ports } = this.#context
    const reader = sourceConnector(connectors, verb.connector).reader({
      operatorId: operator.id, verb, schema: operator.schema, ports, baseDir: deployment.baseDir,
      slot: deployment.slot, parallelism: this.#chain.parallelism,
      onBadRecord: (error, where, raw) => { this.#badRecords.onRaw(error, where, raw) },
      reportTrouble: (error) => { this.#counters.trouble = error ? errorReport(error) : null },
    }, rowClass)
    this.#opened.push(() => reader.close())
    const splits = deployment.restore.splits[operator.id] ?? []
    await reader.open(splits)
    this.#checkCurrent()
    return new SourceInput({
      operatorId: operator.id, reader, splits,
      eventTime: verb.eventTime && {
        max: compileMaxEventTime(eventTimeField(operator, verb.eventTime.field)), outOfOrdernessMs: verb.eventTime.outOfOrdernessMs,
      },
    })
  }

  async #gateInput(input: { schema: Schema; rowClass: RowClass }): Promise<Input> {
    const wanted = this.#inputs().flatMap((exchange) => this.#channelsOf(exchange))
    const gate = new InputGate(wanted.length, () => { this.#signal.raise() })
    this.#opened.push(() => { gate.close() })
    const connections = await Promise.all(wanted.map((channel) => this.#connect(channel)))
    this.#checkCurrent()
    connections.forEach((connection, index) => { gate.add((wanted[index] as WantedChannel).exchange.id, connection) })
    return new GateInput(gate, compileBatchCodec(input.schema, input.rowClass))
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

function operatorOf(plan: ExecutionPlan, id: string): OperatorNode {
  const operator = plan.chains.flatMap((chain) => chain.operators).find((candidate) => candidate.id === id)
  if (!operator) throw new MillraceError('OPERATOR_UNKNOWN', `the plan has no operator ${id}`)
  return operator
}

function producerOf(plan: ExecutionPlan, exchange: Exchange): OperatorNode {
  return operatorOf(plan, exchange.producer.operator)
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
