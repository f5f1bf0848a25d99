import { MillraceError } from '../../model/errors.ts'
import type { FetchedPartition, Isolation, KafkaClient, TopicPartition } from './client.ts'
import { KafkaBrokerError, LATEST } from './client.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Rng } from '../../ports/rng.ts'
import { KAFKA_ERROR, isRetriableCode, kafkaErrorName } from './error-codes.ts'
import { asMillraceError, isRetriable, refused, topicUnknown } from './errors.ts'
import { BATCH_HEADER_BYTES, endOfBatch, readOffset } from './record-batch-reader.ts'
import { Backoff } from '../kit/backoff.ts'
import type { TroubleReporter } from '../kit/trouble-reporter.ts'
import { existing, sameTopic } from './split-enumerator.ts'
import { splitId } from './split-position.ts'

const MAX_WAIT_MS = 500
const PARTITION_BYTES = 1024 * 1024
const RESPONSE_BYTES = 4 * 1024 * 1024
/** Leaders are looked up again at least this often. */
const METADATA_AGE_MS = 30_000
/** While nothing is fetched, since the reader is slower or paused, the ends of partitions are asked for so often. */
const END_AGE_MS = 2_000

/** A partition as the fetcher sees it; `fetchOffset` runs ahead of what the reader has emitted. */
export interface FetchState extends TopicPartition {
  fetchOffset: number
  /** Set by the reader: nothing more is wanted. */
  finished: boolean
  /** Set by the reader: what is fetched of it waits, and nothing more is asked for. */
  paused: boolean
  /** What the broker last said readers of this isolation can see; undefined until it has answered. */
  visibleEnd: number | undefined
  /** The topic that the offset belongs to, when that is known. */
  topicId: string | undefined
}

/** One fetched piece of a partition, and the offset it was asked from. */
export interface FetchedChunk {
  state: FetchState
  from: number
  fetched: FetchedPartition
}

/**
 * Fetches in the background, one loop per leader, at most one response ahead of the reader. Ends a round of loops on
 * any error and begins a new one with fresh metadata and the offsets reached: a change of leader, a lost connection
 * and a restarted broker are the same case. What can never pass (offset out of range) is kept for `take` to throw.
 */
export class PartitionFetcher {
  readonly #client: KafkaClient
  readonly #isolation: Isolation
  readonly #states: FetchState[]
  readonly #clock: Clock
  readonly #rng: Rng
  readonly #trouble: TroubleReporter
  readonly #ready: FetchedChunk[] = []
  #failure: MillraceError | undefined
  #closed = false
  #running = false
  /** Set to end the round of loops: there is more to fetch. */
  #grown = false
  #onArrival: (() => void) | undefined
  /** Loops that wait for the reader to take what they brought. */
  #onTaken: (() => void)[] = []
  /** Loops whose partitions are all paused. */
  #onResumed: (() => void)[] = []

  constructor(parts: {
    client: KafkaClient
    isolation: Isolation
    states: readonly FetchState[]
    clock: Clock
    rng: Rng
    trouble: TroubleReporter
  }) {
    this.#client = parts.client
    this.#isolation = parts.isolation
    this.#states = [...parts.states]
    this.#clock = parts.clock
    this.#rng = parts.rng
    this.#trouble = parts.trouble
  }

  /** Called once. Runs until `close`, or until nothing is left to fetch. */
  start(): void {
    this.#running = true
    void this.#run()
      .catch((error: unknown) => {
        this.#fail(asMillraceError('reading', this.#client.bootstrap, error))
      })
      .finally(() => {
        this.#running = false
      })
  }

  /** Fetches these too, from the next round on, which begins with the next answer. */
  add(states: readonly FetchState[]): void {
    this.#states.push(...states)
    this.#grown = true
    for (const resume of this.#onResumed.splice(0)) resume()
    if (!this.#running && !this.#closed) this.start()
  }

  /**
   * The next chunk in the order of arrival, if any, of a partition that is not paused. Throws what ended the
   * fetching for good.
   */
  take(): FetchedChunk | undefined {
    const at = this.#ready.findIndex((chunk) => !chunk.state.paused)
    const chunk = at < 0 ? undefined : this.#ready.splice(at, 1)[0]
    if (chunk === undefined && this.#failure !== undefined) throw this.#failure
    this.#fetchOn()
    return chunk
  }

  /** What was taken and not read to its end, to be taken again before anything else of its partition. */
  putBack(chunk: FetchedChunk): void {
    this.#ready.unshift(chunk)
  }

  /** Some partitions have been paused, or are no longer. */
  onPauseChanged(): void {
    if (this.#hasReadable()) this.#onArrival?.()
    this.#fetchOn()
    for (const resume of this.#onResumed.splice(0)) resume()
  }

  #hasReadable(): boolean {
    return this.#ready.some((chunk) => !chunk.state.paused)
  }

  #fetchOn(): void {
    if (!this.#hasReadable()) for (const resume of this.#onTaken.splice(0)) resume()
  }

  /** Resolves when something can be taken, or after `ms`. */
  arrival(ms: number): Promise<void> {
    if (this.#hasReadable() || this.#failure !== undefined || this.#closed) return Promise.resolve()
    return new Promise((resolve) => {
      const arrived = (): void => {
        this.#onArrival = undefined
        cancel()
        resolve()
      }
      const cancel = this.#clock.after(ms, arrived)
      this.#onArrival = arrived
    })
  }

  close(): void {
    this.#closed = true
    this.#ready.length = 0
    for (const resume of [...this.#onTaken.splice(0), ...this.#onResumed.splice(0)]) resume()
    this.#onArrival?.()
  }

  #isOver(): boolean {
    return this.#closed || this.#failure !== undefined || this.#states.every((state) => state.finished)
  }

  async #run(): Promise<void> {
    const backoff = new Backoff()
    while (!this.#isOver()) {
      try {
        await this.#round(backoff)
      } catch (error) {
        if (!isRetriable(error)) throw error
        this.#trouble.fails(asMillraceError('reading', this.#client.bootstrap, error))
        await new Promise<void>((resolve) => {
          this.#clock.after(backoff.nextMs(this.#rng), resolve)
        })
      }
    }
  }

  /** One loop per leader until one of them fails or the metadata is old. */
  async #round(backoff: Backoff): Promise<void> {
    this.#grown = false
    const leaders = await this.#leaders()
    const round = { until: this.#clock.now() + METADATA_AGE_MS, failed: false }
    const loops = [...leaders].map(([leader, states]) =>
      this.#loop(leader, states, () => round.failed || this.#grown || this.#clock.now() >= round.until, backoff)
        .catch((error: unknown) => {
          round.failed = true
          throw error
        })
        // the others end with it, also those that wait
        .finally(() => {
          for (const resume of this.#onResumed.splice(0)) resume()
        }),
    )
    const results = await Promise.allSettled(loops)
    // A final error of one loop must not hide behind a passing one of another.
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
    const worst = errors.find((error) => !isRetriable(error)) ?? errors[0]
    if (worst !== undefined) throw worst
  }

  async #leaders(): Promise<Map<number, FetchState[]>> {
    const wanted = this.#states.filter((state) => !state.finished)
    const { topics } = await this.#client.metadata([...new Set(wanted.map((state) => state.topic))])
    const leaders = new Map<number, FetchState[]>()
    for (const state of wanted) {
      const topic = sameTopic(
        existing(topics, state.topic, this.#client.bootstrap),
        state.topicId,
        this.#client.bootstrap,
      )
      const partition = topic.partitions.find((candidate) => candidate.partition === state.partition)
      const leader = partition?.leader ?? -1
      if (leader < 0)
        throw new KafkaBrokerError(
          `a lookup of the leader of ${splitId(state)}`,
          KAFKA_ERROR.LEADER_NOT_AVAILABLE,
          'no leader',
        )
      leaders.set(leader, [...(leaders.get(leader) ?? []), state])
    }
    return leaders
  }

  async #loop(
    leader: number,
    states: readonly FetchState[],
    isRoundOver: () => boolean,
    backoff: Backoff,
  ): Promise<void> {
    for (;;) {
      const unfinished = states.filter((state) => !state.finished)
      if (unfinished.length === 0 || isRoundOver() || this.#isOver()) return
      const wanted = unfinished.filter((state) => !state.paused)
      if (wanted.length === 0) {
        await this.#rest(this.#onResumed, leader, unfinished)
        continue
      }
      const askedAt = this.#clock.now()
      const answer = await this.#client.fetch(leader, {
        isolation: this.#isolation,
        maxWaitMs: MAX_WAIT_MS,
        maxBytes: RESPONSE_BYTES,
        partitionMaxBytes: PARTITION_BYTES,
        partitions: wanted.map((state) => ({
          topic: state.topic,
          partition: state.partition,
          offset: state.fetchOffset,
        })),
      })
      if (this.#closed) return
      let error: Error | undefined
      for (const fetched of answer) error = this.#accept(wanted, fetched) ?? error
      if (error !== undefined) throw error
      this.#trouble.answered(this.#clock.now() - askedAt)
      backoff.reset()
      if (this.#hasReadable()) {
        this.#onArrival?.()
        await this.#rest(this.#onTaken, leader, unfinished)
      }
    }
  }

  /** Waits in this list. What the broker gets meanwhile no fetch tells, and whoever asks for the lag is to know of it. */
  async #rest(waiting: (() => void)[], leader: number, states: readonly FetchState[]): Promise<void> {
    const rest = { isOver: false, cancel: (): void => undefined }
    const lookLater = (): void => {
      rest.cancel = this.#clock.after(END_AGE_MS, () => {
        void this.#readEnds(leader, states).finally(() => {
          if (!rest.isOver && !this.#closed) lookLater()
        })
      })
    }
    lookLater()
    await new Promise<void>((resolve) => {
      waiting.push(resolve)
    })
    rest.isOver = true
    rest.cancel()
  }

  /** Never rejects: records are here to be read, and a broker that is away is reported. */
  async #readEnds(leader: number, states: readonly FetchState[]): Promise<void> {
    const asked = states.map(({ topic, partition }) => ({ topic, partition, timestamp: LATEST }))
    const askedAt = this.#clock.now()
    try {
      const answers = await this.#client.listOffsets(leader, this.#isolation, asked)
      if (this.#closed) return
      for (const { topic, partition, errorCode, offset } of answers) {
        const state = states.find((one) => one.topic === topic && one.partition === partition)
        if (state !== undefined && errorCode === 0) state.visibleEnd = Math.max(state.visibleEnd ?? 0, offset)
      }
      this.#trouble.answered(this.#clock.now() - askedAt)
    } catch (error) {
      if (!this.#closed) this.#trouble.fails(asMillraceError('reading', this.#client.bootstrap, error))
    }
  }

  /** Queues what came and moves on; returns the error that ends the round. */
  #accept(wanted: readonly FetchState[], fetched: FetchedPartition): Error | undefined {
    const state = wanted.find(
      (candidate) => candidate.topic === fetched.topic && candidate.partition === fetched.partition,
    )
    if (state === undefined) return undefined
    if (fetched.errorCode !== 0) return this.#partitionError(state, fetched)
    const from = state.fetchOffset
    state.visibleEnd = this.#isolation === 'read_committed' ? fetched.lastStableOffset : fetched.highWatermark
    state.fetchOffset = Math.max(from, endOfBatches(fetched.records))
    if (fetched.records.length > 0) this.#ready.push({ state, from, fetched })
    return undefined
  }

  #partitionError(state: FetchState, fetched: FetchedPartition): Error {
    const { errorCode, logStartOffset, highWatermark } = fetched
    const where = `${splitId(state)} of the Kafka at ${this.#client.bootstrap}`
    if (errorCode === KAFKA_ERROR.OFFSET_OUT_OF_RANGE) {
      const range = highWatermark < 0 ? '' : `; the broker holds ${logStartOffset} to ${highWatermark}`
      return new MillraceError(
        'KAFKA_OFFSET_OUT_OF_RANGE',
        `${where} no longer has offset ${state.fetchOffset}${range}`,
        {
          domain: 'dependency',
          hint: 'Records were deleted before they were read (retention), or the topic was created again. Restore a savepoint within the range, or start without state.',
        },
      )
    }
    if (errorCode === KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION) return topicUnknown(state.topic, this.#client.bootstrap)
    if (isRetriableCode(errorCode))
      return new KafkaBrokerError(`Fetch of ${where}`, errorCode, kafkaErrorName(errorCode))
    return refused(`a fetch of ${splitId(state)}`, this.#client.bootstrap, errorCode)
  }

  #fail(error: MillraceError): void {
    if (this.#closed) return
    this.#failure = error
    this.#onArrival?.()
  }
}

/** The offset behind the last whole batch, from the batch headers alone; -1 when there is none. */
function endOfBatches(records: Buffer): number {
  let end = -1
  for (let at = 0; at + BATCH_HEADER_BYTES <= records.length; ) {
    const next = endOfBatch(records, at)
    // the reader refuses such a batch
    if (next > records.length || next < at + BATCH_HEADER_BYTES) break
    end = readOffset(records, at) + records.readInt32BE(at + 23) + 1
    at = next
  }
  return end
}
