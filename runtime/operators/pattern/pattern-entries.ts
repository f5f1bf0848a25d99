import { compilePattern } from '../../codegen/pattern-code.ts'
import type { Cell } from '../../codegen/pattern-view.ts'
import { compileRowClass } from '../../codegen/rows/row.ts'
import { fieldsOf, type Row, type Schema } from '../../model/schema.ts'
import type { PatternVerb } from '../../plan/pattern-verb.ts'
import type { StateEntry } from '../../state/state-entries.ts'
import { compileAutomaton } from './pattern-automaton.ts'
import { PatternSnapshots } from './pattern-snapshot.ts'
import { shapeOf } from './pattern-stage.ts'

/**
 * What a block of a pattern keeps: `waiting` rows that no watermark has passed yet, and the rows of each partial match
 * (`run 1`, …) and of each match that waits for its time (`match 1`, …), with the step that took them.
 */
export function patternEntries(verb: PatternVerb, node: { keyBy?: readonly string[]; schema: Schema }, input: Schema, block: Uint8Array): StateEntry[] {
  const keyBy = node.keyBy ?? []
  const code = compilePattern(verb, { schema: input, outputRowClass: compileRowClass(node.schema), timedOutRowClass: compileRowClass({ fields: verb.timedOut.map(({ field }) => field) }) })
  const { states } = compileAutomaton(verb.steps, code)
  const snapshots = new PatternSnapshots({ schema: input, rowClass: compileRowClass(input) }, states, shapeOf(verb, keyBy, input))
  const entry = (table: string, row: Row, time: number, note?: string): StateEntry =>
    ({ table, key: { fields: fieldsOf(input, keyBy), row }, value: { fields: input.fields, row }, time, ...(note === undefined ? {} : { note }) })
  const chain = (table: string, end: Cell): StateEntry[] => {
    const cells: Cell[] = []
    for (let cell: Cell | null = end; cell !== null; cell = cell.prev) cells.unshift(cell)
    return cells.map(({ row, time, step }) => entry(table, row, time, `step ${verb.steps[step]?.name ?? step}`))
  }
  return snapshots.read(block).keys.flatMap(({ waitingRows, runs, waiting }) => [
    ...waitingRows.map(({ row, time }) => entry('waiting', row, time)),
    ...runs.flatMap(({ cell }, index) => chain(`run ${index + 1}`, cell)),
    ...waiting.flatMap((cell, index) => chain(`match ${index + 1}`, cell)),
  ])
}
