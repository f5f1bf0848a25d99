import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import { isFields } from '../../model/fields.ts'
import type { Objects } from '../../ports/objects.ts'
import { readIfThere } from '../../ports/read-if-there.ts'
import { schemeOf } from '../../ports/store.ts'
import { resolvePath } from '../file/paths.ts'
import { withoutOptions } from '../file/object-parts.ts'
import { localPathOf } from '../kit/storage-option.ts'
import { StorageRetry } from '../kit/storage-retry.ts'
import type { Committable, SinkContext, SinkWriter } from '../sink.ts'
import type { RoutedBatch } from './batching.ts'
import { notOpen, producerName, type OpenedSink } from './sink-writer.ts'
import { committableInvalid } from '../file/part-errors.ts'
import { isWriterOf } from '../kit/writer-names.ts'
import { decodeStaged, encodeStaged } from './staged-file.ts'

/** A file of rows that wait is written when it has so many bytes, and at a barrier. */
const FILE_BYTES = 8 * 1024 * 1024
const STORAGE_PATIENCE_MS = 60_000

/** A checkpoint keeps this: files whose batches are to be sent under one name, in this order. */
interface Staged {
  readonly topic: string
  readonly place: string
  readonly partitions: number
  readonly producer: string
  readonly files: readonly string[]
}

/** Asks the first commit of an attempt to delete what older attempts left. */
const SWEEP: Committable = { sweep: 'olderAttempts' }

/**
 * Effectively once: batches wait in files until the checkpoint is complete that has their rows, and are sent then, under
 * the name and with the sequence ids that were given to them. Sending them again, by any slot of any attempt, changes
 * nothing: a broker that deduplicates tells how far it has stored them. Rows cannot be sent earlier: after a restart they
 * may come in another order, and the same sequence id would mean another row.
 */
export class StagedWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #options: { readonly topic: string; readonly files: string }
  readonly #open: () => Promise<OpenedSink>
  readonly #name: string
  readonly #retry: StorageRetry
  #opened: (OpenedSink & { readonly objects: Objects }) | undefined
  #batches: RoutedBatch[] = []
  #batchBytes = 0
  #files: string[] = []
  #nextFile = 0
  #hasAskedToSweep = false
  #isDeduplicationSeen = false

  constructor(
    context: SinkContext,
    options: { readonly topic: string; readonly files: string },
    open: () => Promise<OpenedSink>,
  ) {
    this.#context = context
    this.#options = options
    this.#open = open
    this.#name = producerName(context)
    this.#retry = new StorageRetry({
      ports: context.ports,
      name: `the folder ${withoutOptions(options.files)}`,
      closedCode: 'PULSAR_CLOSED',
      signal: context.stopping,
      reports: context,
    })
  }

  async open(recovered: readonly Committable[]): Promise<void> {
    const { baseDir, ports } = this.#context
    const { files } = this.#options
    const place = schemeOf(files) === 'file' ? resolvePath(baseDir, localPathOf(files)) : files
    this.#opened = { ...(await this.#open()), objects: ports.openObjects(place) }
    await this.commit(recovered.filter((one) => !isSweep(one)))
  }

  async write(batch: Batch): Promise<void> {
    const { messages, batching } = this.#sink()
    const rows = batch.rows()
    for (let index = 0; index < batch.count; index++) {
      const row = rows[index]
      if (row === undefined) continue
      for (const full of batching.add(messages.of(row))) await this.#stage(full)
    }
  }

  async prepareCommit(): Promise<Committable[]> {
    const { topic, batching } = this.#sink()
    for (const rest of batching.takeOpen()) await this.#stage(rest)
    await this.#writeFile()
    const isFirst = !this.#hasAskedToSweep && this.#context.slot === 0
    this.#hasAskedToSweep = true
    const sweep = isFirst ? [SWEEP] : []
    if (this.#files.length === 0) return sweep
    const files = this.#files
    this.#files = []
    const place = withoutOptions(this.#options.files)
    return [...sweep, { topic: this.#options.topic, place, partitions: topic.partitions, producer: this.#name, files }]
  }

  async commit(committables: readonly Committable[]): Promise<void> {
    for (const one of committables) if (!isSweep(one)) await this.#publish(this.#stagedOf(one))
    if (committables.some(isSweep)) await this.#sweep()
  }

  async close(): Promise<void> {
    await this.#opened?.topic.close()
  }

  async #stage(batch: RoutedBatch): Promise<void> {
    this.#batches.push(batch)
    this.#batchBytes += batch.batch.payload.length
    if (this.#batchBytes >= FILE_BYTES) await this.#writeFile()
  }

  async #writeFile(): Promise<void> {
    if (this.#batches.length === 0) return
    const { attempt, slot } = this.#context
    const path = `${this.#folder()}${attempt}-${slot}-${this.#nextFile++}`
    const bytes = encodeStaged(this.#batches, path)
    this.#batches = []
    this.#batchBytes = 0
    const { objects } = this.#sink()
    await this.#storage('writing to', () => objects.put(path, bytes))
    this.#files.push(path)
  }

  /** Files that are gone were sent: they are deleted only then. */
  async #publish(staged: Staged): Promise<void> {
    const { topic, objects } = this.#sink()
    const present: string[] = []
    for (const path of staged.files) {
      const bytes = await this.#storage('reading from', () => readWhole(objects, path))
      if (bytes === undefined) continue
      present.push(path)
      for (const batch of decodeStaged(bytes, path)) await this.#send(staged, batch)
    }
    if (present.length === 0) return
    await topic.flush()
    for (const path of present) await this.#storage('deleting from', () => objects.delete(path))
    if (staged.producer !== this.#name) topic.retire(staged.producer)
  }

  async #send({ producer, partitions }: Staged, batch: RoutedBatch): Promise<void> {
    const { topic } = this.#sink()
    if (batch.partition >= Math.max(1, partitions))
      throw new MillraceError('PULSAR_STAGED_CORRUPT', `a batch for partition ${batch.partition} of ${partitions}`)
    const sender = topic.producer(producer, batch.partition)
    if (batch.first + batch.batch.messages - 1 <= (await sender.lastStored())) {
      this.#isDeduplicationSeen = true
      return
    }
    await topic.send(producer, batch)
    // a broker that deduplicates knows what it has just stored; another one would store it twice after a failure
    if (!this.#isDeduplicationSeen && (await sender.askLastStored()) < 0) throw this.#noDeduplication()
    this.#isDeduplicationSeen = true
  }

  #noDeduplication(): MillraceError {
    return new MillraceError(
      'PULSAR_NO_DEDUPLICATION',
      `the Pulsar at ${this.#sink().topic.serviceUrl} does not deduplicate ${this.#options.topic}: rows would be written twice after a failure`,
      {
        domain: 'user',
        hint: 'Turn it on (pulsar-admin namespaces set-deduplication -e TENANT/NAMESPACE), or take delivery: atLeastOnce.',
      },
    )
  }

  async #sweep(): Promise<void> {
    const { objects } = this.#sink()
    const folder = this.#folder()
    const older = await this.#storage('listing', async () => {
      const found: string[] = []
      for await (const { path } of objects.list(folder))
        if (attemptOf(path.slice(folder.length)) < this.#context.attempt) found.push(path)
      return found
    })
    for (const path of older) await this.#storage('deleting from', () => objects.delete(path))
  }

  #folder(): string {
    return `${this.#context.jobUid}/${this.#context.operatorId}/`
  }

  #storage<T>(doing: string, call: () => Promise<T>): Promise<T> {
    return this.#retry.run(doing, STORAGE_PATIENCE_MS, call)
  }

  #stagedOf(committable: Committable): Staged {
    const staged = isFields(committable) ? committable : {}
    const { topic, place, partitions, producer, files } = staged
    const isSound =
      typeof topic === 'string' &&
      typeof place === 'string' &&
      typeof partitions === 'number' &&
      typeof producer === 'string' &&
      Array.isArray(files) &&
      files.every((file): file is string => typeof file === 'string')
    if (!isSound)
      throw new MillraceError(
        'SINK_NOTE_INVALID',
        `the checkpoint names files that are none of the sink ${this.#context.operatorId}`,
        { domain: 'platform', hint: 'the savepoint was changed, or was written by another sink: start without it' },
      )
    const own = [this.#options.topic, withoutOptions(this.#options.files)]
    if (own[0] !== topic || own[1] !== place)
      throw new MillraceError(
        'SINK_CHANGED',
        `the sink ${this.#context.operatorId} has rows in ${place} for ${topic}, and is to send those in ${own[1]} to ${own[0]} now`,
        {
          domain: 'user',
          hint: 'put topic and files of the sink back until they are sent, or start without the state',
        },
      )
    const foreign = isWriterOf(producer, this.#context) ? files.find((path) => !this.#isOwn(path)) : producer
    if (foreign === undefined) return { topic, place, partitions, producer, files }
    throw committableInvalid(this.#context.operatorId, `to send ${JSON.stringify(foreign)}`)
  }

  /** `<job>/<operator>/<attempt>-<slot>-<n>`; the job may be one whose savepoint is continued. */
  #isOwn(path: string): boolean {
    const [job = '', operator, name = '', ...more] = path.split('/')
    const isPlace = /^\w[\w.-]*$/.test(job) && operator === this.#context.operatorId && more.length === 0
    return isPlace && attemptOf(name) < Infinity
  }

  #sink(): OpenedSink & { readonly objects: Objects } {
    if (this.#opened === undefined) throw notOpen(this.#context)
    return this.#opened
  }
}

function isSweep(committable: Committable): boolean {
  return isFields(committable) && 'sweep' in committable
}

function attemptOf(name: string): number {
  return Number(/^(\d+)-\d+-\d+$/.exec(name)?.[1] ?? Infinity)
}

/** Undefined also when another attempt, which has not ended yet, sends and deletes the file just now. */
async function readWhole(objects: Objects, path: string): Promise<Buffer | undefined> {
  const size = (await objects.head(path))?.sizeBytes
  const bytes = size === undefined ? undefined : await readIfThere(objects, path, size)
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
