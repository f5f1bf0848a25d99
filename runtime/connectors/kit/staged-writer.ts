import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import { isFields, type Fields } from '../../model/fields.ts'
import type { Row } from '../../model/schema.ts'
import type { Json } from '../../model/snapshot.ts'
import type { Objects } from '../../ports/objects.ts'
import { readIfThere } from '../../ports/read-if-there.ts'
import { schemeOf } from '../../ports/store.ts'
import { withoutOptions } from '../file/object-parts.ts'
import { committableInvalid } from '../file/part-errors.ts'
import { resolvePath } from '../file/paths.ts'
import type { Committable, SinkContext, SinkWriter } from '../sink.ts'
import { localPathOf } from './storage-option.ts'
import { StorageRetry } from './storage-retry.ts'
import { isWriterOf, writerName } from './writer-names.ts'

/** A file of rows that wait is written when it has so many bytes, and at a barrier. */
const FILE_BYTES = 8 * 1024 * 1024
const STORAGE_PATIENCE_MS = 60_000

type AboutSystem = { readonly [member: string]: Json }

/** A system that drops what it has stored already, by the name of a writer and a number. `Item` is what it is sent. */
export interface StagedOutput<Item, About extends AboutSystem> {
  /** The name of what items go to. */
  readonly target: string
  /** Returns the items that the row has filled. */
  add(row: Row): Iterable<Item>
  /** Returns those that are not full, at a barrier. */
  takeOpen(): Iterable<Item>
  bytesOf(item: Item): number
  /** Makes the file of these items that is kept at `path`. */
  encode(items: readonly Item[], path: string): Buffer
  decode(bytes: Buffer, path: string): readonly Item[]
  /** Resolves with what a checkpoint keeps of the system, to send items to it later; called at a barrier that has some. */
  about(): Promise<About>
  /** Reads that; undefined for what is none. */
  readAbout(kept: Fields): About | undefined
  /** Returns the name of what these items were to go to. */
  targetOf(about: About): string
  /** Sends what waits in files, in their order. */
  sender(staged: Staged<About>): StagedSender<Item>
  close(): Promise<void>
}

export interface StagedSender<Item> {
  /** Resolves when there is room for more. */
  send(item: Item): Promise<void>
  /** Resolves when everything sent is stored. */
  flush(): Promise<void>
  /** Nothing follows under the name of that writer, unless it is this one. */
  end(): void
}

/** A checkpoint keeps this: files whose items are to be sent under one name, in this order. */
export interface Staged<About> {
  readonly about: About
  readonly place: string
  readonly producer: string
  readonly files: readonly string[]
}

/** Asks the first commit of an attempt to delete what older attempts left. */
const SWEEP: Committable = { sweep: 'olderAttempts' }

/**
 * Effectively once: items wait in files until the checkpoint is complete that has their rows, and are sent then, under
 * the name and with the numbers that were given to them. Sending them again, by any slot of any attempt, changes nothing:
 * the system recognises what it has stored. Rows cannot be sent earlier: after a restart they may come in another order,
 * and the same number would mean another row.
 */
export class StagedWriter<Item, About extends AboutSystem> implements SinkWriter {
  readonly #context: SinkContext
  readonly #files: string
  readonly #open: (name: string) => Promise<StagedOutput<Item, About>>
  readonly #name: string
  readonly #retry: StorageRetry
  #opened: { readonly output: StagedOutput<Item, About>; readonly objects: Objects } | undefined
  #items: Item[] = []
  #itemBytes = 0
  #written: string[] = []
  #nextFile = 0
  #hasAskedToSweep = false

  /** `files` is the folder or URL where items wait; `open` is given the name of this writer. */
  constructor(
    context: SinkContext,
    { files, closedCode }: { readonly files: string; readonly closedCode: string },
    open: (name: string) => Promise<StagedOutput<Item, About>>,
  ) {
    this.#context = context
    this.#files = files
    this.#open = open
    this.#name = writerName(context)
    this.#retry = new StorageRetry({
      ports: context.ports,
      name: `the folder ${withoutOptions(files)}`,
      closedCode,
      signal: context.stopping,
      reports: context,
    })
  }

  async open(recovered: readonly Committable[]): Promise<void> {
    const { baseDir, ports } = this.#context
    const files = this.#files
    const place = schemeOf(files) === 'file' ? resolvePath(baseDir, localPathOf(files)) : files
    this.#opened = { output: await this.#open(this.#name), objects: ports.openObjects(place) }
    await this.commit(recovered.filter((one) => !isSweep(one)))
  }

  async write(batch: Batch): Promise<void> {
    const { output } = this.#sink()
    const rows = batch.rows()
    for (let index = 0; index < batch.count; index++) {
      const row = rows[index]
      if (row === undefined) continue
      for (const full of output.add(row)) await this.#stage(full)
    }
  }

  async prepareCommit(): Promise<Committable[]> {
    const { output } = this.#sink()
    for (const rest of output.takeOpen()) await this.#stage(rest)
    await this.#writeFile()
    const isFirst = !this.#hasAskedToSweep && this.#context.slot === 0
    this.#hasAskedToSweep = true
    const sweep = isFirst ? [SWEEP] : []
    if (this.#written.length === 0) return sweep
    const files = this.#written
    this.#written = []
    const place = withoutOptions(this.#files)
    return [...sweep, { ...(await output.about()), place, producer: this.#name, files }]
  }

  async commit(committables: readonly Committable[]): Promise<void> {
    for (const one of committables) if (!isSweep(one)) await this.#publish(this.#stagedOf(one))
    if (committables.some(isSweep)) await this.#sweep()
  }

  async close(): Promise<void> {
    await this.#opened?.output.close()
  }

  async #stage(item: Item): Promise<void> {
    this.#items.push(item)
    this.#itemBytes += this.#sink().output.bytesOf(item)
    if (this.#itemBytes >= FILE_BYTES) await this.#writeFile()
  }

  async #writeFile(): Promise<void> {
    if (this.#items.length === 0) return
    const { attempt, slot } = this.#context
    const path = `${this.#folder()}${attempt}-${slot}-${this.#nextFile++}`
    const { output, objects } = this.#sink()
    const bytes = output.encode(this.#items, path)
    this.#items = []
    this.#itemBytes = 0
    await this.#storage('writing to', () => objects.put(path, bytes))
    this.#written.push(path)
  }

  /** Files that are gone were sent: they are deleted only then. */
  async #publish(staged: Staged<About>): Promise<void> {
    const { output, objects } = this.#sink()
    const sender = output.sender(staged)
    const present: string[] = []
    for (const path of staged.files) {
      const bytes = await this.#storage('reading from', () => readWhole(objects, path))
      if (bytes === undefined) continue
      present.push(path)
      for (const item of output.decode(bytes, path)) await sender.send(item)
    }
    if (present.length === 0) return
    await sender.flush()
    for (const path of present) await this.#storage('deleting from', () => objects.delete(path))
    sender.end()
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

  #stagedOf(committable: Committable): Staged<About> {
    const { output } = this.#sink()
    const kept = isFields(committable) ? committable : {}
    const { place, producer, files } = kept
    const about = output.readAbout(kept)
    const isSound =
      about !== undefined &&
      typeof place === 'string' &&
      typeof producer === 'string' &&
      Array.isArray(files) &&
      files.every((file): file is string => typeof file === 'string')
    if (!isSound)
      throw new MillraceError(
        'SINK_NOTE_INVALID',
        `the checkpoint names files that are none of the sink ${this.#context.operatorId}`,
        { domain: 'platform', hint: 'the savepoint was changed, or was written by another sink: start without it' },
      )
    this.#checkTarget(about, place)
    const foreign = isWriterOf(producer, this.#context) ? files.find((path) => !this.#isOwn(path)) : producer
    if (foreign === undefined) return { about, place, producer, files }
    throw committableInvalid(this.#context.operatorId, `to send ${JSON.stringify(foreign)}`)
  }

  #checkTarget(about: About, place: string): void {
    const { output } = this.#sink()
    const { target } = output
    const ownPlace = withoutOptions(this.#files)
    const ofRows = output.targetOf(about)
    if (ownPlace === place && target === ofRows) return
    throw new MillraceError(
      'SINK_CHANGED',
      `the sink ${this.#context.operatorId} has rows in ${place} for ${ofRows}, and is to send those in ${ownPlace} to ${target} now`,
      {
        domain: 'user',
        hint: 'put the target and files of the sink back until they are sent, or start without the state',
      },
    )
  }

  /** `<job>/<operator>/<attempt>-<slot>-<n>`; the job may be one whose savepoint is continued. */
  #isOwn(path: string): boolean {
    const [job = '', operator, name = '', ...more] = path.split('/')
    const isPlace = /^\w[\w.-]*$/.test(job) && operator === this.#context.operatorId && more.length === 0
    return isPlace && attemptOf(name) < Infinity
  }

  #sink(): { readonly output: StagedOutput<Item, About>; readonly objects: Objects } {
    if (this.#opened === undefined)
      throw new MillraceError('SINK_NOT_OPEN', `the sink ${this.#context.operatorId} was used before open`)
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
