import { MillraceError } from '../../model/errors.ts'
import type { CheckpointId } from '../../model/ids.ts'
import type { KafkaClient, TransactionKey } from './client.ts'
import { KafkaBrokerError } from './client.ts'
import type { Json } from '../source.ts'
import { PATIENCE_MS } from './batch-producer.ts'
import { KAFKA_ERROR, isFencedCode } from './error-codes.ts'
import { refused } from './errors.ts'
import { isWriterOf } from '../kit/writer-names.ts'
import { retrying, type RetryEnvironment } from '../kit/retry.ts'

/**
 * What a manifest keeps of a prepared transaction; any process can commit it from this alone.
 * `marker`: the how-manieth transaction under this id it is. The transaction itself contains a committed offset of
 * this value for the group named like the id, so that whether it was committed can be asked for ever after, even when
 * the id has moved on and the broker no longer knows its epoch. The answer to EndTxn cannot tell that.
 */
export interface PreparedTransaction {
  transactionalId: string
  producerId: string
  epoch: number
  topic: string
  marker: number
}

/** How long a writer that ends tries to abort its transaction; within the time in which its process has to go. */
const ABORT_PATIENCE_MS = 2500

/** States in which the owner of an epoch may still write: begun with or without records. */
const UNENDED: ReadonlySet<string> = new Set(['Ongoing', 'Empty'])

interface OpenTransaction extends TransactionKey {
  use: TransactionalId
}

/** An id and how many transactions it has had. */
interface TransactionalId {
  name: string
  uses: number
}

/**
 * The transactions of one sink writer in one attempt.
 *
 * Ids are `millrace-<jobUid>-<operator>-<slot>-<attempt>-<n>`. The attempt is part of them so that a zombie of an
 * older attempt, whatever it calls, never touches a transaction of a newer one. `n` counts a small pool: the next
 * transaction begins while the last one still waits for its checkpoint, and an id is used again only after its
 * transaction is committed. Each use asks for a fresh epoch, so that an EndTxn that comes late can never end the next
 * transaction of the same id (jepsen: bufstream 0.1.0).
 */
export class Transactions {
  readonly #client: KafkaClient
  readonly #environment: RetryEnvironment
  readonly #prefix: string
  readonly #predecessors: readonly string[]
  readonly #slot: number
  readonly #attempt: number
  readonly #topic: string
  readonly #timeoutMs: number
  readonly #free: TransactionalId[] = []
  readonly #pending = new Map<string, TransactionalId>()
  #made = 0

  constructor(parts: {
    client: KafkaClient
    environment: RetryEnvironment
    jobUid: string
    predecessors: readonly string[]
    operatorId: string
    slot: number
    attempt: number
    topic: string
    timeoutMs: number
  }) {
    this.#client = parts.client
    this.#environment = parts.environment
    this.#prefix = `${jobPrefix(parts.jobUid)}${parts.operatorId}-`
    this.#predecessors = parts.predecessors.map(jobPrefix)
    this.#slot = parts.slot
    this.#attempt = parts.attempt
    this.#topic = parts.topic
    this.#timeoutMs = parts.timeoutMs
  }

  async begin(): Promise<OpenTransaction> {
    const use = this.#free.shift() ?? { name: `${this.#prefix}${this.#slot}-${this.#attempt}-${this.#made++}`, uses: 0 }
    const { producerId, epoch } = await this.#initProducerId(use.name)
    use.uses++
    return { transactionalId: use.name, producerId, epoch, use }
  }

  async addPartition(transaction: OpenTransaction, partition: number): Promise<void> {
    await this.#try(`adding ${this.#topic}/${partition} to transaction ${transaction.transactionalId}`, () =>
      this.#client.addPartitions(transaction, [{ topic: this.#topic, partition }]),
    )
  }

  /** Everything written must have been acknowledged. Afterwards the transaction is left to `commit`. */
  async prepare(transaction: OpenTransaction, checkpoint: CheckpointId): Promise<PreparedTransaction> {
    const { transactionalId, producerId, epoch, use } = transaction
    const metadata = `attempt ${this.#attempt}, checkpoint ${checkpoint}`
    await this.#try(`marking transaction ${transactionalId}`, () =>
      this.#client.addOffset(transaction, transactionalId, {
        topic: this.#topic,
        partition: 0,
        offset: use.uses,
        metadata,
      }),
    )
    this.#pending.set(transactionalId, use)
    return { transactionalId, producerId: String(producerId), epoch, topic: this.#topic, marker: use.uses }
  }

  /**
   * Idempotent, by any process. Throws KAFKA_TRANSACTION_LOST when the broker has aborted what the checkpoint
   * counts on: those records are gone and nobody must believe otherwise. Throws KAFKA_TRANSACTION_FORGOTTEN when the
   * broker knows neither the transaction nor its marker any more.
   */
  async commit(prepared: PreparedTransaction): Promise<void> {
    const { transactionalId, epoch } = prepared
    const key = { transactionalId, producerId: BigInt(prepared.producerId), epoch }
    try {
      await this.#try(`committing transaction ${transactionalId}`, () => this.#client.endTransaction(key, 'commit'))
    } catch (error) {
      if (!(error instanceof KafkaBrokerError) || !isFencedCode(error.errorCode)) throw error
      if (!(await this.#wasCommitted(prepared)))
        throw error.errorCode === KAFKA_ERROR.INVALID_PRODUCER_ID_MAPPING
          ? forgotten(prepared, this.#client.bootstrap, error)
          : lost(prepared, this.#client.bootstrap, error)
    }
    const use = this.#pending.get(transactionalId)
    if (use === undefined || use.uses !== prepared.marker) return
    this.#pending.delete(transactionalId)
    this.#free.push(use)
  }

  /**
   * Gives up what was written since the last prepare. Tries for a short time only, also when the writer was told to
   * stop; rejects when Kafka could not be told: the transaction is then left to its timeout and the next fence.
   */
  async abort(transaction: OpenTransaction): Promise<void> {
    const late = new AbortController()
    const cancel = this.#environment.clock.after(ABORT_PATIENCE_MS, () => {
      late.abort()
    })
    try {
      await retrying(
        { ...this.#environment, signal: late.signal },
        `aborting transaction ${transaction.transactionalId}`,
        ABORT_PATIENCE_MS,
        () => this.#client.endTransaction(transaction, 'abort'),
      )
    } catch (error) {
      // Begun, and nothing was sent in it yet: it holds nobody back.
      if (!(error instanceof KafkaBrokerError) || error.errorCode !== KAFKA_ERROR.INVALID_TXN_STATE) throw error
    } finally {
      cancel()
    }
  }

  /**
   * Aborts every transaction that an older attempt of this operator has left open, in any slot: also slots that no
   * longer exist, which nobody else would ever clean up, and whose open transactions hold back every reader. The same
   * for all that predecessors have left open, in any operator: nobody else is there to do it.
   * Must be called only when all transactions of the restored checkpoint are committed.
   */
  async fenceOlderAttempts(): Promise<string[]> {
    const all = await this.#try('listing transactions', () => this.#client.listTransactions())
    const leftOver = all
      .filter(({ transactionalId, state }) => UNENDED.has(state) && this.#isOlder(transactionalId))
      .map(({ transactionalId }) => transactionalId)
    for (const transactionalId of leftOver) await this.#fence(transactionalId)
    return leftOver
  }

  /** The new epoch shuts out the old owner; an empty transaction aborted under it leaves the id in an ended state, so
   *  that the next attempt does not fence it again. Whoever else fences it at the same time does the same work. */
  async #fence(transactionalId: string): Promise<void> {
    const key = { transactionalId, ...(await this.#initProducerId(transactionalId)) }
    try {
      await this.#try(`fencing transaction ${transactionalId}`, async () => {
        await this.#client.addPartitions(key, [{ topic: this.#topic, partition: 0 }])
        await this.#client.endTransaction(key, 'abort')
      })
    } catch (error) {
      if (!(error instanceof KafkaBrokerError) || !isFencedCode(error.errorCode)) throw error
    }
  }

  #isOlder(transactionalId: string): boolean {
    if (this.#predecessors.some((prefix) => transactionalId.startsWith(prefix))) return true
    if (!transactionalId.startsWith(this.#prefix)) return false
    const match = /^\d+-(\d+)-\d+$/.exec(transactionalId.slice(this.#prefix.length))
    return match !== null && Number(match[1]) < this.#attempt
  }

  async #wasCommitted(prepared: PreparedTransaction): Promise<boolean> {
    const marked = await this.#try(`reading the marker of transaction ${prepared.transactionalId}`, () =>
      this.#client.groupOffset(prepared.transactionalId, { topic: prepared.topic, partition: 0 }),
    )
    // A later marker counts too: the id was used again, and that only ever happens after a commit.
    return marked !== undefined && marked >= prepared.marker
  }

  async #initProducerId(transactionalId: string): Promise<{ producerId: bigint; epoch: number }> {
    try {
      return await this.#try(`beginning transaction ${transactionalId}`, () =>
        this.#client.initProducerId(transactionalId, this.#timeoutMs),
      )
    } catch (error) {
      if (error instanceof KafkaBrokerError && error.errorCode === KAFKA_ERROR.INVALID_TRANSACTION_TIMEOUT) {
        throw new MillraceError(
          'KAFKA_TRANSACTION_TIMEOUT_REFUSED',
          `the Kafka at ${this.#client.bootstrap} refused a transaction timeout of ${this.#timeoutMs} ms: larger than its transaction.max.timeout.ms`,
          {
            domain: 'user',
            cause: error,
            hint: 'Lower transactionTimeout, or raise transaction.max.timeout.ms at the brokers.',
          },
        )
      }
      throw error
    }
  }

  /** Retries what passes; errors that tell of a fence come out as they are, other refusals as MillraceErrors. */
  async #try<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await retrying(this.#environment, what, PATIENCE_MS, call)
    } catch (error) {
      if (
        !(error instanceof KafkaBrokerError) ||
        isFencedCode(error.errorCode) ||
        error.errorCode === KAFKA_ERROR.INVALID_TRANSACTION_TIMEOUT
      )
        throw error
      throw refused(what, this.#client.bootstrap, error.errorCode, error)
    }
  }
}

export type { OpenTransaction }

function jobPrefix(jobUid: string): string {
  return `millrace-${jobUid}-`
}

export function preparedToJson(prepared: PreparedTransaction): Json {
  return { ...prepared }
}

/** Throws KAFKA_COMMITTABLE_INVALID for what is no transaction of this sink: a checkpoint may come from anyone. */
export function preparedFromJson(json: Json, sink: Parameters<typeof isWriterOf>[1]): PreparedTransaction {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
    const { transactionalId, producerId, epoch, topic, marker } = json as { readonly [key: string]: Json }
    if (
      typeof transactionalId === 'string' &&
      typeof producerId === 'string' &&
      /^\d+$/.test(producerId) &&
      typeof epoch === 'number' &&
      typeof topic === 'string' &&
      typeof marker === 'number' &&
      isWriterOf(transactionalId, sink)
    )
      return { transactionalId, producerId, epoch, topic, marker }
  }
  throw new MillraceError(
    'KAFKA_COMMITTABLE_INVALID',
    `a Kafka sink cannot commit ${JSON.stringify(json)}: it is not a transaction that this sink has prepared`,
  )
}

function lost(prepared: PreparedTransaction, bootstrap: string, cause: KafkaBrokerError): MillraceError {
  return new MillraceError(
    'KAFKA_TRANSACTION_LOST',
    `the Kafka at ${bootstrap} has aborted transaction ${prepared.transactionalId} (producer ${prepared.producerId}, epoch ${prepared.epoch}), which a completed checkpoint counts on: its records for topic ${prepared.topic} are lost`,
    {
      domain: 'dependency',
      cause,
      hint: 'The job was down for longer than transactionTimeout. Restore an older savepoint and write the topic again, or accept the gap by starting from offsets behind it; use a transactionTimeout longer than any outage.',
    },
  )
}

function forgotten(prepared: PreparedTransaction, bootstrap: string, cause: KafkaBrokerError): MillraceError {
  return new MillraceError(
    'KAFKA_TRANSACTION_FORGOTTEN',
    `the Kafka at ${bootstrap} knows nothing of transaction ${prepared.transactionalId} any more (producer ${prepared.producerId}, epoch ${prepared.epoch}): whether its records for topic ${prepared.topic} became visible is not known`,
    {
      domain: 'dependency',
      cause,
      hint: 'The process that took the checkpoint died before it noted its commit, and Kafka forgets after transactional.id.expiration.ms (7 days). Compare the end of the topic with the input, then restore a later savepoint or an older one accordingly.',
    },
  )
}
