import type { ChainStep } from '../codegen/chain.ts'
import { generatedFor } from '../codegen/emitter.ts'
import { compileRowMaker } from '../codegen/rows/row-maker.ts'
import { compileRowClass } from '../codegen/rows/row.ts'
import type { SinkWriter } from '../connectors/sink.ts'
import { MillraceError } from '../model/errors.ts'
import type { Operators } from '../operators/load-operators.ts'
import { LoopStage } from '../operators/loop-stage.ts'
import type { OperatorContext, StreamCode } from '../operators/operator-context.ts'
import type { RecordTallies } from '../operators/record-tally.ts'
import type { OperatorStage, OperatorState, Stage } from '../operators/stage.ts'
import { definitionOf } from '../graph/verbs/all.ts'
import type { OperatorNode } from '../graph/job-graph.ts'
import { CountedStage, SinkStage } from './stage.ts'

/** The operators of one subtask, compiled: where batches go in, and the stages that do more than map rows. */
export interface OperatorChain {
  head: Stage
  /** By operator id, in the order of the chain. */
  operators: ReadonlyMap<string, OperatorStage>
  states: ReadonlyMap<string, OperatorState>
}

/** What every operator of a chain has in common. */
export type OperatorSurroundings = Omit<
  OperatorContext,
  'node' | 'inputs' | 'output' | 'next' | 'side' | 'readersOf'
> & {
  /** How many rows came to each operator of the subtask, and how many it refused. */
  readonly tallies: RecordTallies
}

export interface ChainParts {
  surroundings: OperatorSurroundings
  /** At least those that `operators` need. */
  loaded: Operators
  /** Without the source: what happens to its rows. */
  operators: readonly OperatorNode[]
  /** The streams that come in, in the order of the first operator's `from`. */
  inputs: readonly StreamCode[]
  /** The end behind the last operator, unless that is a sink. */
  end: Stage | undefined
  /** The end behind a side output; undefined when nobody reads it. */
  sideEnd(operatorId: string, output: string): Stage | undefined
  /** As OperatorContext.readersOf. */
  readersOf(operatorId: string, output: string): string
  /** Called when rows come: the sink is open by then. */
  sink(operatorId: string): SinkWriter
  onOut(count: number): void
}

/** Compiles a chain from its end to its head. Each call generates code of its own. */
export function compileOperatorChain(parts: ChainParts): OperatorChain {
  const streams = streamsOf(parts)
  const stages: [string, OperatorStage][] = []
  let next: Stage | undefined = parts.end
  let steps: ChainStep[] = []
  const closeLoop = (): Stage => {
    if (!next) throw new MillraceError('CHAIN_OPEN', 'a chain ends neither in a sink nor in an exchange')
    const end = next
    const loop = steps
    steps = []
    if (loop.length === 0) return end
    const operator = [...new Set(loop.map(({ operatorId }) => operatorId))].join('+')
    return (next = generatedFor({ operator }, () => new LoopStage(loop, parts.surroundings, end)))
  }
  for (let index = parts.operators.length - 1; index >= 0; index--) {
    const operator = parts.operators[index] as OperatorNode
    const { verb } = operator
    const output = streams[index + 1] as StreamCode
    if (verb.kind === 'filter') steps.unshift({ kind: 'filter', operatorId: operator.id, condition: verb.condition })
    else if (verb.kind === 'map')
      steps.unshift({ kind: 'map', operatorId: operator.id, fields: verb.fields, rowClass: output.rowClass })
    else if (verb.kind === 'userFilter')
      steps.unshift({
        kind: 'userFilter',
        operatorId: operator.id,
        call: parts.surroundings.functions.function(verb.function),
      })
    else if (verb.kind === 'userMap') {
      steps.unshift({
        kind: 'userMap',
        operatorId: operator.id,
        call: parts.surroundings.functions.function(verb.function),
        make: generatedFor({ operator: operator.id }, () => compileRowMaker(operator.schema, output.rowClass)),
      })
    } else if (verb.kind === 'sink') next = new SinkStage(() => parts.sink(operator.id), parts.onOut)
    else if (definitionOf(operator).stage !== undefined) {
      const inputs = index === 0 ? parts.inputs : [streams[index] as StreamCode]
      const behind = closeLoop()
      const stage = generatedFor({ operator: operator.id }, () =>
        parts.loaded.createStage({
          node: operator,
          inputs,
          output,
          next: behind,
          side: (name) => parts.sideEnd(operator.id, name),
          readersOf: (name) => parts.readersOf(operator.id, name),
          ...parts.surroundings,
        }),
      )
      stages.unshift([operator.id, stage])
      next = new CountedStage(stage, parts.surroundings.tallies.of(operator.id))
    } else if (verb.kind !== 'keyBy' && verb.kind !== 'union')
      throw new MillraceError('VERB_UNSUPPORTED', `${verb.kind} ${operator.id} cannot stand inside a chain`)
  }
  return {
    head: closeLoop(),
    operators: new Map(stages),
    states: new Map(stages.flatMap(([id, { state }]) => (state === undefined ? [] : [[id, state] as const]))),
  }
}

/** The stream before the first operator and after each. Operators that make no rows of their own keep the stream. */
function streamsOf(parts: ChainParts): StreamCode[] {
  const [first] = parts.inputs
  if (first === undefined) throw new MillraceError('INPUT_MISSING', 'a chain has no input')
  const streams = [first]
  for (const operator of parts.operators) {
    const before = streams[streams.length - 1] as StreamCode
    const keepsRows = ['filter', 'userFilter', 'keyBy', 'union', 'sink', 'sideOutput', 'source'].includes(
      operator.verb.kind,
    )
    streams.push(keepsRows ? before : streamOf(operator))
  }
  return streams
}

function streamOf({ id, schema }: OperatorNode): StreamCode {
  return { schema, rowClass: generatedFor({ operator: id }, () => compileRowClass(schema)) }
}
