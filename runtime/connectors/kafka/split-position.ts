import { isFields } from '../../model/fields.ts'
import { MillraceError } from '../../model/errors.ts'
import type { TopicPartition } from './client.ts'
import type { Json, Split } from '../source.ts'

/**
 * `next` is the offset of the first record not yet emitted; a bounded split ends before `end`. `topicId` is that of the
 * topic the offset is meant for; positions of older checkpoints have none.
 */
export interface SplitPosition {
  next: number
  end?: number
  topicId?: string
}

/** Stable for ever. Topic names hold no slash. */
export function splitId(at: TopicPartition): string {
  return `${at.topic}/${at.partition}`
}

export function partitionOf(split: Split): TopicPartition {
  const match = /^([^/]+)\/(\d+)$/.exec(split.id)
  if (match?.[1] === undefined) throw unreadable(split)
  return { topic: match[1], partition: Number(match[2]) }
}

export function positionOf(split: Split): SplitPosition {
  const { position } = split
  if (!isFields(position)) throw unreadable(split)
  const { next, end, topicId } = position
  if (
    !isOffset(next) ||
    (end !== undefined && !isOffset(end)) ||
    (topicId !== undefined && typeof topicId !== 'string')
  )
    throw unreadable(split)
  return positionAt(next, end, topicId)
}

export function positionAt(
  next: number,
  end: number | undefined,
  topicId: string | undefined,
): { next: number; end?: number; topicId?: string } {
  return { next, ...(end === undefined ? {} : { end }), ...(topicId === undefined ? {} : { topicId }) }
}

function isOffset(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function unreadable(split: Split): MillraceError {
  return new MillraceError(
    'KAFKA_SPLIT_INVALID',
    `a Kafka source can not resume from split ${JSON.stringify(split.id)} at ${JSON.stringify(split.position)}: expected topic/partition and { next }`,
  )
}
