import { compileKeyCodec } from '../../codegen/keys/key-codec.ts'
import type { StateKey } from '../../memory/state-key.ts'
import { compilePattern } from '../../codegen/pattern-code.ts'
import type { Cell } from '../../memory/pattern-view.ts'
import { compileRowClass } from '../../codegen/rows/row.ts'
import { fieldsOf, type Row, type Schema } from '../../model/schema.ts'
import type { PatternVerb } from '../../graph/verbs/pattern/pattern.ts'
import type { StateEntry } from '../../state/state-entries.ts'
import { compileAutomaton } from './pattern-automaton.ts'
import { PatternBlocks, type KeyState } from './pattern-block.ts'
import { rowOf } from './pattern-keys.ts'
import { shapeOf } from './pattern-stage.ts'

/**
 * What the blocks of one group of a pattern keep: `waiting` rows that no watermark has passed yet, and the rows of
 * each partial match (`run 1`, …) and of each match that waits for its time (`match 1`, …), with the step that took
 * them.
 */
export function patternEntries(
  verb: PatternVerb,
  node: { keyBy?: readonly string[]; schema: Schema },
  input: Schema,
  blocks: readonly Uint8Array[],
): StateEntry[] {
  const keyBy = node.keyBy ?? []
  const code = compilePattern(verb, {
    schema: input,
    outputRowClass: compileRowClass(node.schema),
    timedOutRowClass: compileRowClass({ fields: verb.timedOut.map(({ field }) => field) }),
  })
  const { states } = compileAutomaton(verb.steps, code)
  const fields = fieldsOf(input, keyBy)
  const reader = new PatternBlocks({
    stream: { schema: input, rowClass: compileRowClass(input) },
    states,
    shape: shapeOf(verb, keyBy, input),
    keys: fields,
  })
  const keyOf = compileKeyCodec(fields).of
  const kept = new Map<StateKey, KeyState>()
  for (const { keys, removed } of blocks.map((block) => reader.read(block))) {
    for (const key of removed) kept.delete(key)
    for (const state of keys) kept.set(keyOf(rowOf(state)), state)
  }
  const entry = (table: string, row: Row, time: number, note?: string): StateEntry => ({
    table,
    key: { fields, row },
    value: { fields: input.fields, row },
    time,
    ...(note === undefined ? {} : { note }),
  })
  const chain = (table: string, end: Cell): StateEntry[] => {
    const cells: Cell[] = []
    for (let cell: Cell | null = end; cell !== null; cell = cell.prev) cells.unshift(cell)
    return cells.map(({ row, time, step }) => entry(table, row, time, `step ${verb.steps[step]?.name ?? step}`))
  }
  return [...kept.values()].flatMap(({ waitingRows, runs, waiting }) => [
    ...waitingRows.map(({ row, time }) => entry('waiting', row, time)),
    ...runs.flatMap(({ cell }, index) => chain(`run ${index + 1}`, cell)),
    ...waiting.flatMap((cell, index) => chain(`match ${index + 1}`, cell)),
  ])
}
