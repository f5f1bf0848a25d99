import type { ConsumerEvents, PulsarConnection } from './connection.ts'
import { ACK, INITIAL_POSITION, SUBSCRIPTION } from './protocol/commands.ts'
import { encodeFrame } from './protocol/frames.ts'
import type { EntryId, SplitEnd, SplitPosition } from './split-position.ts'

/** No entry comes before this one. */
const BEFORE_ALL = { ledger: -1, entry: -1 } as const
/** Clocks of producers and brokers may differ by so much; what is read too early is left out by its time. */
const CLOCK_MARGIN_MS = 600_000

/** A subscription of one topic that is a partition or a single topic. */
interface Subscribing {
  readonly topic: string
  readonly subscription: string
  readonly consumerId: number
}

/**
 * Opens a durable subscription, or creates it at the start or end of the topic: Pulsar deletes what every subscription
 * has acknowledged, and what it keeps for this one is what no checkpoint covers. Nothing is delivered through it, so
 * that several attempts may have it open: its type is failover.
 */
export async function holdBacklog(
  connection: PulsarConnection,
  { topic, subscription, consumerId }: Subscribing,
  createAt: keyof typeof INITIAL_POSITION,
): Promise<void> {
  await connection.request((requestId) => ({
    subscribe: {
      topic,
      subscription,
      type: SUBSCRIPTION.failover,
      consumerId,
      requestId,
      isDurable: true,
      initialPosition: INITIAL_POSITION[createAt],
      createsTopic: false,
    },
  }))
}

/**
 * Moves the subscription back to the first message that there is, for all who have it open: the broker closes their
 * consumers. It is not deleted and made again: a topic without subscriptions may be deleted with all that it has
 * (`brokerDeleteInactiveTopicsEnabled`).
 */
export async function seekToStart(connection: PulsarConnection, consumerId: number): Promise<void> {
  await connection.request((requestId) => ({ seek: { consumerId, requestId, messageId: BEFORE_ALL } }))
}

/** Lets Pulsar delete everything before this entry, which it keeps. */
export function releaseBacklog(connection: PulsarConnection, consumerId: number, { ledger, entry }: EntryId): void {
  // the entry before the first of a ledger is in another one, whose entries are not known here
  if (entry === 0) return
  connection.send(
    encodeFrame({ ack: { consumerId, type: ACK.cumulative, messageIds: [{ ledger, entry: entry - 1 }] } }),
  )
}

/** Deletes a subscription that this consumer alone has open. Rejects when others have. */
export async function unsubscribe(connection: PulsarConnection, consumerId: number): Promise<void> {
  await connection.request((requestId) => ({ unsubscribe: { consumerId, requestId } }))
}

/** Best effort: the broker forgets the consumer with the connection at the latest. */
export function closeConsumer(connection: PulsarConnection, consumerId: number): void {
  if (!connection.isOpen) return
  connection.request((requestId) => ({ closeConsumer: { consumerId, requestId } })).catch(() => undefined)
}

/** The last message of the topic; undefined when there is none, or none is left. */
export async function lastMessage(connection: PulsarConnection, consumerId: number): Promise<SplitEnd | undefined> {
  const { lastMessageIdAnswer } = await connection.request((requestId) => ({
    lastMessageId: { consumerId, requestId },
  }))
  const { ledger = -1, entry = -1, batchIndex = -1 } = lastMessageIdAnswer?.messageId ?? {}
  return ledger < 0 || entry < 0 ? undefined : { ledger, entry, batchIndex }
}

/**
 * The entry behind which a reader that was just opened delivers. Undefined when the broker does not say.
 */
export async function startOfReader(connection: PulsarConnection, consumerId: number): Promise<EntryId | undefined> {
  const { lastMessageIdAnswer } = await connection.request((requestId) => ({
    lastMessageId: { consumerId, requestId },
  }))
  const { ledger, entry } = lastMessageIdAnswer?.read ?? {}
  return ledger === undefined || entry === undefined ? undefined : { ledger, entry }
}

/**
 * Opens a reader, which leaves nothing behind. From `within` on the first entry that comes is that entry itself, unless
 * Pulsar no longer has it; from `behind` on it may be that entry, too.
 */
export async function openReader(
  connection: PulsarConnection,
  { topic, subscription, consumerId }: Subscribing,
  from: SplitPosition,
  now: number,
  events: ConsumerEvents,
): Promise<() => void> {
  const forget = connection.addConsumer(consumerId, events)
  try {
    await connection.request((requestId) => ({
      subscribe: {
        topic,
        subscription,
        type: SUBSCRIPTION.exclusive,
        consumerId,
        requestId,
        isDurable: false,
        createsTopic: false,
        ...startOf(from, now),
      },
    }))
  } catch (error) {
    forget()
    throw error
  }
  return forget
}

function startOf(from: SplitPosition, now: number): { startAt: object; startSecondsAgo?: number } {
  switch (from.kind) {
    case 'earliest':
      return { startAt: BEFORE_ALL }
    case 'since':
      return {
        startAt: BEFORE_ALL,
        startSecondsAgo: Math.max(1, Math.ceil((now + CLOCK_MARGIN_MS - from.time) / 1000)),
      }
    case 'behind':
      return { startAt: { ledger: from.ledger, entry: from.entry } }
    case 'within':
      // with an index of a batch the entry itself comes first (PersistentTopic.getNonDurableSubscription)
      return { startAt: { ledger: from.ledger, entry: from.entry, batchIndex: 0 } }
  }
}
