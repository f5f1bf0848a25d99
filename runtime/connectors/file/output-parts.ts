import { MillraceError } from '../../model/errors.ts'
import type { Field, Row } from '../../model/schema.ts'
import type { Committable } from '../../model/snapshot.ts'
import { RowBatch, type Batch } from '../../memory/batch.ts'
import type { Clock } from '../../ports/clock.ts'
import type { PartContent } from './part-content.ts'
import type { PartNames } from './part-names.ts'
import type { OutputPart, PartPlace } from './part-place.ts'
import { partitionFolder } from './partition-folder.ts'

const BUFFER_BYTES = 256 * 1024
/** With more partitions at once, the part that was written to least lately is ended. */
const MOST_OPEN = 64
/** All parts together hold this much in memory at most; beyond it the largest is ended. */
const MOST_HELD_BYTES = 128 * 1024 * 1024
/** A manifest holds every part. So many at one checkpoint are a mistake: a partition by a key, or a tiny `roll`. */
const MOST_PARTS = 5000

interface OpenPart {
  readonly content: PartContent
  readonly sinceMs: number
  writtenBytes: number
  /** Begun with the first bytes. */
  file: OutputPart | undefined
}

export interface OutputPartsOptions {
  readonly place: PartPlace
  readonly names: PartNames
  readonly newContent: () => PartContent
  readonly partitionFields: readonly Field[]
  /** A part ends behind so many bytes, or so long after its first row; undefined: at checkpoints only. */
  readonly roll: { readonly size: number | undefined; readonly every: number | undefined }
  readonly clock: Clock
}

/** The parts that a writer has begun, one for each partition, and those that ended since the last checkpoint. */
export class OutputParts {
  readonly #options: OutputPartsOptions
  /** By folder, in the order of their last use. */
  readonly #open = new Map<string, OpenPart>()
  #prepared: Committable[] = []

  constructor(options: OutputPartsOptions) {
    this.#options = options
  }

  /** Throws RECORD_INVALID for a row whose partition cannot be named. */
  async add(batch: Batch): Promise<void> {
    if (this.#options.partitionFields.length === 0) await this.#addTo('', batch)
    else for (const [folder, rows] of this.#byFolder(batch)) await this.#addTo(folder, new RowBatch(rows))
  }

  /** Ends every part, and gives those that ended since the last call: durable, and visible to nobody. */
  async finish(): Promise<Committable[]> {
    for (const folder of [...this.#open.keys()]) await this.#end(folder)
    const prepared = this.#prepared
    this.#prepared = []
    return prepared
  }

  async discard(): Promise<void> {
    for (const { file } of this.#open.values()) await file?.discard()
    this.#open.clear()
    for (const committable of this.#prepared) await this.#options.place.discard(committable)
    this.#prepared = []
  }

  #byFolder(batch: Batch): Map<string, Row[]> {
    const found = new Map<string, Row[]>()
    const rows = batch.rows()
    for (let index = 0; index < batch.count; index++) {
      const row = rows[index]
      if (row === undefined) continue
      const folder = partitionFolder(this.#options.partitionFields, row)
      const known = found.get(folder)
      if (known === undefined) found.set(folder, [row])
      else known.push(row)
    }
    return found
  }

  async #addTo(folder: string, batch: Batch): Promise<void> {
    if (batch.count === 0) return
    const part = this.#open.get(folder) ?? {
      content: this.#options.newContent(),
      sinceMs: this.#options.clock.now(),
      writtenBytes: 0,
      file: undefined,
    }
    this.#open.delete(folder)
    this.#open.set(folder, part)
    part.content.add(batch)
    if (part.content.sizeBytes >= BUFFER_BYTES) await this.#flush(folder, part)
    if (this.#isFull(part)) await this.#end(folder)
    await this.#endSome()
  }

  #isFull({ writtenBytes, content, sinceMs }: OpenPart): boolean {
    const { roll, clock } = this.#options
    if (roll.size !== undefined && writtenBytes + content.heldBytes >= roll.size) return true
    return roll.every !== undefined && clock.now() - sinceMs >= roll.every
  }

  async #endSome(): Promise<void> {
    const [leastRecent] = this.#open.keys()
    if (this.#open.size > MOST_OPEN && leastRecent !== undefined) await this.#end(leastRecent)
    let held = 0
    let largest: { folder: string; bytes: number } | undefined
    for (const [folder, part] of this.#open) {
      const bytes = part.content.heldBytes + Math.min(part.writtenBytes, this.#options.place.heldBytes)
      held += bytes
      if (largest === undefined || bytes > largest.bytes) largest = { folder, bytes }
    }
    if (held > MOST_HELD_BYTES && largest !== undefined) await this.#end(largest.folder)
  }

  async #end(folder: string): Promise<void> {
    const part = this.#open.get(folder)
    if (part === undefined) return
    part.content.end()
    await this.#flush(folder, part)
    if (part.file !== undefined) this.#prepared.push(await part.file.prepare())
    this.#open.delete(folder)
    if (this.#prepared.length > MOST_PARTS) throw tooMany(this.#options.partitionFields)
  }

  async #flush(folder: string, part: OpenPart): Promise<void> {
    if (part.content.sizeBytes === 0) return
    part.file ??= await this.#begin(folder)
    const bytes = part.content.take()
    part.writtenBytes += bytes.length
    await part.file.write(bytes)
  }

  async #begin(folder: string): Promise<OutputPart> {
    for (;;) {
      const part = await this.#options.place.begin(folder + this.#options.names.next())
      if (part !== 'taken') return part
    }
  }
}

function tooMany(fields: readonly Field[]): MillraceError {
  const by = fields.length === 0 ? '' : `, by partitions of ${fields.map(({ name }) => name).join(', ')}`
  return new MillraceError('PARTS_TOO_MANY', `one slot made more than ${MOST_PARTS} files in one checkpoint${by}`, {
    domain: 'user',
    hint: 'partition by a field of fewer values, key the stream by it before the sink, or let roll.size be larger',
  })
}
