import { describeWithCauses } from '../../../model/errors.ts'
import type { RowScanner } from '../../../codegen/contracts.ts'
import type { RowClass } from '../../../codegen/rows/row.ts'
import type { RecordFormat } from '../../../formats/format.ts'
import { loadRecordCodecs } from '../../kit/record-codecs.ts'
import { TroubleReporter } from '../../kit/trouble-reporter.ts'
import type { LogEntry } from '../../kit/write-ahead-log/log-frame.ts'
import type { ReceivedFields } from '../../kit/write-ahead-log/received-option.ts'
import { receivedRows, type ReceivedRows } from '../../kit/write-ahead-log/received-rows.ts'
import { noLog, Reception, type ReceptionParts } from '../../kit/write-ahead-log/reception.ts'
import type { SourceBatch, SourceReader, Split } from '../../source.ts'
import type { KafkaClient, KafkaConnect } from '../client.ts'
import { clientOptions } from '../client-options.ts'
import type { KafkaLogTopic } from '../declaration.ts'
import { kafkaRetryPolicy } from '../retry-policy.ts'
import { KafkaSourceReader, type RecordRows } from '../source-reader.ts'
import { partitionOf, positionOf } from '../split-position.ts'
import { deleteRead } from './delete-read.ts'
import { readingOf } from './topic-log-enumerator.ts'
import { RECEIVED_HEADER, TopicLogWriter } from './topic-log-writer.ts'

export interface TopicLogParts extends ReceptionParts {
  readonly rows: RowClass
  readonly log: KafkaLogTopic
  readonly format: RecordFormat
  readonly metadata: ReceivedFields | undefined
  readonly connect: KafkaConnect
}

/**
 * The reader of a source whose log is a topic of Kafka: what senders send is written there, and its partitions are read as
 * those of any topic. An attempt that is over fences nobody: what its processes still write is read by the next one.
 */
export class TopicLogReader implements SourceReader {
  readonly #parts: TopicLogParts
  readonly #rows: ReceivedRows
  readonly #source: KafkaSourceReader
  readonly #reception: Reception
  readonly #closing = new AbortController()
  #client: KafkaClient | undefined
  #writer: TopicLogWriter | undefined
  #deleting: Promise<void> | undefined

  constructor(parts: TopicLogParts) {
    const { context, metadata, rows, log, format, connect } = parts
    this.#parts = parts
    this.#rows = receivedRows(context.schema, metadata, rows)
    const beside = metadata === undefined ? undefined : rowsWithHeader(this.#rows)
    this.#source = new KafkaSourceReader(context, readingOf(log, format), () => this.#scanner(), connect, beside)
    this.#reception = new Reception(parts, this.#rows, (entries) => this.#append(entries))
  }

  async open(splits: readonly Split[]): Promise<void> {
    const { context, connect, log } = this.#parts
    const { ports, operatorId, slot } = context
    await this.#source.open(splits)
    await loadRecordCodecs()
    const client = connect(await clientOptions(log.brokers, log.security, `millrace-${operatorId}-${slot}-log`, ports))
    this.#client = client
    const environment = {
      clock: ports.clock,
      rng: ports.rng,
      trouble: new TroubleReporter(ports.clock, context),
      policy: kafkaRetryPolicy(client.bootstrap),
      signal: this.#closing.signal,
    }
    this.#writer = new TopicLogWriter(client, environment, log, slot)
    this.#reception.start(await this.#scanner())
  }

  addSplits(splits: readonly Split[]): void {
    this.#source.addSplits(splits)
  }

  pauseSplits(paused: ReadonlySet<string>): void {
    this.#source.pauseSplits(paused)
  }

  poll(maxRows: number): Promise<SourceBatch | undefined> {
    this.#reception.throwFailure()
    return this.#source.poll(maxRows)
  }

  snapshot(): Split[] {
    return this.#source.snapshot()
  }

  lagRecords(): number | undefined {
    return this.#source.lagRecords()
  }

  /** Senders may send for ever. */
  isFinished(): boolean {
    return false
  }

  /** Deletes what is covered, unless that is under way: the next checkpoint covers it, too. */
  async notifyCheckpointComplete(splits: readonly Split[]): Promise<void> {
    const client = this.#client
    if (client === undefined || !this.#parts.log.deletes || this.#deleting !== undefined) return
    const read = splits.map((split) => ({ ...partitionOf(split), offset: positionOf(split).next }))
    this.#deleting = deleteRead(client, read)
      .catch((error: unknown) => {
        // what stays is deleted behind the next checkpoint
        this.#parts.context.ports.logger.warn('the log in Kafka keeps what was read', {
          topic: this.#parts.log.topic,
          reason: describeWithCauses(error),
        })
      })
      .finally(() => {
        this.#deleting = undefined
      })
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#reception.close()
    await this.#writer?.close()
    await this.#source.close()
    await this.#client?.close()
    await this.#deleting
  }

  #append(entries: readonly LogEntry[]): Promise<'kept' | 'full'> {
    return this.#writer?.append(entries) ?? Promise.reject(noLog())
  }

  async #scanner(): Promise<RowScanner> {
    const { context, format } = this.#parts
    const { ports, baseDir } = context
    return format.scanner({ schema: this.#rows.valueSchema, ports, baseDir }, this.#rows.values)
  }
}

/** Rows of values with what the header of their records says. */
function rowsWithHeader(rows: ReceivedRows): RecordRows {
  return {
    row: (value, { bytes, metadata: { headers } }) => {
      if (value === undefined) return undefined
      const kept = headers.findLast(({ name }) => name === RECEIVED_HEADER)
      return kept === undefined || kept.end < kept.start
        ? rows.whole(value, bytes, 0, 0)
        : rows.whole(value, bytes, kept.start, kept.end)
    },
  }
}
