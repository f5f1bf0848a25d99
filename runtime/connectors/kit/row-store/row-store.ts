import { MillraceError } from '../../../model/errors.ts'
import type { Rng } from '../../../ports/rng.ts'
import type { Store } from '../../../ports/store.ts'
import { storeCall } from '../../../ports/store-call.ts'
import { decodeHead, encodeHead, type ObjectHead } from './object-head.ts'
import type { Generation, ObjectRows, Part } from './object-rows.ts'

const GENERATION_MARK = '#generation='
/** A reader may meet an object that is being replaced so often. */
const MOST_LOOKS = 5
const LOOKS_SIDE_BY_SIDE = 16
const NOTHING = new Uint8Array()

/**
 * Files in a table of a database. The bytes of a file stand in rows of a generation of its own; then its head, one row,
 * makes it visible: putting a head replaces a file, inserting it is the fence, since a table takes one of any number of
 * inserts of a key. Generations that no head names are left of writes that were cut short, or of files that were replaced.
 *
 * One that is still being written looks the same. So whoever deletes a generation condemns it first, and leaves it alone
 * when a head names it then; who has written a head looks afterwards whether the generation is whole and not condemned.
 * Whatever the order of these four steps, a file that was put stays whole, or its put fails.
 */
export class RowStore implements Store {
  readonly #rows: ObjectRows
  readonly #prefix: string
  readonly #rng: Rng

  /** `prefix` is empty or ends with `/`. */
  constructor(rows: ObjectRows, prefix: string, rng: Rng) {
    this.#rows = rows
    this.#prefix = prefix
    this.#rng = rng
  }

  get(path: string): Promise<Uint8Array | undefined> {
    return storeCall(async () => {
      for (let look = 0; look < MOST_LOOKS; look++) {
        const head = await this.#head(path)
        if (head === undefined) return undefined
        if (head.parts === 0) return head.inline
        const found = await this.#rows.parts(this.#generation(path, head), head.parts)
        const whole = wholeOf(head, found, this.#rows.partBytes)
        if (whole !== undefined) return whole
      }
      throw new MillraceError('STORE_OBJECT_TORN', `parts of ${path} are missing in the table of the store`, {
        domain: 'dependency',
        hint: 'Rows were deleted by something else, or the file is replaced again and again.',
      })
    })
  }

  put(path: string, bytes: Uint8Array): Promise<void> {
    return storeCall(async () => {
      const head = await this.#writeParts(path, bytes)
      await this.#rows.putHead(this.#key(path), { generation: head.generation, bytes: encodeHead(head) })
      await this.#checkKept(path, head)
    })
  }

  createIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return storeCall(async () => {
      const head = await this.#writeParts(path, bytes)
      const row = { generation: head.generation, bytes: encodeHead(head) }
      const isNew = await this.#rows.insertHead(this.#key(path), row)
      // the row may be that of this very call, whose answer was lost
      if (isNew || (await this.#head(path))?.generation === head.generation) {
        await this.#checkKept(path, head)
        return 'created'
      }
      if (head.parts > 0) await this.#rows.deleteGeneration(this.#generation(path, head))
      return 'exists'
    })
  }

  list(prefix: string): Promise<string[]> {
    return storeCall(async () =>
      (await this.#rows.heads(this.#key(prefix))).map((path) => path.slice(this.#prefix.length)).sort(),
    )
  }

  unfinished(prefix: string): Promise<string[]> {
    return storeCall(async () => {
      const found = await this.#rows.generations(this.#key(prefix))
      const unnamed: string[] = []
      for (let at = 0; at < found.length; at += LOOKS_SIDE_BY_SIDE)
        await Promise.all(
          found.slice(at, at + LOOKS_SIDE_BY_SIDE).map(async ({ path: key, name }) => {
            const path = key.slice(this.#prefix.length)
            if ((await this.#head(path))?.generation !== name) unnamed.push(path + GENERATION_MARK + name)
          }),
        )
      return unnamed.sort()
    })
  }

  delete(path: string): Promise<void> {
    return storeCall(async () => {
      const mark = path.indexOf(GENERATION_MARK)
      if (mark >= 0) {
        await this.#sweep(path.slice(0, mark), path.slice(mark + GENERATION_MARK.length))
        return
      }
      const generations = await this.#rows.generationsOf(this.#key(path))
      // nobody sees the file once its head is gone
      await this.#rows.deleteHead(this.#key(path))
      for (const generation of generations) await this.#rows.deleteGeneration(generation)
    })
  }

  async #head(path: string): Promise<ObjectHead | undefined> {
    const bytes = await this.#rows.head(this.#key(path))
    return bytes === undefined ? undefined : decodeHead(bytes, path, this.#rows.partBytes)
  }

  async #writeParts(path: string, bytes: Uint8Array): Promise<ObjectHead> {
    const { inlineBytes, partBytes } = this.#rows
    const generation = this.#rng.id()
    const sizeBytes = bytes.length
    if (sizeBytes <= inlineBytes) return { generation, parts: 0, sizeBytes, inline: bytes }
    const parts = Math.ceil(sizeBytes / partBytes)
    const head = { generation, parts, sizeBytes, inline: NOTHING }
    await this.#rows.writeParts(
      this.#generation(path, head),
      Array.from({ length: parts }, (_, part) => bytes.subarray(part * partBytes, (part + 1) * partBytes)),
    )
    return head
  }

  async #checkKept(path: string, head: ObjectHead): Promise<void> {
    if (head.parts === 0 || (await this.#rows.isKept(this.#generation(path, head), head.parts))) return
    if ((await this.#head(path))?.generation === head.generation) await this.#rows.deleteHead(this.#key(path))
    throw new MillraceError('STORE_WRITE_SWEPT', `${path} was deleted while it was written`, { domain: 'platform' })
  }

  async #sweep(path: string, name: string): Promise<void> {
    const generation = { path: this.#key(path), name }
    await this.#rows.condemn(generation)
    if ((await this.#head(path))?.generation === name) await this.#rows.absolve(generation)
    else await this.#rows.deleteGeneration(generation)
  }

  #generation(path: string, { generation }: ObjectHead): Generation {
    return { path: this.#key(path), name: generation }
  }

  #key(path: string): string {
    if (path.startsWith('/') || path.split('/').some((step) => step === '..') || path.includes('\0'))
      throw new MillraceError('STORE_PATH_INVALID', `${JSON.stringify(path)} is no path within the store`)
    return this.#prefix + path
  }
}

/** Undefined when parts are missing. */
function wholeOf({ parts, sizeBytes }: ObjectHead, found: readonly Part[], partBytes: number): Uint8Array | undefined {
  const inOrder = found.toSorted((a, b) => a.number - b.number)
  const isWhole =
    inOrder.length === parts &&
    inOrder.every(
      ({ number, bytes }, index) =>
        number === index && bytes.length === Math.min(partBytes, sizeBytes - index * partBytes),
    )
  return isWhole ? Buffer.concat(inOrder.map(({ bytes }) => bytes)) : undefined
}
