import { rankFields, type LoopCode, type RankBy, type RankLoop } from '../../codegen/records/record-loops.ts'
import type { RecordLoop } from '../../codegen/records/record-loops.ts'
import { compileRowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import type { StateKey } from '../../memory/state-key.ts'
import type { LogStateStore } from '../../state/log-state-store.ts'
import type { TableShape } from '../../state/state-store.ts'
import { rankedList, RankedLists, ranksTexts } from './ranked-lists.ts'

const SLOT: Field = { name: 'slot', type: 'long', nullable: false }

/** Rankings that are kept until they are final. */
export interface FinalRanking {
  /** False when the row does not enter. */
  offer(group: number, key: StateKey, row: Row): boolean
  /** The rows from the best on, which are forgotten. */
  take(group: number, key: StateKey): Row[]
}

/** The tables that a ranking needs, the loops of them, and how it comes of a store that has them. */
export interface FinalRankingShape {
  readonly tables: Readonly<Record<string, TableShape>>
  readonly loops: Readonly<Record<string, RecordLoop>>
  readonly open: (store: LogStateStore) => FinalRanking
}

interface RankingParts {
  readonly operatorId: string
  readonly key: readonly Field[]
  readonly schema: Schema
  readonly by: readonly RankBy[]
  readonly limit: number
}

export function finalRanking(parts: RankingParts): FinalRankingShape {
  const { schema, by, limit } = parts
  if (!ranksTexts(by)) return placedRanking(parts)
  return {
    tables: { ranked: rankedList({ schema }) },
    loops: {},
    open: (store) => {
      const rankings = new RankedLists(store.list('ranked'), by, limit)
      return {
        offer: (group, key, row) => rankings.offer(group, key, row) !== undefined,
        take: (group, key) => rankings.take(group, key),
      }
    },
  }
}

/** By numbers: one record of a key decides, and the rows stand beside it. */
function placedRanking({ operatorId, key, schema, by, limit }: RankingParts): FinalRankingShape {
  const loop: RankLoop = { kind: 'rank', by, count: limit, slots: true }
  return {
    tables: {
      places: {
        kind: 'value',
        schema: { fields: [...key, ...rankFields(loop)] },
        keyIn: key.map(({ name }) => name),
      },
      rows: { kind: 'map', userKey: [SLOT], schema, rowClass: compileRowClass(schema) },
    },
    loops: { places: loop },
    open: (store) => {
      const [places, rows] = [store.records('places'), store.map('rows')]
      const code = places.code.loop as LoopCode
      return {
        offer: (group, rowKey, row) => {
          const place = code.offer(places.groupAt(group), row, 0, 0)
          if (place >= 0) rows.set(group, rowKey, code.slot(place), row)
          return place >= 0
        },
        take: (group, rowKey) => {
          code.select(places.find(group, rowKey))
          const slots = Array.from({ length: code.ranked() }, (_, place) => code.slot(place))
          const ranked = slots.map((slot, place) => {
            const row = rows.get(group, rowKey, slot)
            if (row !== undefined) return row
            throw new MillraceError(
              'STATE_CORRUPT',
              `topN ${operatorId}: the row at rank ${place + 1} of a key is gone`,
            )
          })
          places.remove(group, rowKey)
          rows.clear(group, rowKey)
          return ranked
        },
      }
    },
  }
}
