import type { RankBy } from '../../codegen/records/record-loops.ts'
import { rankedBy, type TopNVerb } from '../../graph/verbs/top-n.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldOf, type Row, type Schema } from '../../model/schema.ts'
import type { OperatorContext } from '../operator-context.ts'
import { refuseUnordered } from '../order-field.ts'

/** The fields of the input that its rows are ranked by. */
export function rankByOf(verb: TopNVerb, schema: Schema, operatorId: string): RankBy[] {
  return rankedBy(verb).map(({ by, order }) => {
    const field = fieldOf(schema, by)
    if (field === undefined) throw new MillraceError('INPUT_MISSING', `topN ${operatorId} has no input with ${by}`)
    return { field, order }
  })
}

/** Reports rows that have a null where they are ranked, closes the gaps, and returns how many are left. */
export function refuseUnranked(
  rows: Row[],
  count: number,
  by: readonly RankBy[],
  { node, onError }: Pick<OperatorContext, 'node' | 'onError'>,
): number {
  return by.reduce(
    (left, { field }) => (field.nullable ? refuseUnordered(rows, left, field.name, node.id, onError) : left),
    count,
  )
}
