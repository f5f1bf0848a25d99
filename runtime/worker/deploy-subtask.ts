import { memberOf } from '../model/fields.ts'
import { compileBatchCodec } from '../codegen/rows/codec.ts'
import type { MaxEventTime } from '../codegen/contracts.ts'
import { generatedFor } from '../codegen/emitter.ts'
import { compileMaxEventTime } from '../codegen/max-event-time.ts'
import { compileRowClass } from '../codegen/rows/row.ts'
import type { DeadLetters } from '../connectors/dead-letters.ts'
import type { Connectors } from '../connectors/registry.ts'
import type { Deployment } from '../control/messages.ts'
import type { ChannelServer } from '../exchange/channel-server.ts'
import { encodeFrame } from '../exchange/frame.ts'
import { InputGate } from '../exchange/input-gate.ts'
import { canonicalJson } from '../model/canonical-json.ts'
import { MillraceError } from '../model/errors.ts'
import { subtaskId } from '../model/ids.ts'
import { type Field, fieldOf } from '../model/schema.ts'
import { isoDate } from '../model/timestamp-text.ts'
import type { StreamCode } from '../operators/operator-context.ts'
import { chainOf, type Exchange } from '../plan/execution-plan.ts'
import { effectiveErrorPolicy } from '../plan/effective-error-policy.ts'
import type { ErrorPolicy } from '../graph/verbs/kit/error-policy.ts'
import type { SourceVerb } from '../graph/verbs/source.ts'
import type { OperatorNode } from '../graph/job-graph.ts'
import type { Connection } from '../ports/net.ts'
import type { Ports } from '../ports/ports.ts'
import type { Store } from '../ports/store.ts'
import { BadRecords, type ErrorHandling } from '../task/bad-records.ts'
import { type ExchangeReader, GateInput } from '../task/gate-input.ts'
import type { Input } from '../task/input.ts'
import { SourceInput } from '../task/source-input.ts'
import type { ExchangeStage } from '../task/stage.ts'
import { Subtask, type SubtaskEvents } from '../task/subtask.ts'
import { type CompiledSubtask, exchangesInto, firstOf } from './compiled-subtask.ts'
import type { RestoredSubtask } from './subtask-state.ts'
import type { SinkWriter } from '../connectors/sink.ts'
import { systemReports, troubleOf } from './system-reports.ts'

export interface DeployContext {
  deployment: Deployment
  /** The job's name. */
  job: string
  /** As in ReaderContext. */
  host: string
  /** The job's, for the workers that this one reads from. */
  token: string
  ports: Ports
  connectors: Connectors
  store: Store
  channels: ChannelServer
  events: SubtaskEvents
  /** Throws ATTEMPT_SUPERSEDED once a newer attempt has come: the deployment must then be abandoned. */
  checkCurrent(): void
}

/**
 * The last stage: makes a running subtask of a restored one. Offers its channels, opens its sinks (which commit
 * what the checkpoint holds and fence older writers), then connects to its inputs. Only for an attempt for which
 * this worker has been fenced. Rejects with ATTEMPT_SUPERSEDED when a newer attempt came meanwhile; everything is
 * closed then.
 */
export async function deploySubtask({ compiled }: RestoredSubtask, context: DeployContext): Promise<Subtask> {
  const deployer = new Deployer(compiled, context)
  try {
    return await deployer.deploy()
  } catch (error) {
    await deployer.close()
    await compiled.discard()
    throw error
  }
}

class Deployer {
  readonly #compiled: CompiledSubtask
  readonly #context: DeployContext
  /** What was opened for this attempt; the running subtask closes it. */
  readonly #opened: (() => Promise<void> | void)[] = []

  constructor(compiled: CompiledSubtask, context: DeployContext) {
    this.#compiled = compiled
    this.#context = context
  }

  async close(): Promise<void> {
    for (const close of this.#opened.splice(0).reverse()) await close()
  }

  async deploy(): Promise<Subtask> {
    const {
      deployment: { attempt, inlineStateBytes },
      ports,
      store,
      events,
    } = this.#context
    const { chain, slot, outlets, mailbox, stopping, signal, counters, time, tallies, metrics, operators } =
      this.#compiled
    const { ends } = this.#compiled.exchanges
    const source = firstOf(chain)
    this.#offerChannels()
    const badRecords = await this.#openBadRecords()
    const sinks = await this.#openSinks()
    outlets.connect({ sinks, badRecords })
    const input =
      source.verb.kind === 'source' ? await this.#sourceInput(source, source.verb, badRecords) : await this.#gateInput()
    return new Subtask({
      id: subtaskId(chain.id, slot),
      attempt,
      input,
      chain: operators,
      sinks,
      exchanges: [...ends.values()],
      sideEnds: [...ends].flatMap(([name, end]) => (name === 'main' ? [] : [end])),
      sourceSides: sidesOf(source, ends),
      mailbox,
      badRecords,
      stopping,
      store,
      clock: ports.clock,
      signal,
      counters,
      time,
      tallies,
      metrics,
      events,
      inlineStateBytes,
    })
  }

  #offerChannels(): void {
    const {
      deployment: { jobUid, attempt },
      channels,
    } = this.#context
    const {
      slot,
      exchanges: { ends, channels: writers },
    } = this.#compiled
    if (ends.size === 0) return
    channels.offer({
      jobUid,
      attempt,
      find: (exchange, producerSlot, consumerSlot) =>
        producerSlot === slot ? writers.get(exchange)?.[consumerSlot] : undefined,
    })
  }

  async #openBadRecords(): Promise<BadRecords> {
    const { plan, chain, counters, tallies } = this.#compiled
    const handling = new Map<string, ErrorHandling>()
    /** Operators of equal policies write the same dead letters. */
    const opened = new Map<string, DeadLetters>()
    for (const operator of chain.operators) {
      const policy = effectiveErrorPolicy(plan, chain, operator)
      const name = canonicalJson(policy)
      const deadLetters =
        policy.kind === 'deadLetter' ? (opened.get(name) ?? (await this.#openDeadLetters(policy))) : undefined
      if (deadLetters !== undefined) opened.set(name, deadLetters)
      handling.set(operator.id, { policy, deadLetters })
    }
    return new BadRecords({ handling, counters, tallies, logger: this.#context.ports.logger })
  }

  async #openDeadLetters({ connector, options }: ErrorPolicy & { kind: 'deadLetter' }): Promise<DeadLetters> {
    const { deployment, ports, connectors, checkCurrent } = this.#context
    const sink = await connectors.deadLetterSink(connector, options)
    checkCurrent()
    const deadLetters = await sink.open({
      slot: deployment.slot,
      ports,
      baseDir: deployment.baseDir,
      stopping: this.#compiled.stopping.signal,
      reportTrouble: troubleOf(this.#compiled.counters),
    })
    this.#opened.push(() => deadLetters.close())
    checkCurrent()
    return deadLetters
  }

  async #openSinks(): Promise<Map<string, SinkWriter>> {
    const { deployment, connectors, ports, checkCurrent } = this.#context
    const { chain, passed, stopping, counters, metrics } = this.#compiled
    const sinks = new Map<string, SinkWriter>()
    for (const operator of chain.operators) {
      if (operator.verb.kind !== 'sink') continue
      const connector = await connectors.sink(operator.verb.connector, operator.verb.options)
      checkCurrent()
      const writer = connector.writer({
        jobUid: deployment.jobUid,
        predecessors: deployment.predecessors,
        operatorId: operator.id,
        slot: deployment.slot,
        attempt: deployment.attempt,
        schema: operator.schema,
        ports,
        baseDir: deployment.baseDir,
        stopping: stopping.signal,
        ...systemReports(counters, metrics, operator.id),
        ...(passed === undefined ? {} : { passed }),
      })
      this.#opened.push(() => writer.close())
      const { committables, sinkNotes } = deployment.restore
      const recovered = memberOf(committables, operator.id) ?? []
      if (recovered.length > 0 && writer.commit === undefined) throw neverCommitted(operator.id)
      await writer.open(recovered, memberOf(sinkNotes, operator.id) ?? [])
      checkCurrent()
      sinks.set(operator.id, writer)
    }
    return sinks
  }

  async #sourceInput(operator: OperatorNode, verb: SourceVerb, badRecords: BadRecords): Promise<Input> {
    const { job, host, deployment, connectors, ports, events, checkCurrent } = this.#context
    const {
      chain,
      passed,
      counters,
      metrics,
      time,
      tallies,
      inputs: [rows],
      exchanges: { ends },
    } = this.#compiled
    const sides = [...sidesOf(operator, ends).keys()]
    const tally = tallies.of(operator.id)
    tally.derive(() => counters.recordsIn + tally.refusedCount)
    const connector = await connectors.source(verb.connector, verb.options)
    checkCurrent()
    const reader = connector.reader(
      {
        job,
        operatorId: operator.id,
        verb,
        schema: operator.schema,
        ports,
        baseDir: deployment.baseDir,
        slot: deployment.slot,
        parallelism: chain.parallelism,
        host,
        idle: (until) => time.during('idle', until),
        sides: Object.fromEntries(
          sides.flatMap((name) => {
            const side = memberOf(operator.sideOutputs ?? {}, name)
            return side === undefined ? [] : [[name, compileRowClass(side)]]
          }),
        ),
        onBadRecord: (error, where, raw) => {
          badRecords.onRaw(operator.id, error, where, raw)
        },
        ...systemReports(counters, metrics, operator.id),
        ...(passed === undefined ? {} : { passed }),
      },
      (rows as StreamCode).rowClass,
    )
    this.#opened.push(() => reader.close())
    const splits = memberOf(deployment.restore.splits, operator.id) ?? []
    await reader.open(splits)
    checkCurrent()
    return new SourceInput({
      operatorId: operator.id,
      reader,
      splits,
      eventTime: verb.eventTime && {
        max: maxEventTime(operator, verb.eventTime.field),
        outOfOrdernessMs: verb.eventTime.outOfOrdernessMs,
        ...(verb.eventTime.idleAfterMs === undefined ? {} : { idleAfterMs: verb.eventTime.idleAfterMs }),
      },
      ...(verb.eventTime?.align === undefined
        ? {}
        : {
            align: {
              maxDriftMs: verb.eventTime.align.maxDriftMs,
              tell: (minimum) => {
                events.aligned(minimum)
              },
            },
          }),
      onOddTime: (time, hint) => {
        ports.logger.warn('event times are far from today', {
          operator: operator.id,
          field: verb.eventTime?.field,
          time,
          asDate: isoDate(time),
          hint,
        })
      },
      readingShare: deployment.readingShare,
      clock: ports.clock,
    })
  }

  async #gateInput(): Promise<Input> {
    const { inputs, signal, plan, chain } = this.#compiled
    const exchanges = exchangesInto(chain, plan)
    const wanted = exchanges.flatMap((exchange) => this.#channelsOf(exchange))
    const gate = new InputGate(wanted.length, () => {
      signal.raise()
    })
    this.#opened.push(() => {
      gate.close()
    })
    const connections = await Promise.all(wanted.map((channel) => this.#connect(channel)))
    this.#context.checkCurrent()
    connections.forEach((connection, index) => {
      const { exchange } = wanted[index] as WantedChannel
      gate.add(exchange.id, connection, exchange.partitioning.kind === 'broadcast' ? 'do not count' : 'count')
    })
    const readers = inputs.map(({ schema, rowClass }, input) => ({
      codec: generatedFor({ operator: firstOf(chain).id }, () => compileBatchCodec(schema, rowClass)),
      input,
    }))
    return new GateInput(
      gate,
      new Map(
        exchanges.map((exchange) => [exchange.id, readers[exchange.consumer.input] ?? (readers[0] as ExchangeReader)]),
      ),
    )
  }

  #channelsOf(exchange: Exchange): WantedChannel[] {
    const { plan, slot } = this.#compiled
    const producers = chainOf(plan, exchange.producer.chain).parallelism
    const slots =
      exchange.partitioning.kind === 'forward'
        ? [slot]
        : Array.from({ length: producers }, (_, producerSlot) => producerSlot)
    return slots.map((producerSlot) => ({ exchange, producerSlot }))
  }

  async #connect({ exchange, producerSlot }: WantedChannel): Promise<Connection> {
    const { deployment, token, ports } = this.#context
    const address = deployment.upstream[subtaskId(exchange.producer.chain, producerSlot)]
    if (!address)
      throw new MillraceError('CHANNEL_ADDRESS', `no address is known for ${exchange.producer.chain}-${producerSlot}`)
    const connection = await ports.net.connect(address)
    this.#opened.push(() => {
      connection.destroy()
    })
    connection.pause()
    connection.write(
      encodeFrame({
        kind: 'hello',
        hello: {
          token,
          jobUid: deployment.jobUid,
          attempt: deployment.attempt,
          exchange: exchange.id,
          producerSlot,
          consumerSlot: deployment.slot,
        },
      }),
    )
    return connection
  }
}

interface WantedChannel {
  exchange: Exchange
  producerSlot: number
}

/** The ends behind a source's own side outputs, by name. */
function sidesOf(source: OperatorNode, ends: ReadonlyMap<string, ExchangeStage>): Map<string, ExchangeStage> {
  return new Map(
    Object.keys(source.verb.kind === 'source' ? (source.sideOutputs ?? {}) : {}).flatMap((name) => {
      const end = ends.get(`${source.id}.${name}`)
      return end === undefined ? [] : [[name, end] as const]
    }),
  )
}

function maxEventTime(operator: OperatorNode, field: string): MaxEventTime {
  return generatedFor({ operator: operator.id }, () => compileMaxEventTime(eventTimeField(operator, field)))
}

function eventTimeField(operator: OperatorNode, name: string): Field {
  const field = fieldOf(operator.schema, name)
  if (!field)
    throw new MillraceError('UNKNOWN_FIELD', `source ${operator.id} has no field ${name} for its event time`, {
      domain: 'user',
    })
  return field
}

/** Of a checkpoint that was restored before the sink that stood there had committed it. */
function neverCommitted(operatorId: string): MillraceError {
  return new MillraceError(
    'SINK_CHANGED',
    `${operatorId} has output in the checkpoint that waits for its commit, and the sink that it is now commits nothing`,
    {
      domain: 'user',
      hint: 'put the sink and its delivery back as they were until the job has completed a checkpoint, then change them',
    },
  )
}
