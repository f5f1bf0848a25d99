import type { KafkaClient, KafkaConnect, KafkaTopic, TopicPartition } from './client.ts'
import { EARLIEST, KafkaBrokerError, LATEST } from './client.ts'
import type { SourceContext, Split, SplitEnumerator } from '../source.ts'
import { clientOptions } from './client-options.ts'
import { KAFKA_ERROR } from './error-codes.ts'
import { asMillraceError, noTopicMatches, refused, topicReplaced, topicUnknown } from './errors.ts'
import type { KafkaSourceOptions } from './declaration.ts'
import { loadPatterns, matchesPattern } from '../../memory/patterns.ts'
import { retrying } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import { kafkaRetryPolicy } from './retry-policy.ts'
import { partitionOf, positionAt, positionOf, splitId } from './split-position.ts'

/** Below the 15 s within which a user hears of a wrong address. */
const PATIENCE_MS = 8000

/** One split per partition, with the offset to start from already looked up: `latest` means the start of the job,
 *  not the moment in which some reader first gets to it. */
export class KafkaSplitEnumerator implements SplitEnumerator {
  readonly #context: SourceContext
  readonly #options: KafkaSourceOptions
  readonly #connect: KafkaConnect
  #client: KafkaClient | undefined
  readonly #closing = new AbortController()

  constructor(context: SourceContext, options: KafkaSourceOptions, connect: KafkaConnect) {
    this.#context = context
    this.#options = options
    this.#connect = connect
  }

  async discover(known: readonly Split[]): Promise<Split[]> {
    const { ports } = this.#context
    const { brokers, security } = this.#options
    const client = (this.#client ??= this.#connect(
      await clientOptions(brokers, security, `millrace-${this.#context.operatorId}`, ports),
    ))
    const trouble = new TroubleReporter(ports.clock, this.#context)
    try {
      return await retrying(
        {
          clock: ports.clock,
          rng: ports.rng,
          trouble,
          policy: kafkaRetryPolicy(client.bootstrap),
          signal: this.#closing.signal,
        },
        'looking up partitions',
        PATIENCE_MS,
        () => this.#look(client, known),
      )
    } catch (error) {
      throw asMillraceError('looking up partitions', client.bootstrap, error)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#client?.close()
  }

  async #look(client: KafkaClient, known: readonly Split[]): Promise<Split[]> {
    const topics = await this.#topics(client)
    const wanted = this.#options.topicPattern === undefined ? this.#options.topics : topics.map(({ name }) => name)
    const leaders = this.#leaders(client, topics, wanted)
    for (const split of known) {
      const { topic } = partitionOf(split)
      // A topic that the job no longer reads is nobody's business here.
      if (wanted.includes(topic))
        sameTopic(existing(topics, topic, client.bootstrap), positionOf(split).topicId, client.bootstrap)
    }
    const knownIds = new Set(known.map((split) => split.id))
    const fresh = [...leaders.values()].flat().filter((at) => !knownIds.has(splitId(at)))
    // What a bounded source reads was fixed at its first start.
    if (fresh.length === 0 || (this.#options.bounded && known.length > 0)) return [...known]
    // A partition added while the job was down is read from its beginning whatever startFrom says: its records came
    // after the job's first start.
    const startFrom = known.length > 0 ? { kind: 'earliest' as const } : this.#options.startFrom
    const timestamp =
      startFrom.kind === 'timestamp' ? startFrom.time : startFrom.kind === 'earliest' ? EARLIEST : LATEST
    const [starts, ends] = await Promise.all([
      this.#offsets(client, leaders, knownIds, timestamp),
      this.#offsets(client, leaders, knownIds, LATEST),
    ])
    return [
      ...known,
      ...fresh.map((at) => {
        const id = splitId(at)
        const end = ends.get(id) ?? 0
        const start = starts.get(id) ?? -1
        // -1: the time asked for lies behind the last record.
        const next = start < 0 ? end : start
        const topicId = topics.find(({ name }) => name === at.topic)?.id
        return {
          id,
          position: positionAt(next, this.#options.bounded ? end : undefined, topicId),
          finished: this.#options.bounded && next >= end,
        }
      }),
    ]
  }

  /** The topics that the job names, or those that there are now of its pattern. */
  async #topics(client: KafkaClient): Promise<readonly KafkaTopic[]> {
    const { topicPattern } = this.#options
    if (topicPattern === undefined) return (await client.metadata(this.#options.topics)).topics
    await loadPatterns()
    const { topics } = await client.metadata('all')
    const found = topics.filter(
      ({ name }) => !name.startsWith('__') && matchesPattern(name, `^(?:${topicPattern})$`, ''),
    )
    if (found.length === 0) throw noTopicMatches(topicPattern, client.bootstrap)
    return found
  }

  #leaders(
    client: KafkaClient,
    topics: readonly KafkaTopic[],
    wanted: readonly string[],
  ): Map<number, TopicPartition[]> {
    const leaders = new Map<number, TopicPartition[]>()
    for (const name of wanted) {
      for (const { partition, leader } of existing(topics, name, client.bootstrap).partitions) {
        if (leader < 0)
          throw new KafkaBrokerError(
            `a lookup of the leader of ${name}/${partition}`,
            KAFKA_ERROR.LEADER_NOT_AVAILABLE,
            'no leader',
          )
        leaders.set(leader, [...(leaders.get(leader) ?? []), { topic: name, partition }])
      }
    }
    return leaders
  }

  async #offsets(
    client: KafkaClient,
    leaders: ReadonlyMap<number, TopicPartition[]>,
    without: ReadonlySet<string>,
    timestamp: number,
  ): Promise<Map<string, number>> {
    const found = new Map<string, number>()
    await Promise.all(
      [...leaders].map(async ([leader, partitions]) => {
        const asked = partitions.filter((at) => !without.has(splitId(at)))
        if (asked.length === 0) return
        const answers = await client.listOffsets(
          leader,
          this.#options.isolation,
          asked.map((at) => ({ ...at, timestamp })),
        )
        for (const answer of answers) {
          if (answer.errorCode !== 0)
            throw new KafkaBrokerError(
              `ListOffsets of ${splitId(answer)}`,
              answer.errorCode,
              `error ${answer.errorCode}`,
            )
          found.set(splitId(answer), answer.offset)
        }
      }),
    )
    return found
  }
}

/** The topic, or the error that says why it can not be used. */
export function existing(topics: readonly KafkaTopic[], name: string, bootstrap: string): KafkaTopic {
  const topic = topics.find((candidate) => candidate.name === name)
  if (topic === undefined || topic.errorCode === KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION)
    throw topicUnknown(name, bootstrap)
  if (topic.errorCode !== 0) throw refused(`metadata of topic ${JSON.stringify(name)}`, bootstrap, topic.errorCode)
  return topic
}

/** The topic, or KAFKA_TOPIC_REPLACED when it is not the one that the offsets were taken from. */
export function sameTopic(topic: KafkaTopic, knownId: string | undefined, bootstrap: string): KafkaTopic {
  if (knownId !== undefined && topic.id !== undefined && topic.id !== knownId)
    throw topicReplaced(topic.name, bootstrap)
  return topic
}
