import { compileChainLoop, type ChainStep } from '../codegen/chain.ts'
import { compileKeyGrouper } from '../codegen/key-grouper.ts'
import type { RowErrorHandler } from '../codegen/contracts.ts'
import { compileRowClass, type RowClass } from '../codegen/row.ts'
import { compileWindowTable } from '../codegen/window-table.ts'
import type { SinkWriter } from '../connectors/sink.ts'
import { MillraceError } from '../model/errors.ts'
import { fieldOf, type Field, type Schema } from '../model/schema.ts'
import type { OperatorNode } from '../plan/job-graph.ts'
import type { Clock } from '../ports/clock.ts'
import { LoopStage, SinkStage, WindowStage, type Stage } from './stage.ts'

/** The operators of one subtask, compiled: where batches go in, and the stateful stages by operator id. */
export interface OperatorChain {
  head: Stage
  windows: ReadonlyMap<string, WindowStage>
}

export interface ChainParts {
  /** Without the source: what happens to its rows. */
  operators: readonly OperatorNode[]
  input: { schema: Schema; rowClass: RowClass }
  /** The end behind the last operator, unless that is a sink. */
  end: Stage | undefined
  sinks: ReadonlyMap<string, SinkWriter>
  maxParallelism: number
  clock: Clock
  onError: RowErrorHandler
  onLate(count: number): void
  onOut(count: number): void
}

/** Compiles a chain from its end to its head. Each call generates code of its own. */
export function compileOperatorChain(parts: ChainParts): OperatorChain {
  const streams = streamsOf(parts)
  const windows = new Map<string, WindowStage>()
  let next: Stage | undefined = parts.end
  let steps: ChainStep[] = []
  const closeLoop = (): Stage => {
    if (!next) throw new MillraceError('CHAIN_OPEN', 'a chain ends neither in a sink nor in an exchange')
    if (steps.length > 0) next = new LoopStage(compileChainLoop(steps), parts.onError, next)
    steps = []
    return next
  }
  for (let index = parts.operators.length - 1; index >= 0; index--) {
    const operator = parts.operators[index] as OperatorNode
    const input = streams[index] as { schema: Schema; rowClass: RowClass }
    const output = streams[index + 1] as { schema: Schema; rowClass: RowClass }
    switch (operator.verb.kind) {
      case 'filter': steps.unshift({ kind: 'filter', operatorId: operator.id, condition: operator.verb.condition }); break
      case 'map': steps.unshift({ kind: 'map', operatorId: operator.id, fields: operator.verb.fields, rowClass: output.rowClass }); break
      case 'keyBy': break
      case 'sink': next = new SinkStage(sinkOf(parts, operator.id), parts.onOut); break
      case 'window': {
        const keys = keyFields(input.schema, operator)
        const stage = new WindowStage({
          table: compileWindowTable({
            keys, window: operator.verb.window, aggregates: operator.verb.aggregates, inputSchema: input.schema,
            outputRowClass: output.rowClass, eventTime: operator.verb.eventTime, maxParallelism: parts.maxParallelism,
          }),
          grouper: compileKeyGrouper(keys, parts.maxParallelism),
          next: closeLoop(), clock: parts.clock, onError: parts.onError, onLate: parts.onLate,
        })
        windows.set(operator.id, stage)
        next = stage
        break
      }
      case 'source': throw new MillraceError('CHAIN_SOURCE', `source ${operator.id} stands inside a chain`)
    }
  }
  return { head: closeLoop(), windows }
}

/** Schema and row class before the first operator and after each. Filters keep both. */
function streamsOf(parts: ChainParts): { schema: Schema; rowClass: RowClass }[] {
  const streams = [parts.input]
  for (const operator of parts.operators) {
    const before = streams[streams.length - 1] as { schema: Schema; rowClass: RowClass }
    const makesRows = operator.verb.kind === 'map' || operator.verb.kind === 'window'
    streams.push(makesRows ? { schema: operator.schema, rowClass: compileRowClass(operator.schema) } : before)
  }
  return streams
}

function sinkOf(parts: ChainParts, operatorId: string): SinkWriter {
  const writer = parts.sinks.get(operatorId)
  if (!writer) throw new MillraceError('CHAIN_SINK', `sink ${operatorId} has no writer`)
  return writer
}

export function keyFields(schema: Schema, operator: OperatorNode): Field[] {
  return (operator.keyBy ?? []).map((name) => {
    const field = fieldOf(schema, name)
    if (!field) throw new MillraceError('UNKNOWN_FIELD', `operator ${operator.id} is keyed by ${name}, which its input lacks`, { domain: 'user' })
    return field
  })
}
