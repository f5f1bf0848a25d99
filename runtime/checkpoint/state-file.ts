import { createHash } from 'node:crypto'
import type { GroupState, StateFile } from '../model/snapshot.ts'
import { MillraceError } from '../model/errors.ts'
import type { KeyGroupRange } from '../plan/key-groups.ts'
import type { Store } from '../ports/store.ts'

/** A file is closed before it grows beyond this; only a single larger block makes a larger one. */
const FILE_BYTES = 64 * 1024 * 1024
/** Bytes copied and hashed in one go, about a millisecond. */
const SLICE_BYTES = 1024 * 1024

export interface StateFileWriting {
  store: Store
  /** Path of the file with that index. */
  pathOf(index: number): string
  /** Gives the loop a turn. */
  turn(): Promise<void>
  fileBytes?: number
}

/**
 * Writes blocks behind each other into as many files as it takes; their tables stand in the manifest. A block is asked
 * for when it is its turn and is copied at once. `bytes`: of all blocks together; more than there are costs memory only.
 */
export async function writeStateFiles(writing: StateFileWriting, blocks: Iterable<GroupState>, bytes: number): Promise<StateFile[]> {
  const { store, pathOf, turn, fileBytes = FILE_BYTES } = writing
  const files: StateFile[] = []
  let left = bytes
  let untilTurn = SLICE_BYTES
  let open: FileBytes | undefined
  let putting: Promise<StateFile> | undefined
  // one file goes to the store while the next is put together
  const close = async (): Promise<void> => {
    if (putting !== undefined) files.push(await putting)
    putting = open?.put(store, pathOf(files.length))
    // whoever awaits it next hears of a failure; until then it is not unheard
    putting?.catch(() => undefined)
    open = undefined
  }
  for (const [group, block] of blocks) {
    if (open?.hasRoom(block.length) === false) await close()
    open ??= new FileBytes(Math.max(block.length, Math.min(fileBytes, left)))
    open.begin(group, block.length)
    for (let at = 0; at < block.length;) {
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
  await close()
  await close()
  return files
}

/** A file that is being put together. */
class FileBytes {
  readonly #bytes: Uint8Array
  readonly #hash = createHash('sha256')
  readonly #groups: [number, number, number][] = []
  #used = 0

  constructor(bytes: number) { this.#bytes = Buffer.allocUnsafeSlow(bytes) }

  hasRoom(bytes: number): boolean { return this.#used + bytes <= this.#bytes.length }

  begin(group: number, bytes: number): void { this.#groups.push([group, this.#used, bytes]) }

  append(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#used)
    this.#hash.update(bytes)
    this.#used += bytes.length
  }

  async put(store: Store, path: string): Promise<StateFile> {
    await store.put(path, this.#bytes.subarray(0, this.#used))
    return { path, sizeBytes: this.#used, sha256: this.#hash.digest('hex'), groups: this.#groups }
  }
}

/** The file's bytes, as long and with the checksum that its manifest says. Throws STATE_MISSING or STATE_CORRUPT naming it. */
export async function checkedStateFile(store: Store, file: StateFile): Promise<Uint8Array> {
  const bytes = await store.get(file.path)
  if (!bytes) throw new MillraceError('STATE_MISSING', `state file ${file.path} is not in the store`, { domain: 'platform' })
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (bytes.length !== file.sizeBytes || sha256 !== file.sha256) {
    throw new MillraceError('STATE_CORRUPT', `state file ${file.path} has ${bytes.length} bytes and sha256 ${sha256}; the manifest says ${file.sizeBytes} and ${file.sha256}`,
      { domain: 'platform' })
  }
  return bytes
}

/** Reads the blocks of the key groups in `range`. Throws STATE_MISSING or STATE_CORRUPT naming the file. */
export async function readStateFile(store: Store, file: StateFile, range: KeyGroupRange): Promise<GroupState[]> {
  const bytes = await checkedStateFile(store, file)
  return file.groups
    .filter(([group]) => group >= range.first && group < range.endExclusive)
    .map(([group, offset, length]) => [group, bytes.subarray(offset, offset + length)] as const)
}
