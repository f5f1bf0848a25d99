import { MillraceError } from '../../model/errors.ts'
import type { StreamState } from './client.ts'
import type { StreamPosition } from './split-position.ts'

/** Throws where the sequences of a checkpoint are not those of the stream as it is now. */
export function checkSameStream({ name, created, last }: StreamState, position: StreamPosition): void {
  if (created !== position.created)
    throw new MillraceError(
      'NATS_STREAM_REPLACED',
      `the stream ${name} was deleted and made again: the job has read one of ${position.created}, this one is of ${created}`,
      {
        domain: 'dependency',
        hint: 'Read the new stream under another operator id or in a new job; messages that the old one still had are lost.',
      },
    )
  if (position.next <= last + 1) return
  throw new MillraceError(
    'NATS_STREAM_SHRUNK',
    `the stream ${name} ends with sequence ${last}, and the job has read up to ${position.next - 1}`,
    {
      domain: 'dependency',
      hint: 'Its servers have lost messages, or it was restored from a backup. Restore an older savepoint, or start without state.',
    },
  )
}

export function messagesRemoved({ name, first, last }: StreamState, next: number): MillraceError {
  return new MillraceError(
    'NATS_MESSAGES_REMOVED',
    `the stream ${name} no longer has sequence ${next}; it holds ${first} to ${last}`,
    {
      domain: 'dependency',
      hint: 'Messages were removed before they were read (max_age, max_msgs, max_bytes or a purge). Restore a savepoint within the range, or start without state.',
    },
  )
}
