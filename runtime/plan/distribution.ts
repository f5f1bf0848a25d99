import type { OperatorNode } from '../graph/job-graph.ts'

/** Lists of fields by whose hash the rows of an operator already lie in the right slot. */
export type DealtBy = readonly (readonly string[])[]

/**
 * By what the rows that come out of an operator are dealt to its slots, so that whoever keys by the same needs no
 * exchange: equal values have equal hashes wherever they were hashed. `before`: the same for what comes in.
 */
export function dealtBy(operator: OperatorNode, before: DealtBy): DealtBy {
  const { verb, keyBy } = operator
  switch (verb.kind) {
    case 'keyBy':
    case 'window':
    case 'aggregate':
    case 'dedupe':
    case 'topN':
      return keyBy === undefined ? [] : [keyBy]
    case 'filter':
    case 'userFilter':
    case 'sideOutput':
      return before
    case 'map':
      return before.flatMap((fields) => passedOn(fields, undefined, verb.fields))
    case 'join': {
      const { left, right } = verb.keys
      // a row without a match on one side lies where the other side's key belongs
      return [
        ...(verb.type === 'right' || verb.type === 'full' ? [] : passedOn(left, 'left', verb.fields)),
        ...(verb.type === 'inner' || verb.type === 'right' ? passedOn(right, 'right', verb.fields) : []),
      ]
    }
    default:
      return []
  }
}

/** The names under which all of `fields` go on as they are; none when one does not. */
function passedOn(
  fields: readonly string[],
  of: 'left' | 'right' | undefined,
  selected: Extract<OperatorNode['verb'], { kind: 'map' }>['fields'],
): string[][] {
  const names = fields.map(
    (name) =>
      selected.find(({ value }) => value.kind === 'field' && value.of === of && value.name === name)?.field.name,
  )
  const known = names.filter((name) => name !== undefined)
  return known.length < fields.length ? [] : [known]
}
