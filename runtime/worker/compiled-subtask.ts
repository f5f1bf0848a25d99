import { memberOf } from '../model/fields.ts'
import { callsPatterns } from '../expressions/pattern-calls.ts'
import { loadPatterns } from '../memory/patterns.ts'
import { loadOperators, type Operators } from '../operators/load-operators.ts'
import { generatedFor } from '../codegen/emitter.ts'
import { PassThroughTexts } from '../memory/pass-through-texts.ts'
import { compileRowClass } from '../codegen/rows/row.ts'
import type { Connectors } from '../connectors/registry.ts'
import { blockedHandler } from '../operators/blocking.ts'
import type { StreamCode } from '../operators/operator-context.ts'
import { RecordTallies } from '../operators/record-tally.ts'
import { UserFunctions } from '../operators/user-functions.ts'
import { effectiveErrorPolicy } from '../plan/effective-error-policy.ts'
import { digestOf } from '../control/digest.ts'
import { readersText } from '../plan/readers-text.ts'
import { type Chain, chainOf, type Exchange, type ExecutionPlan } from '../plan/execution-plan.ts'
import type { OperatorNode } from '../graph/job-graph.ts'
import { definitionOf } from '../graph/verbs/all.ts'
import type { ModuleExports } from '../ports/modules.ts'
import type { Ports } from '../ports/ports.ts'
import { Mailbox } from '../task/mailbox.ts'
import { compileOperatorChain, type OperatorChain } from '../task/operator-chain.ts'
import { Signal } from '../task/signal.ts'
import { SubtaskCounters } from '../task/subtask.ts'
import { TimeShares } from '../task/time-shares.ts'
import { MetricRegistry } from '../telemetry/metric-registry.ts'
import { passThroughFields } from './pass-through-fields.ts'
import { spillOf } from './spill.ts'
import { compileExchangeEnds, type ExchangeEnds } from './exchange-ends.ts'
import { Outlets } from './outlets.ts'
import { systemReports } from './system-reports.ts'

/** Where a subtask stands, whatever the attempt. */
export interface CompileParts {
  /** The job's name, for stack traces and CPU profiles. */
  job?: string | undefined
  plan: ExecutionPlan
  chain: string
  slot: number
  baseDir: string
  ports: Ports
  connectors: Connectors
  /** Throws when the subtask is not wanted any more: called after everything that was awaited. */
  checkWanted(): void
}

/**
 * The first stage of a subtask: its chain is compiled, its state is empty, nothing leads outside. It belongs to no
 * attempt, fences nobody and is seen by nobody, so that it may come to be while the subtask that it replaces runs.
 * `SubtaskState` makes a restored subtask of it, `deploySubtask` a running one of that.
 */
export interface CompiledSubtask {
  readonly plan: ExecutionPlan
  readonly chain: Chain
  readonly slot: number
  readonly signal: Signal
  readonly counters: SubtaskCounters
  readonly time: TimeShares
  readonly tallies: RecordTallies
  readonly metrics: MetricRegistry
  /**
   * Aborted when the subtask, or its deployment, is to end: everything that waits for the outside is then
   * cancelled.
   */
  readonly stopping: AbortController
  readonly mailbox: Mailbox
  /** One per input of the first operator. The inputs of a union have equal schemas and are read as one stream. */
  readonly inputs: readonly StreamCode[]
  readonly operators: OperatorChain
  readonly exchanges: ExchangeEnds
  readonly outlets: Outlets
  readonly passed: PassThroughTexts | undefined
  /** Gives up what was compiled; nothing of it was seen outside. Also the end of a subtask whose deployment failed. */
  discard(): Promise<void>
}

/**
 * Loads connectors, operators and the user's code, and compiles the chain, so that a deployment does not wait for
 * modules. Rejects with what `checkWanted` throws.
 */
export async function compileSubtask(parts: CompileParts): Promise<CompiledSubtask> {
  const chain = chainOf(parts.plan, parts.chain)
  await parts.connectors.preload(connectorNames(parts.plan, chain))
  parts.checkWanted()
  const functions = await loadFunctions(chain, parts)
  if (callsPatterns(chain.operators)) await loadPatterns()
  const loaded = await loadOperators(chain.operators.map(({ verb }) => verb.kind))
  parts.checkWanted()
  return generatedFor({ job: parts.job }, () => compile(chain, parts, functions, loaded))
}

function compile(chain: Chain, parts: CompileParts, functions: UserFunctions, loaded: Operators): CompiledSubtask {
  const { plan, slot, ports, connectors } = parts
  const signal = new Signal()
  const counters = new SubtaskCounters()
  const metrics = new MetricRegistry()
  const time = new TimeShares(ports.clock)
  time.collectInto(metrics, firstOf(chain).id)
  counters.collectInto(metrics, firstOf(chain).id)
  const tallies = new RecordTallies()
  const stopping = new AbortController()
  const mailbox = new Mailbox(ports.clock, signal)
  const outlets = new Outlets()
  const countOut = (count: number): void => {
    counters.recordsOut += count
  }
  const inputs = inputStreams(plan, chain)
  const exchanges = compileExchangeEnds({ plan, chain, slot, clock: ports.clock, time, signal, onOut: countOut })
  const passed = exchanges.ends.size === 0 ? passThroughTexts(chain, connectors) : undefined
  const operators = compileOperatorChain({
    loaded,
    operators: firstOf(chain).verb.kind === 'source' ? chain.operators.slice(1) : chain.operators,
    inputs,
    end: exchanges.ends.get('main'),
    sideEnd: (operatorId, output) => exchanges.ends.get(`${operatorId}.${output}`),
    readersOf: (operatorId, output) => digestOf(readersText(plan, `${operatorId}.${output}`)),
    sink: (operatorId) => outlets.sink(operatorId),
    onOut: countOut,
    surroundings: {
      slot,
      parallelism: chain.parallelism,
      maxParallelism: plan.maxParallelism,
      spill: spillOf(plan, chain, ports.openScratchFile),
      clock: ports.clock,
      after: (delayMs, action) => mailbox.after(delayMs, action),
      functions,
      httpClient: ports.httpClient,
      openTable: async ({ connector, options, ...asked }) => {
        const table = await connectors.table(connector, options)
        return table.open({
          ...asked,
          ports,
          baseDir: parts.baseDir,
          stopping: stopping.signal,
          ...systemReports(counters, metrics, asked.operatorId),
        })
      },
      stopping: stopping.signal,
      onBlocked: blockedHandler(ports.logger, metrics),
      metrics,
      tallies,
      onError: (error, row, operatorId) => {
        outlets.onBadRow(error, passed?.shown(row) ?? row, operatorId)
      },
      onLate: (count) => {
        counters.lateRecords += count
      },
    },
  })
  const discard = async (): Promise<void> => {
    for (const operator of [...operators.operators.values()].reverse()) await operator.close?.()
    for (const writer of [...exchanges.ends.values()].flatMap(({ writers }) => writers)) writer.close()
    mailbox.close()
  }
  return {
    plan,
    chain,
    slot,
    signal,
    counters,
    time,
    tallies,
    metrics,
    stopping,
    mailbox,
    inputs,
    operators,
    exchanges,
    outlets,
    passed,
    discard,
  }
}

/** The source of a chain, or the operator that reads its exchanges. */
export function firstOf(chain: Chain): OperatorNode {
  return chain.operators[0] as OperatorNode
}

/** The exchanges that a chain reads. */
export function exchangesInto(chain: Chain, plan: ExecutionPlan): Exchange[] {
  return plan.exchanges.filter((exchange) => exchange.consumer.chain === chain.id)
}

function inputStreams(plan: ExecutionPlan, chain: Chain): StreamCode[] {
  const first = firstOf(chain)
  const exchanges = exchangesInto(chain, plan)
  const schemas =
    first.verb.kind === 'source'
      ? [first.schema]
      : first.from.map(
          (_, input) => (exchanges.find((exchange) => exchange.consumer.input === input) as Exchange).schema,
        )
  const isOneStream = first.distribution === undefined
  return generatedFor({ operator: first.id }, () =>
    (isOneStream ? schemas.slice(0, 1) : schemas).map((schema) => ({ schema, rowClass: compileRowClass(schema) })),
  )
}

/** Texts that go from the source to the sink of the chain as they are, where both agree on it. */
function passThroughTexts(chain: Chain, connectors: Connectors): PassThroughTexts | undefined {
  const { verb, sideOutputs } = firstOf(chain)
  const last = chain.operators.at(-1)
  if (
    verb.kind !== 'source' ||
    sideOutputs !== undefined ||
    last?.verb.kind !== 'sink' ||
    connectors.sources[verb.connector]?.passesTexts?.(verb.options) !== true
  )
    return undefined
  const fields = passThroughFields(
    chain.operators,
    connectors.sinks[last.verb.connector]?.takesTexts?.(last.verb.options, last.schema) ?? new Set(),
  )
  return fields && new PassThroughTexts(fields.source, fields.sink)
}

function connectorNames(plan: ExecutionPlan, chain: Chain): string[] {
  return chain.operators.flatMap((operator) => {
    const { verb } = operator
    const policy = effectiveErrorPolicy(plan, chain, operator)
    return [
      ...(verb.kind === 'sink' || verb.kind === 'source' ? [verb.connector] : []),
      ...(verb.kind === 'lookup' && verb.call.kind === 'table' ? [verb.call.connector] : []),
      ...(policy.kind === 'deadLetter' ? [policy.connector] : []),
    ]
  })
}

/** Only the modules that this chain calls: those of another chain may be missing here. */
async function loadFunctions(
  chain: Chain,
  { plan, baseDir, ports, checkWanted }: CompileParts,
): Promise<UserFunctions> {
  const called = chain.operators.flatMap((operator) => definitionOf(operator).functions(operator.verb))
  const loaded = new Map<string, ModuleExports>()
  for (const name of new Set(called.map(({ module }) => module))) {
    const source = memberOf(plan.modules ?? {}, name)
    if (source !== undefined) loaded.set(name, await ports.modules.load(name, source, baseDir))
    checkWanted()
  }
  return new UserFunctions(loaded)
}
