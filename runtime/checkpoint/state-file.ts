import { createHash } from 'node:crypto'
import type { GroupState, StateFile } from '../model/snapshot.ts'
import { MillraceError } from '../model/errors.ts'
import type { Store } from '../ports/store.ts'
import type { BlockRow, FileRest } from './state-rest.ts'

/** A file is closed before it grows beyond this; only a single larger block makes a larger one. */
const FILE_BYTES = 64 * 1024 * 1024
/** Bytes copied and hashed in one go, about a millisecond. */
const SLICE_BYTES = 1024 * 1024
/** Bytes of blocks whose records are indexed in one go, about as long. */
const BLOCKS_BYTES = 512 * 1024
const NO_BYTES = new Uint8Array()

export interface StateFileWriting {
  store: Store
  /** Path of the file with that index. */
  pathOf(index: number): string
  /** Gives the loop a turn. */
  turn(): Promise<void>
  fileBytes?: number
  /** What has at most so many bytes in all stays inline; nothing when left out. */
  inlineBytes?: number
}

/**
 * Writes blocks behind each other into as many files as it takes; their tables stand in the manifest. A block is asked
 * for when it is its turn, and is copied before the next one is. `bytes`: of all blocks together, about; more than there
 * are costs memory only, fewer more files.
 */
export async function writeStateFiles(
  writing: StateFileWriting,
  blocks: Iterable<GroupState>,
  bytes: number,
): Promise<StateFile[]> {
  const { store, pathOf, turn, fileBytes = FILE_BYTES, inlineBytes = 0 } = writing
  const files: StateFile[] = []
  let left = bytes
  let untilTurn = SLICE_BYTES
  let open: FileBytes | undefined
  let putting: { file: Promise<StateFile>; memory: Uint8Array } | undefined
  let spare: Uint8Array | undefined
  // one file goes to the store while the next is put together, in the memory of the one before
  const close = async (): Promise<void> => {
    if (putting !== undefined) {
      files.push(await putting.file)
      spare = putting.memory
    }
    putting = open && { file: open.put(store, pathOf(files.length)), memory: open.memory }
    // whoever awaits it next hears of a failure; until then it is not unheard
    putting?.file.catch(() => undefined)
    open = undefined
  }
  for (const [group, block] of blocks) {
    if (open?.hasRoom(block.length) === false) await close()
    if (open === undefined) {
      const most = Math.max(block.length, Math.min(fileBytes, left < block.length ? SLICE_BYTES : left))
      open = new FileBytes(spare !== undefined && spare.length >= most ? spare : Buffer.allocUnsafeSlow(most), most)
      spare = undefined
    }
    open.begin(group, block.length)
    for (let at = 0; at < block.length; ) {
      const slice = block.subarray(at, at + untilTurn)
      open.append(slice)
      at += slice.length
      untilTurn -= slice.length
      if (untilTurn > 0) continue
      await turn()
      untilTurn = SLICE_BYTES
    }
    left -= block.length
  }
  if (open !== undefined && putting === undefined && files.length === 0 && open.sizeBytes <= inlineBytes)
    return [open.inline(pathOf(0))]
  await close()
  await close()
  return files
}

/** A file that is being put together. */
class FileBytes {
  /** Fresh memory costs more than all that is done with a file's bytes: the next file may take it. */
  readonly memory: Uint8Array
  readonly #most: number
  readonly #hash = createHash('sha256')
  readonly #groups: [number, number, number][] = []
  #used = 0

  /** It is to hold `most` bytes at most. */
  constructor(memory: Uint8Array, most: number) {
    this.memory = memory
    this.#most = most
  }

  get sizeBytes(): number {
    return this.#used
  }

  hasRoom(bytes: number): boolean {
    return this.#used + bytes <= this.#most
  }

  begin(group: number, bytes: number): void {
    this.#groups.push([group, this.#used, bytes])
  }

  append(bytes: Uint8Array): void {
    this.memory.set(bytes, this.#used)
    this.#hash.update(bytes)
    this.#used += bytes.length
  }

  async put(store: Store, path: string): Promise<StateFile> {
    await store.put(path, this.memory.subarray(0, this.#used))
    return this.#written(path)
  }

  inline(path: string): StateFile {
    return { ...this.#written(path), inline: Buffer.from(this.memory.subarray(0, this.#used)).toString('base64') }
  }

  #written(path: string): StateFile {
    return { path, sizeBytes: this.#used, sha256: this.#hash.digest('hex'), groups: this.#groups }
  }
}

/**
 * The file's bytes, as long and with the checksum that its manifest says. Throws STATE_MISSING or STATE_CORRUPT
 * naming it.
 */
export async function checkedStateFile(store: Store, file: StateFile, turn?: () => Promise<void>): Promise<Uint8Array> {
  const bytes = file.inline === undefined ? await store.get(file.path) : Buffer.from(file.inline, 'base64')
  if (!bytes)
    throw new MillraceError('STATE_MISSING', `state file ${file.path} is not in the store`, { domain: 'platform' })
  const sha256 = await checksum(bytes, turn)
  if (bytes.length !== file.sizeBytes || sha256 !== file.sha256) {
    throw new MillraceError(
      'STATE_CORRUPT',
      `state file ${file.path} has ${bytes.length} bytes and sha256 ${sha256}; the manifest says ${file.sizeBytes} and ${file.sha256}`,
      { domain: 'platform' },
    )
  }
  return bytes
}

async function checksum(bytes: Uint8Array, turn?: () => Promise<void>): Promise<string> {
  const hash = createHash('sha256')
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    hash.update(bytes.subarray(at, at + SLICE_BYTES))
    if (at + SLICE_BYTES < bytes.length) await turn?.()
  }
  return hash.digest('hex')
}

/**
 * The blocks of a rest in their order, each checked; the next file comes from the store while one is used. `turn`
 * gives the loop a turn after what takes about a millisecond. Throws as checkedStateFile.
 */
export async function* readBlocks(
  store: Store,
  rest: readonly FileRest[],
  turn: () => Promise<void>,
): AsyncGenerator<{ file: StateFile; row: BlockRow; bytes: Uint8Array }> {
  const read = (index: number): Promise<Uint8Array> | undefined => {
    const one = rest[index]
    const bytes = one && checkedStateFile(store, one.file, turn)
    // whoever awaits it hears of a failure; until then it is not unheard
    bytes?.catch(() => undefined)
    return bytes
  }
  let next = read(0)
  let untilTurn = BLOCKS_BYTES
  for (const [index, { file, blocks }] of rest.entries()) {
    const bytes = await next
    next = read(index + 1)
    for (const row of blocks) {
      const [, offset, length] = row
      yield { file, row, bytes: bytes?.subarray(offset, offset + length) ?? NO_BYTES }
      untilTurn -= length
      if (untilTurn > 0) continue
      await turn()
      untilTurn = BLOCKS_BYTES
    }
  }
}
