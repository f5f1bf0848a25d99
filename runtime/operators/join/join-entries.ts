import { textAt } from '../../memory/row-texts.ts'
import { type Field, fieldsOf, type Row, type Schema } from '../../model/schema.ts'
import { fieldsKept, type JoinVerb } from '../../graph/verbs/join/join.ts'
import type { StateEntry } from '../../state/state-entries.ts'
import { type JoinBlock, readJoinBlock } from './join-block.ts'
import { MarksRead } from './join-marks.ts'
import { isKeptAsText, storageOf } from '../../model/type-traits.ts'

/**
 * The rows that the blocks of one group keep, those of the left side first. Only the fields that the join needs are
 * there.
 */
export function joinEntries(
  verb: JoinVerb,
  inputs: readonly [left: Schema, right: Schema],
  blocks: readonly Uint8Array[],
): StateEntry[] {
  const read = blocks.map(readJoinBlock)
  const isTimed = verb.extent.kind !== 'regular' || verb.extent.ttlMs !== undefined
  return (['left', 'right'] as const).flatMap((side, index): StateEntry[] => {
    const schema = inputs[index as 0 | 1]
    const kept = fieldsKept(verb, side)
    const fields = schema.fields.filter((field) => kept.has(field.name))
    const keys = fieldsOf(schema, verb.keys[side])
    const marks = new MarksRead()
    for (const block of read) if (block.header.marks?.side === index) marks.add(block)
    return read
      .flatMap((block) => readRecords(fields, block, block.sides[index as 0 | 1]))
      .map(({ row, time, isMatched }, place) => ({
        table: side,
        key: { fields: keys, row },
        value: { fields, row },
        ...(isTimed ? { time } : {}),
        ...(isMatched || marks.has(place) ? { note: 'has had a match' } : {}),
      }))
  })
}

/** The records of words [from, to), as emitRecords of codegen/rows/row-log.ts says they lie. */
function readRecords(
  fields: readonly Field[],
  { ints, doubles, bytes }: JoinBlock,
  [from, to]: readonly [number, number],
): { row: Row; time: number; isMatched: boolean }[] {
  const records: { row: Row; time: number; isMatched: boolean }[] = []
  for (let at = from; at < to; ) {
    let double = at >> 1
    const time = doubles[double++] ?? 0
    const values = new Map<string, unknown>()
    for (const field of fields) {
      if (isKeptAsText(field) || storageOf(field) === 'bit') continue
      const number = doubles[double++] ?? NaN
      values.set(field.name, Number.isNaN(number) ? null : number)
    }
    let word = double * 2
    const flags = ints[word++] ?? 0
    const textBytes = ints[word++] ?? 0
    const lengths = fields
      .filter((field) => isKeptAsText(field) || storageOf(field) === 'bit')
      .map((field) => [field, ints[word++] ?? 0] as const)
    const text = textBytes === 0 ? '' : textAt(bytes, word * 4, textBytes, flags >> 1)
    let start = 0
    for (const [field, length] of lengths) {
      if (storageOf(field) === 'bit') {
        values.set(field.name, length === 2 ? null : length === 1)
        continue
      }
      const part = text.slice(start, start + Math.max(0, length))
      start += part.length
      values.set(field.name, length < 0 ? null : storageOf(field) === 'json' ? (JSON.parse(part) as unknown) : part)
    }
    records.push({ row: Object.fromEntries(values) as Row, time, isMatched: (flags & 1) === 1 })
    at = (word + ((textBytes + 3) >> 2) + 1) & ~1
  }
  return records
}
