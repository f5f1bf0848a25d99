import type { RecordFormat } from '../../../formats/format.ts'
import { MillraceError } from '../../../model/errors.ts'
import type { SourceContext, Split, SplitEnumerator } from '../../source.ts'
import type { KafkaConnect } from '../client.ts'
import type { KafkaLogTopic, KafkaSourceOptions } from '../declaration.ts'
import { KafkaSplitEnumerator } from '../split-enumerator.ts'

/** The partitions of a log in Kafka are the splits of its source. */
export class TopicLogEnumerator implements SplitEnumerator {
  readonly #topic: string
  readonly #partitions: KafkaSplitEnumerator

  constructor(context: SourceContext, log: KafkaLogTopic, format: RecordFormat, connect: KafkaConnect) {
    this.#topic = log.topic
    this.#partitions = new KafkaSplitEnumerator(context, readingOf(log, format), connect)
  }

  /** Throws LOG_LOST when the state is that of another log of which something may be left. */
  discover(known: readonly Split[]): Promise<Split[]> {
    const other = known.find(({ id, finished }) => !finished && !this.#isOwn(id) && !isInMemory(id))
    if (other !== undefined) return Promise.reject(otherLog(other.id, this.#topic))
    return this.#partitions.discover(known.filter(({ id }) => this.#isOwn(id)))
  }

  close(): Promise<void> {
    return this.#partitions.close()
  }

  #isOwn(id: string): boolean {
    return id.startsWith(`${this.#topic}/`)
  }
}

/** Splits of a source that kept nothing. */
function isInMemory(id: string): boolean {
  return id.startsWith('memory/')
}

/** How the topic of a log is read: what was acknowledged is there for all to see. */
export function readingOf({ brokers, security, topic }: KafkaLogTopic, format: RecordFormat): KafkaSourceOptions {
  return {
    brokers,
    security,
    topics: [topic],
    topicPattern: undefined,
    startFrom: { kind: 'earliest' },
    isolation: 'read_uncommitted',
    bounded: false,
    format,
    partitionDiscoveryMs: Infinity,
    metadata: undefined,
    tombstones: 'refuse',
  }
}

function otherLog(split: string, topic: string): MillraceError {
  return new MillraceError(
    'LOG_LOST',
    `the state has read the log ${split} and not to its end; with the log in topic ${topic} the rest of it is lost`,
    {
      domain: 'user',
      hint: 'Let the job read the old log to its end before you change it, or give the source a new id.',
    },
  )
}
