import { generatedFor } from '../codegen/emitter.ts'
import { compileKeyGrouper } from '../codegen/keys/key-grouper.ts'
import { compileBatchCodec } from '../codegen/rows/codec.ts'
import { compileRowClass } from '../codegen/rows/row.ts'
import { ChannelWriter } from '../exchange/channel-writer.ts'
import { RecordWriter, type Routing } from '../exchange/record-writer.ts'
import { fieldsOf } from '../model/schema.ts'
import { chainOf, type Chain, type Exchange, type ExecutionPlan } from '../plan/execution-plan.ts'
import type { Clock } from '../ports/clock.ts'
import type { Signal } from '../task/signal.ts'
import { ExchangeStage } from '../task/stage.ts'
import type { TimeShares } from '../task/time-shares.ts'

/** Where rows leave a chain for other chains. */
export interface ExchangeEnds {
  /** By `main`, or by `operator.output` for side outputs. A chain that ends in a sink has no main end. */
  readonly ends: ReadonlyMap<string, ExchangeStage>
  /** By exchange, and by the consumer's slot. */
  readonly channels: ReadonlyMap<string, readonly (ChannelWriter | undefined)[]>
}

export interface ExchangeEndsParts {
  readonly plan: ExecutionPlan
  readonly chain: Chain
  readonly slot: number
  readonly clock: Clock
  readonly time: TimeShares
  /** Raised when a channel that was full takes rows again. */
  readonly signal: Signal
  onOut(count: number): void
}

/** Compiles the ends of a chain; their channels wait for consumers to connect. */
export function compileExchangeEnds(parts: ExchangeEndsParts): ExchangeEnds {
  const { plan, chain } = parts
  const outputs = Map.groupBy(
    plan.exchanges.filter((exchange) => exchange.producer.chain === chain.id),
    ({ producer: { operator, output } }) => (output === undefined ? 'main' : `${operator}.${output}`),
  )
  if (chain.operators.at(-1)?.verb.kind !== 'sink' && !outputs.has('main')) outputs.set('main', [])
  const channels = new Map<string, readonly (ChannelWriter | undefined)[]>()
  const ends = new Map([...outputs].map(([name, exchanges]) => [name, compileEnd(exchanges, parts, channels)]))
  return { ends, channels }
}

function compileEnd(
  outputs: readonly Exchange[],
  parts: ExchangeEndsParts,
  channels: Map<string, readonly (ChannelWriter | undefined)[]>,
): ExchangeStage {
  const stage: ExchangeStage = new ExchangeStage(
    outputs.map((exchange) => {
      const writers = channelsOf(exchange, parts, () => {
        stage.wake()
        parts.signal.raise()
      })
      channels.set(exchange.id, writers)
      return generatedFor({ operator: exchange.id }, () => compileWriter(exchange, parts, writers))
    }),
    parts.time,
    (count) => {
      parts.onOut(count)
    },
  )
  return stage
}

/** A forward exchange offers one channel, slot to slot; the others one to each slot of the consumer. */
function channelsOf(
  exchange: Exchange,
  { plan, slot: own }: ExchangeEndsParts,
  onRoom: () => void,
): (ChannelWriter | undefined)[] {
  const consumers = chainOf(plan, exchange.consumer.chain).parallelism
  return Array.from({ length: consumers }, (_, slot) =>
    exchange.partitioning.kind === 'forward' && slot !== own
      ? undefined
      : new ChannelWriter(`${exchange.id} ${own}→${slot}`, onRoom),
  )
}

function compileWriter(
  exchange: Exchange,
  { plan, clock }: ExchangeEndsParts,
  channels: readonly (ChannelWriter | undefined)[],
): RecordWriter {
  const { schema } = exchange
  // Encoding reads fields by name, so any class of the schema will do; the consumer has its own for decoding.
  const codec = compileBatchCodec(schema, compileRowClass(schema))
  const writers = channels.filter((channel) => channel !== undefined)
  return new RecordWriter(writers, codec, routingOf(exchange, plan.maxParallelism), clock)
}

function routingOf({ partitioning, schema }: Exchange, maxParallelism: number): Routing {
  switch (partitioning.kind) {
    case 'forward':
      return { kind: 'one', channel: 0 }
    case 'rebalance':
      return { kind: 'roundRobin' }
    case 'broadcast':
      return { kind: 'broadcast' }
    case 'hash':
      return {
        kind: 'hash',
        grouper: compileKeyGrouper(fieldsOf(schema, partitioning.keyBy), maxParallelism),
        maxParallelism,
      }
  }
}
