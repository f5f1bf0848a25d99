import { MillraceError } from '../../../model/errors.ts'
import type { Rng } from '../../../ports/rng.ts'
import type { Store } from '../../../ports/store.ts'
import { storeCall } from '../../../ports/store-call.ts'
import { decodeHead, encodeHead, INLINE_BYTES, PART_BYTES, type ObjectHead } from './object-head.ts'
import type { PartRow, RowKey, StoreRows } from './store-rows.ts'

const GENERATION_MARK = '#generation='
/** A reader may meet an object that is being replaced so often. */
const MOST_LOOKS = 5
const NOTHING = new Uint8Array()
/** The part of a row that says that its generation is being deleted. */
const CONDEMNED = -1

/** The table. */
type Rows = Pick<StoreRows, keyof StoreRows>

/**
 * Files in a Kudu table. The bytes of a file stand in rows of a generation of its own, 60 kB each; then its head, one
 * row, makes it visible: an upsert replaces a file, an insert is the fence, since Kudu takes one of any number of inserts
 * of a key. Generations that no head names are left of writes that were cut short, or of files that were replaced.
 *
 * One that is still being written looks the same. So whoever deletes a generation condemns it first, and leaves it alone
 * when a head names it then; who has written a head looks afterwards whether all parts are there and none is condemned.
 * Whatever the order of these four steps, a file that was put stays whole, or its put fails.
 */
export class KuduStore implements Store {
  readonly #rows: Rows
  readonly #prefix: string
  readonly #rng: Rng

  /** `prefix` is empty or ends with `/`. */
  constructor(rows: Rows, prefix: string, rng: Rng) {
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
        const whole = wholeOf(head, await this.#rows.parts(this.#key(path), head.generation))
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
      await this.#rows.upsert([this.#headRow(path, head)])
      await this.#checkKept(path, head)
    })
  }

  createIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return storeCall(async () => {
      const head = await this.#writeParts(path, bytes)
      const isNew = await this.#rows.insert(this.#headRow(path, head))
      // the row may be that of this very call, whose answer was lost
      if (isNew || (await this.#head(path))?.generation === head.generation) {
        await this.#checkKept(path, head)
        return 'created'
      }
      await this.#rows.delete(await this.#rowsOf(path, head.generation))
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
      const found: string[] = []
      for (const { path: key, generation } of await this.#rows.generations(this.#key(prefix))) {
        const path = key.slice(this.#prefix.length)
        if ((await this.#head(path))?.generation !== generation) found.push(path + GENERATION_MARK + generation)
      }
      return found
    })
  }

  delete(path: string): Promise<void> {
    return storeCall(async () => {
      const mark = path.indexOf(GENERATION_MARK)
      if (mark >= 0) {
        await this.#sweep(path.slice(0, mark), path.slice(mark + GENERATION_MARK.length))
        return
      }
      const rows = await this.#rows.keysOf(this.#key(path))
      // nobody sees the file once its head is gone
      await this.#rows.delete(rows.filter(({ generation }) => generation === ''))
      await this.#rows.delete(rows.filter(({ generation }) => generation !== ''))
    })
  }

  async #head(path: string): Promise<ObjectHead | undefined> {
    const cell = await this.#rows.head(this.#key(path))
    return cell === undefined ? undefined : decodeHead(cell, path)
  }

  async #writeParts(path: string, bytes: Uint8Array): Promise<ObjectHead> {
    const generation = this.#rng.id()
    const sizeBytes = bytes.length
    if (sizeBytes <= INLINE_BYTES) return { generation, parts: 0, sizeBytes, inline: bytes }
    const parts = Math.ceil(sizeBytes / PART_BYTES)
    await this.#rows.upsert(
      Array.from({ length: parts }, (_, part) => ({
        path: this.#key(path),
        generation,
        part,
        bytes: bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES),
      })),
    )
    return { generation, parts, sizeBytes, inline: NOTHING }
  }

  #headRow(path: string, head: ObjectHead): PartRow {
    return { path: this.#key(path), generation: '', part: 0, bytes: encodeHead(head) }
  }

  async #checkKept(path: string, { generation, parts }: ObjectHead): Promise<void> {
    if (parts === 0) return
    const rows = await this.#rowsOf(path, generation)
    if (rows.length === parts && rows.every(({ part }) => part !== CONDEMNED)) return
    if ((await this.#head(path))?.generation === generation)
      await this.#rows.delete([{ path: this.#key(path), generation: '', part: 0 }])
    throw new MillraceError('STORE_WRITE_SWEPT', `${path} was deleted while it was written`, { domain: 'platform' })
  }

  async #sweep(path: string, generation: string): Promise<void> {
    const condemned = { path: this.#key(path), generation, part: CONDEMNED, bytes: NOTHING }
    await this.#rows.insert(condemned)
    if ((await this.#head(path))?.generation !== generation) {
      const rows = await this.#rowsOf(path, generation)
      await this.#rows.delete(rows.filter(({ part }) => part !== CONDEMNED))
    }
    await this.#rows.delete([condemned])
  }

  async #rowsOf(path: string, wanted: string): Promise<readonly RowKey[]> {
    const rows = await this.#rows.keysOf(this.#key(path))
    return rows.filter(({ generation }) => generation === wanted)
  }

  #key(path: string): string {
    if (path.startsWith('/') || path.split('/').some((step) => step === '..') || path.includes('\0'))
      throw new MillraceError('STORE_PATH_INVALID', `${JSON.stringify(path)} is no path within the store`)
    return this.#prefix + path
  }
}

/** Undefined when parts are missing. */
function wholeOf(
  { parts, sizeBytes }: ObjectHead,
  found: readonly { part: number; bytes: Uint8Array }[],
): Uint8Array | undefined {
  const inOrder = found.filter(({ part }) => part !== CONDEMNED).toSorted((a, b) => a.part - b.part)
  const isWhole =
    inOrder.length === parts &&
    inOrder.every(
      ({ part, bytes }, index) =>
        part === index && bytes.length === Math.min(PART_BYTES, sizeBytes - index * PART_BYTES),
    )
  return isWhole ? Buffer.concat(inOrder.map(({ bytes }) => bytes)) : undefined
}
