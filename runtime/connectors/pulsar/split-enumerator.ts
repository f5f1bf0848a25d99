import type { Attempt } from '../../model/ids.ts'
import { retrying } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import type { SourceContext, Split, SplitEnumerator } from '../source.ts'
import { openClient } from './access.ts'
import type { PulsarClient } from './client.ts'
import type { PulsarSourceOptions } from './declaration.ts'
import { partitionTopic } from './declared/topic-option.ts'
import { asMillraceError } from './errors.ts'
import { pulsarRetryPolicy } from './retry-policy.ts'
import { decodePosition, encodePosition, type SplitEnd, type SplitPosition } from './split-position.ts'
import { closeConsumer, holdBacklog, lastMessage, seekToStart, unsubscribe } from './subscriptions.ts'
import type { PulsarTransport } from './transport.ts'

/** Below the 15 s within which a user hears of a wrong address. */
const PATIENCE_MS = 8000

/**
 * One split for each partition, or for a single topic, with the message to start behind already looked up: `latest`
 * means the start of the job, not the moment in which some reader first gets to it. From its first start on a durable
 * subscription of each makes Pulsar keep what is not read.
 */
export class PulsarSplitEnumerator implements SplitEnumerator {
  readonly #context: SourceContext
  readonly #options: PulsarSourceOptions
  readonly #transport: PulsarTransport
  readonly #closing = new AbortController()
  #client: PulsarClient | undefined

  constructor(context: SourceContext, options: PulsarSourceOptions, transport: PulsarTransport) {
    this.#context = context
    this.#options = options
    this.#transport = transport
  }

  async discover(known: readonly Split[], _parallelism: number, attempt?: Attempt): Promise<Split[]> {
    const { ports } = this.#context
    const client = (this.#client ??= await openClient(this.#transport, this.#options, ports))
    const trouble = new TroubleReporter(ports.clock, this.#context)
    const environment = {
      clock: ports.clock,
      rng: ports.rng,
      trouble,
      policy: pulsarRetryPolicy(client.serviceUrl),
      signal: this.#closing.signal,
    }
    try {
      return await retrying(environment, 'looking up partitions', PATIENCE_MS, () => this.#look(client, known, attempt))
    } catch (error) {
      throw asMillraceError('looking up partitions', client.serviceUrl, error)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#client?.close()
  }

  async #look(client: PulsarClient, known: readonly Split[], attempt: Attempt | undefined): Promise<Split[]> {
    for (const split of known) decodePosition(split)
    if (this.#options.bounded && known.length > 0) return [...known]
    const ids = new Set(known.map(({ id }) => id))
    const topics = await this.#partitionTopics(client)
    // one after the other: jobs with hundreds of partitions would flood the brokers
    const fresh: Split[] = []
    for (const topic of topics.filter((one) => !ids.has(one)))
      fresh.push(await this.#firstSplit(client, topic, known.length === 0 ? 'first start' : 'added', attempt))
    return [...known, ...fresh]
  }

  async #partitionTopics(client: PulsarClient): Promise<string[]> {
    const found: string[] = []
    for (const topic of this.#options.topics) {
      const count = await client.partitions(topic)
      if (count === 0) found.push(topic)
      else for (let index = 0; index < count; index++) found.push(partitionTopic(topic, index))
    }
    return found
  }

  /**
   * A partition that was added is read from its beginning whatever startFrom says. Without an attempt nobody reads, and
   * what is looked up leaves nothing behind.
   */
  async #firstSplit(
    client: PulsarClient,
    topic: string,
    when: 'first start' | 'added',
    attempt: Attempt | undefined,
  ): Promise<Split> {
    const { bounded, startFrom } = this.#options
    const startsAtEnd = when === 'first start' && startFrom.kind === 'latest'
    const subscription = this.#subscriptionFor(attempt)
    const connection = await client.serving(topic)
    const hold = async (): Promise<number> => {
      const consumerId = client.nextId()
      await holdBacklog(connection, { topic, subscription, consumerId }, startsAtEnd ? 'latest' : 'earliest')
      return consumerId
    }
    let consumerId = await hold()
    try {
      // an earlier job of that name may have left it behind what this one is going to read
      if (attempt !== undefined && !startsAtEnd) {
        await seekToStart(connection, consumerId)
        consumerId = await hold()
      }
      const last = await lastMessage(connection, consumerId)
      if (attempt === undefined) await unsubscribe(connection, consumerId)
      const position = this.#firstPosition(when, last)
      const isEmpty = bounded && last === undefined
      return { id: topic, position: encodePosition(position, bounded ? last : undefined), finished: isEmpty }
    } finally {
      closeConsumer(connection, consumerId)
    }
  }

  #subscriptionFor(attempt: Attempt | undefined): string {
    const { job, operatorId, ports } = this.#context
    const name = subscriptionOf(this.#options, job, operatorId)
    return attempt === undefined ? `${name}-look-${ports.rng.id()}` : name
  }

  #firstPosition(when: 'first start' | 'added', last: SplitEnd | undefined): SplitPosition {
    const { startFrom } = this.#options
    if (when === 'added' || startFrom.kind === 'earliest') return { kind: 'earliest' }
    if (startFrom.kind === 'timestamp') return { kind: 'since', time: startFrom.time }
    return last === undefined ? { kind: 'earliest' } : { kind: 'behind', ledger: last.ledger, entry: last.entry }
  }
}

/** The durable subscription of a source. */
export function subscriptionOf({ subscription }: PulsarSourceOptions, job: string, operatorId: string): string {
  return subscription ?? `millrace.${job}.${operatorId}`
}
